"""The annotator's guide: it tells all that its codebook says, in two forms, and shows every text as it was written."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from builders import ROOT, codebook
from builders_codebooks import codebooks
from goldloop.codebook.document import (
    Card,
    Document,
    Heading,
    Key,
    Paragraph,
    Points,
    Section,
    Table,
    to_html,
    to_markdown,
)
from goldloop.codebook.guide import as_html, as_markdown, guide
from goldloop.codebook.load import load_folder
from goldloop.codebook.schema import SIDES, Codebook
from goldloop.codebook.text import clean

SHIPPED = load_folder(ROOT / "label_configs")
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></main>",
    "# a heading #",
    "1. a list",
    "2) another",
    "- a point",
    "+ a point",
    "=== under it",
    "---",
    "> said",
    "```sh",
    "`code` and ``more",
    "[link](javascript:alert(1))",
    "![image](https://example.com/x.png)",
    "[id]: https://example.com",
    "| a | b |",
    "**bold** _it_ ~~gone~~ $x$",
    "&lt;b&gt; &amp;",
    "ends in a backslash\\",
    "two\n\nparagraphs",
    "    indented",
    "a\x00b\x1b[31m",
    "\u202eright to left",
    "line\u2028separator",
]
texts = st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1), st.text("#*_[]()<>!`~|\\&-+=1. \n\t", min_size=1))
shown_texts = texts.filter(lambda text: bool(re.sub(r"\s", "", clean(text))))
"""Not blank: a paragraph of nothing is none."""


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", clean(text)).strip()


class Page(HTMLParser):
    """Its tags in their order, their attributes, and the text of each innermost element."""

    VOID = frozenset({"meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[tuple[str, str | None]] = set()
        self.open: list[str] = []
        self.told: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= set(attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.told.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.told)


def markdown_shape(text: str) -> list[str]:
    """The blocks of a Markdown text, and what is marked within them: no text among it."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        found.append(token.type)
        found += [inside.type for inside in token.children or [] if inside.type not in {"text", "text_special"}]
    return found


def markdown_text(text: str) -> str:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    lines = ["".join(inside.content for inside in token.children) for token in tokens if token.children]
    return "\n".join(lines)


def told_by(asked: Codebook) -> Iterator[str]:
    yield from (asked.title, asked.owner, asked.purpose, asked.name, asked.version)
    yield from (reason.text for reason in asked.skip_reasons)
    for question in asked.questions:
        yield question.text
        for label in question.labels:
            if label.name not in SIDES:
                yield label.text
            yield from (text for text in (label.definition, label.positive, label.negative, label.edge) if text)


def a_document(text: str) -> Document:
    return Document(
        title=text,
        about=[("Term", text)],
        sections=[
            Section(text, [Paragraph(text), Paragraph(("By ", Key("Ctrl+Enter"), text)), Heading(text)]),
            Section("Lists", [Points([text, (text, Key("k"))]), Points([text], numbered=True)]),
            Section("Table", [Table(["A", "B"], [[text, (Key("1"), text)], [text, text]])], own_page=True),
            Section("Card", [Card(text, [Key("1")], text, [("yes", "Term", text)]), Card(text, [], "", [])]),
        ],
    )


@given(shown_texts)
def test_no_text_changes_the_shape_of_the_markdown(text: str) -> None:
    made = to_markdown(a_document(text))
    assert markdown_shape(made) == markdown_shape(to_markdown(a_document("x")))
    assert markdown_text(made).count(flat(text)) >= 13


@given(shown_texts)
def test_no_text_changes_the_shape_of_the_page(text: str) -> None:
    page, plain = Page(to_html(a_document(text))), Page(to_html(a_document("x")))
    assert page.tags == plain.tags
    assert page.attributes == plain.attributes
    assert page.open == []
    assert page.told == [flat(text) if told == "x" else told for told in plain.told]


@given(codebooks())
def test_any_codebook_has_a_guide_that_tells_all_of_it(asked: Codebook) -> None:
    markdown, page = markdown_text(as_markdown(asked)), Page(as_html(asked))
    assert page.open == []
    for text in told_by(asked):
        assert flat(text) in markdown
        assert flat(text) in page.text


@pytest.mark.parametrize("asked", SHIPPED.values(), ids=SHIPPED)
def test_the_guide_asks_for_nothing_from_outside(asked: Codebook) -> None:
    page = Page(as_html(asked))
    assert not {"script", "img", "link", "iframe", "object", "form", "base"} & set(page.tags)
    assert {name for name, _ in page.attributes} <= {
        "lang", "charset", "http-equiv", "content", "name", "class", "aria-label", "href", "id", "dir",
    }  # fmt: skip
    assert all(value and value.startswith("#part-") for name, value in page.attributes if name == "href")
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    assert "url(" not in as_html(asked)
    assert "@import" not in as_html(asked)


@pytest.mark.parametrize("asked", SHIPPED.values(), ids=SHIPPED)
def test_every_key_stands_in_the_table_of_keys(asked: Codebook) -> None:
    keys = markdown_text(as_markdown(asked).partition("\n## All keys\n")[2])
    for question in asked.questions:
        for label in question.labels:
            assert f"{label.hotkey} " in keys
            assert label.name in SIDES or f"{label.hotkey} {label.text}" in keys
    for reason in asked.skip_reasons:
        assert f"{reason.hotkey} {reason.text}" in keys
    assert all(key in keys for key in ("Ctrl+Enter", "Ctrl+Space", "Shift+Enter"))


def test_it_says_when_a_question_shows_and_how_it_is_answered() -> None:
    quality, tone, agent = (
        as_markdown(SHIPPED[name]) for name in ("answer-quality", "support-tone", "agent-trajectory")
    )
    assert "This is the verdict: “Fail” counts as a failure." in quality
    assert (
        "Shown only where you answered “Fail” to “Would you let this answer go out as it is?”; it may stay unanswered."
        " Choose each"
    ) in quality
    assert "from Hostile (lowest) to Attentive (highest)" in tone
    assert "Type a number from 1 to 50, whole numbers only." in agent
    assert "“Partly” or “Not reached” counts as a failure" in agent


def test_a_guide_to_two_answers_never_says_which_is_the_apps_own() -> None:
    asked = SHIPPED["pairwise-preference"]
    (question,) = (question for question in asked.questions if question.kind == "pairwise")
    made = as_markdown(asked)
    assert "#### A is better or B is better (key `1` or `2`)" in made
    assert "Shown only where you answered “A is better” or “B is better” to" in made
    assert not any(label.text in made for label in question.labels if label.name in SIDES)
    assert "counts as a failure" not in made
    assert "Choose A or B, or “No difference”. One of them is" in made
    assert "Also always asked: “Note for the team (optional)” (it may stay unanswered)" in made
    # What the screen of two answers leaves out, since it would tell whose is whose.
    assert "what the user said about it" not in made
    assert "It says how sure it is, and why" not in made


def test_what_is_said_of_both_sides_stands_by_kind() -> None:
    made = as_markdown(SHIPPED["pairwise-preference"])
    card = made.partition("#### A is better or B is better")[2].partition("\n####")[0]
    assert re.findall(r"^- \*\*(.*?):\*\*", card, re.MULTILINE) == [
        "Means", "Means", "Example", "Example", "Not this", "Not this",
        "Looks like it, but isn't", "Looks like it, but isn't",
    ]  # fmt: skip


def test_it_tells_the_limit_of_a_day_where_there_is_one() -> None:
    assert "Don't judge more than 120 cases a day" in as_markdown(codebook(annotator_limit=120))
    assert "cases a day" not in as_markdown(codebook())


@pytest.mark.parametrize(("share", "often"), [(0.1, "most"), (0.5, "some"), (1.0, "some")])
def test_it_does_not_promise_a_suggestion_where_most_cases_have_none(share: float, often: str) -> None:
    assert f"On {often} cases a program has answered before you." in as_markdown(codebook(blind_share=share))


def test_the_rule_for_disagreements_is_that_of_the_queue() -> None:
    def rule(**settings: object) -> str:
        return as_markdown(codebook(**settings)).partition("## When two of you differ\n")[2].partition("\n## ")[0]

    assert "judged by 3 of you" in rule()
    assert "what most of you chose counts" in rule()
    assert "About 20% of the cases" in rule(annotations_per_trace=1, double_label_share=0.2)
    assert "judged by one person" in rule(annotations_per_trace=1)
    decided = rule(adjudication="owner", adjudicator="ada@example.com")
    assert "one person looks at what each of you chose, and decides" in decided
    assert "ada@example.com" not in decided


def test_without_reasons_a_skip_is_one_key() -> None:
    asked = codebook().model_copy(update={"skip_reasons": ()})
    assert "choose the reason" not in as_markdown(asked)
    assert "`Ctrl+Space` skips." in as_markdown(asked)


def test_both_forms_come_from_one_document() -> None:
    asked = codebook()
    assert as_markdown(asked) == to_markdown(guide(asked))
    assert as_html(asked) == to_html(guide(asked))
