"""A short document of headings, paragraphs, lists, tables and cards, as Markdown and as one HTML page.

Both forms show each text as it is written: whatever a codebook holds, it makes no heading, link or tag of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import assert_never

from goldloop.codebook.text import clean


@dataclass(frozen=True)
class Key:
    """A key, or several pressed together, such as `Ctrl+Enter`; our own words or a codebook's hotkey."""

    name: str


Text = str | tuple[str | Key, ...]
"""A line of text, with keys in it where they are named."""


@dataclass(frozen=True)
class Paragraph:
    text: Text


@dataclass(frozen=True)
class Points:
    lines: Sequence[Text]
    numbered: bool = False


@dataclass(frozen=True)
class Table:
    head: Sequence[str]
    rows: Sequence[Sequence[Text]]


@dataclass(frozen=True)
class Card:
    """A thing with a name, its keys, and what is to be said of it, each with its term and its kind."""

    title: str
    keys: Sequence[Key]
    aside: str
    told: Sequence[tuple[str, str, str]]
    """Kind (a class of the page's style), term, text."""


@dataclass(frozen=True)
class Heading:
    """A part of a section."""

    text: str


Block = Paragraph | Points | Table | Card | Heading


@dataclass(frozen=True)
class Section:
    title: str
    blocks: Sequence[Block]
    own_page: bool = False
    """Printed on a page of its own."""


@dataclass(frozen=True)
class Document:
    title: str
    about: Sequence[tuple[str, str]]
    """What stands under the title: term and text."""
    sections: Sequence[Section]


def _spaced(text: str) -> str:
    """The text on one line, with nothing in it that breaks a page."""
    return re.sub(r"\s+", " ", clean(text))


# Backslashes take the meaning from any of these (CommonMark 0.31, 2.4); `$` starts a formula on some servers.
_MARKED = re.compile(r"([\\`*_\[\]<>&|~$#])")
_AT_THE_START = re.compile(r"^(?:([+=-])|(\d+)([.)]))")


def to_markdown(document: Document) -> str:
    """The document as Markdown (CommonMark with tables), ending with a newline."""
    parts = [f"# {_md(document.title)}", _md_list([f"**{_md(term)}:** {_md(text)}" for term, text in document.about])]
    for section in document.sections:
        parts += [f"## {_md(section.title)}", *(_md_block(block) for block in section.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _md(text: Text) -> str:
    parts = (text,) if isinstance(text, str) else text
    line = "".join(f"`{part.name}`" if isinstance(part, Key) else _MARKED.sub(r"\\\1", _spaced(part)) for part in parts)
    return _AT_THE_START.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", line.strip())


def _md_list(lines: Sequence[str], *, numbered: bool = False) -> str:
    return "\n".join(f"{place}. {line}" if numbered else f"- {line}" for place, line in enumerate(lines, start=1))


def _md_block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return _md(text)
        case Points(lines, numbered):
            return _md_list([_md(line) for line in lines], numbered=numbered)
        case Table(head, rows):
            ruled = ["| " + " | ".join(_md(cell) for cell in row) + " |" for row in [head, *rows]]
            return "\n".join([ruled[0], "|" + "---|" * len(head), *ruled[1:]])
        case Card(title, keys, aside, told):
            pressed = " or ".join(f"`{key.name}`" for key in keys)
            named = f"#### {_md(title)}" + (f" (key {pressed})" if keys else "") + (f", {_md(aside)}" if aside else "")
            return named + "\n\n" + _md_list([f"**{_md(term)}:** {_md(text)}" for _, term, text in told])
        case Heading(text):
            return f"### {_md(text)}"
        case _:
            assert_never(block)


_STYLE = """
:root { color-scheme: light dark; --page: #fbfbf9; --ink: #1d232b; --soft: #5c6672; --line: #dcdfe3; --card: #fff;
  --mark: #2f5fb3; --yes: #1c7a4a; --no: #b3402f; --edge: #8a6100; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #14181d; --ink: #e4e8ec; --soft: #9aa5b1;
  --line: #333b45; --card: #1b2128; --mark: #8db4f5; --yes: #6cc596; --no: #ef9182; --edge: #e0b657; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
main { max-width: 52rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; }
h2 { font-size: 1.35rem; margin: 2.75rem 0 .75rem; padding-top: .75rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; color: var(--mark); }
h4 { font-size: 1rem; margin: 0; }
p, ul, ol { margin: .5rem 0; }
li + li { margin-top: .3rem; }
.about { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: 0; color: var(--soft); }
.about div { display: flex; gap: .4rem; }
.about dd { margin: 0; color: var(--ink); }
nav { margin-top: 1.5rem; font-size: .95rem; }
nav a { color: var(--mark); margin-right: 1.1rem; white-space: nowrap; text-underline-offset: .2em; }
kbd { font: .9em/1 ui-monospace, "Cascadia Mono", Menlo, monospace; border: 1px solid var(--line);
  border-bottom-width: 2px; border-radius: 4px; padding: .12em .42em; background: var(--card); white-space: nowrap; }
.card { border: 1px solid var(--line); border-radius: 8px; background: var(--card); padding: .8rem 1rem;
  margin: .75rem 0; break-inside: avoid; }
.card header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .6rem; }
.card .aside { color: var(--soft); font-size: .9rem; }
.card dl { display: grid; grid-template-columns: 8.5rem 1fr; gap: .35rem .9rem; margin: .5rem 0 0; }
.card dt { color: var(--soft); font-size: .9rem; padding-top: .08rem; }
.card dd { margin: 0; }
dt.yes { color: var(--yes); } dt.no { color: var(--no); } dt.edge { color: var(--edge); }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; }
th, td { text-align: start; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
th { font-size: .9rem; color: var(--soft); font-weight: 600; }
tr { break-inside: avoid; }
@media (max-width: 36rem) { .card dl { grid-template-columns: 1fr; } .card dd { margin-bottom: .4rem; } }
@media print { :root { --page: #fff; --card: #fff; } body { font-size: 10.5pt; } main { max-width: none; padding: 0; }
  nav { display: none; } h2, h3, h4 { break-after: avoid; } .own-page { break-before: page; }
  .own-page + section { break-before: page; } }
"""


def to_html(document: Document) -> str:
    """The document as one HTML page that asks for nothing from outside, for screen (light, dark) and paper."""
    return "\n".join(_html(document)) + "\n"


def _html(document: Document) -> Iterator[str]:
    title = _h(document.title)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>"
    about = [f'<div><dt>{_h(term)}</dt><dd dir="auto">{_h(text)}</dd></div>' for term, text in document.about]
    yield f'<dl class="about">{"".join(about)}</dl>'
    links = [f'<a href="#part-{place}">{_h(part.title)}</a>' for place, part in enumerate(document.sections, start=1)]
    yield f'<nav aria-label="Contents">{" ".join(links)}</nav>'
    for place, section in enumerate(document.sections, start=1):
        kind = "own-page" if section.own_page else "part"
        yield f'<section id="part-{place}" class="{kind}">\n<h2>{_h(section.title)}</h2>'
        yield from (_h_block(block) for block in section.blocks)
        yield "</section>"
    yield "</main>\n</body>\n</html>"


def _h(text: Text) -> str:
    parts = (text,) if isinstance(text, str) else text
    return "".join(
        f"<kbd>{escape(part.name)}</kbd>" if isinstance(part, Key) else escape(_spaced(part)) for part in parts
    ).strip()


def _h_block(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f'<p dir="auto">{_h(text)}</p>'
        case Points(lines, numbered):
            tag = "ol" if numbered else "ul"
            return f"<{tag}>" + "".join(f'<li dir="auto">{_h(line)}</li>' for line in lines) + f"</{tag}>"
        case Table(head, rows):
            top = "".join(f"<th>{_h(cell)}</th>" for cell in head)
            body = "".join(
                "<tr>" + "".join(f'<td dir="auto">{_h(cell)}</td>' for cell in row) + "</tr>" for row in rows
            )
            return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
        case Card(title, keys, aside, told):
            named = f'<h4 dir="auto">{_h(title)}</h4>' + "".join(_h((key,)) for key in keys)
            named += f'<span class="aside">{_h(aside)}</span>' if aside else ""
            pairs = "".join(
                f'<dt class="{kind}">{_h(term)}</dt><dd dir="auto">{_h(text)}</dd>' for kind, term, text in told
            )
            return f'<article class="card"><header>{named}</header><dl>{pairs}</dl></article>'
        case Heading(text):
            return f'<h3 dir="auto">{_h(text)}</h3>'
        case _:
            assert_never(block)
