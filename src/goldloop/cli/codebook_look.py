"""How findings and differences look on a terminal, and as JSON."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

from rich.text import Text

from goldloop.cli.output import err, out, plain, table
from goldloop.codebook.check import RULES
from goldloop.codebook.diff import Change, CodebookDiff, Level
from goldloop.codebook.text import clean

_STYLE: dict[Level, str] = {"editorial": "green", "compatible": "cyan", "breaking": "red"}
_MEANS: dict[Level, str] = {
    "editorial": "All labels stay as they are.",
    "compatible": "All labels stay as they are.",
    "breaking": "Labels of {} can't be mixed with new ones.",
}


@dataclass(frozen=True)
class Shown:
    """One line of what is wrong with a file."""

    line: int
    rule: str
    sentence: str


def complaints(message: str, path: str) -> list[Shown]:
    """A loader's message, a complaint a line, as `check` shows it."""
    told = []
    for line in message.splitlines():
        place = re.match(r":(\d+): ", line.removeprefix(path))
        number, sentence = (int(place[1]), line.removeprefix(path)[place.end() :]) if place else (1, line)
        told.append(Shown(number, "file", sentence.removeprefix(f"{path}: ")))
    return sorted(told, key=lambda one: one.line)


def check_json(found: Mapping[str, Sequence[Shown]], unread: Mapping[str, Sequence[Shown]]) -> dict[str, object]:
    """What `codebook check --json` prints."""

    def rows(files: Mapping[str, Sequence[Shown]]) -> list[dict[str, object]]:
        return [
            {"file": file, "line": one.line, "rule": one.rule, "sentence": one.sentence}
            for file, shown in files.items()
            for one in shown
        ]

    return {
        "codebooks": len(found) + len(unread),
        "findings": rows(found),
        "reasons": _reasons(found),
        "unreadable": rows(unread),
    }


def print_check(found: Mapping[str, Sequence[Shown]], unread: Mapping[str, Sequence[Shown]], again: str) -> None:
    """Findings by file and the broken rules' reasons on stdout; unreadable files on stderr; a count, what comes next.

    `again` is what to check anew.
    """
    for file, shown in unread.items():
        for one in shown:
            _line(file, one, style="red")
        err.print()
    faulty = {file: shown for file, shown in found.items() if shown}
    for file, shown in faulty.items():
        for one in shown:
            _line(file, one)
        out.print()
    for rule, reason in _reasons(found).items():
        _reason(rule, reason)
    if faulty:
        out.print()
    findings = sum(map(len, faulty.values()))
    if not findings and not unread:
        out.print(f"{_count(len(found), 'codebook')} checked, nothing found.")
        out.print("Next: goldloop codebook render")
        return
    sound = len(found) - len(faulty)
    told = [f"{_count(findings, 'finding')} in {_count(len(faulty), 'codebook')}"] if faulty else []
    told += [f"{_count(sound, 'codebook')} sound"] if sound else []
    told += [f"{_count(len(unread), 'file')} unreadable"] if unread else []
    out.print(f"[bold]{', '.join(told)}[/bold]")
    out.print(f"Next: mend each line, then goldloop codebook check {plain(again)}".rstrip(), soft_wrap=True)


def print_diff(found: CodebookDiff) -> None:
    """A table of what changed, question by question, and what it means for labels and version."""
    out.print(f"[bold]{plain(found.name)}[/bold] {found.old_version} -> {found.new_version}")
    rows = [(name, change) for name, changed in found.questions.items() for change in changed.changes]
    rows += [("(codebook)", change) for change in found.codebook]
    if rows:
        shown = table("question", "level", "what changed")
        before = None
        for name, change in rows:
            shown.add_row("" if name == before else plain(name), _level(change), plain(change.what))
            before = name
        out.print(shown)
    for setting in found.settings:
        out.print(f"Queue setting (no new version needed): {plain(setting)}")
    if not rows:
        out.print("Nothing that is asked has changed.")
    elif found.level:
        what = f"{'an' if found.level == 'editorial' else 'a'} {found.level} change"
        out.print(f"On the whole {what}. {_MEANS[found.level].format(', '.join(found.breaking) or 'it')}")
    if rows and not found.understated:
        out.print("Next: goldloop codebook check, then goldloop codebook publish")


def _reasons(found: Mapping[str, Sequence[Shown]]) -> dict[str, str]:
    """Why each rule that was broken is one, in the order of the rules."""
    broken = {one.rule for shown in found.values() for one in shown}
    return {rule: reason for rule, reason in RULES.items() if rule in broken}


def _level(change: Change) -> Text:
    return Text(change.level, style=_STYLE[change.level])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _reason(rule: str, reason: str) -> None:
    """`[rule] reason`, with the mark by which each of its findings ends."""
    mark = f"[{rule}]"
    line = f"{mark} {reason}"
    if out.is_terminal:
        line = fill(line, out.width, subsequent_indent="    ", break_on_hyphens=False)
    shown = Text(line)
    shown.stylize("dim", 0, len(mark))
    out.print(shown, soft_wrap=True)


def _line(file: str, one: Shown, style: str = "cyan") -> None:
    """`file:line: sentence`; on one line where a program reads it, wrapped with an indent where a person does."""
    where = out if style == "cyan" else err
    place = f"{file}:{one.line}:"
    line = clean(f"{place} {one.sentence} [{one.rule}]")
    if where.is_terminal:
        line = fill(line, where.width, subsequent_indent="    ", break_on_hyphens=False)
    shown = Text(line)
    shown.stylize(style, 0, len(place))
    shown.stylize("dim", len(line) - len(one.rule) - 2)
    where.print(shown, soft_wrap=True)
