"""What changed between two versions of a codebook, and what that does to labels that people gave already.

| level | what it is | what becomes of the labels | the version needs |
|---|---|---|---|
| editorial | other words for the same thing | they stay | a patch |
| compatible | something was added, or goes elsewhere | they stay | a minor |
| breaking | the same label no longer means the same | those of this question cannot be used with new ones | a major |

Levels obey the triangle: a change made in two steps is never worse than the worse of them.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from goldloop.codebook.schema import Codebook, Label, Question
from goldloop.errors import CodebookError

Level = Literal["editorial", "compatible", "breaking"]
LEVELS: Final[tuple[Level, ...]] = ("editorial", "compatible", "breaking")
"""From the mildest to the worst."""

_ADDABLE: Final = frozenset({"choice", "multi-choice"})
_TOKEN: Final = re.compile(r"[-+]?\d+(?:[.,]\d+)*|\w+|[^\w\s]")
_MARKS: Final = frozenset(".,;:!?'\"()[]{}-\N{EN DASH}\N{EM DASH}\N{HORIZONTAL ELLIPSIS}`\N{MIDDLE DOT}") | frozenset(
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
)
"""Marks that carry no meaning of their own; < and % and the sign of a number do."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Change(_Record):
    """One change: how much it matters, and what it is, in words."""

    level: Level
    what: str


class QuestionDiff(_Record):
    """What changed in one question; `level` is the worst of its changes."""

    level: Level
    changes: tuple[Change, ...] = Field(min_length=1)


class CodebookDiff(_Record):
    """What changed between two versions of a codebook. `level` is the worst change, and None where there is none.

    `questions` holds only those that changed, by name; `codebook` what changed beside them; `settings` the changes of
    the queue's settings, which belong to no version.
    """

    name: str
    old_version: str
    new_version: str
    level: Level | None
    needed_version: str
    questions: dict[str, QuestionDiff]
    codebook: tuple[Change, ...]
    settings: tuple[str, ...]

    @property
    def understated(self) -> bool:
        """Whether the new version's number promises less change than there is."""
        return _numbers(self.new_version) < _numbers(self.needed_version)

    @property
    def breaking(self) -> tuple[str, ...]:
        """Questions whose labels of the old version no longer count, those that are gone too."""
        return tuple(name for name, changed in self.questions.items() if changed.level == "breaking")

    @property
    def complaint(self) -> str | None:
        """Why the version's number is too low and which it should be; None where it is not."""
        if not self.understated:
            return None
        same = self.new_version == self.old_version
        number = f"still {self.new_version}" if same else f"only {self.new_version} after {self.old_version}"
        kind = "an editorial" if self.level == "editorial" else f"a {self.level}"
        return (
            f"the version of {self.name} is {number}, yet {self._worst()} is {kind} change: "
            f"set `version: {self.needed_version}`"
        )

    def as_json(self) -> dict[str, JsonValue]:
        """The object that `goldloop codebook diff --json` prints."""
        told = self.model_dump(mode="json")
        told |= {"from": told.pop("old_version"), "to": told.pop("new_version"), "understated": self.understated}
        order = ("name", "from", "to", "level", "needed_version", "understated", "questions", "codebook", "settings")
        return {field: told[field] for field in order}

    def _worst(self) -> str:
        changes = [
            (change.level, f"{name}: {change.what}")
            for name, changed in self.questions.items()
            for change in changed.changes
        ]
        changes += [(change.level, change.what) for change in self.codebook]
        return next(f'"{what}"' for level, what in changes if level == self.level)


def diff(old: Codebook, new: Codebook) -> CodebookDiff:
    """What `new` changes in `old`; `CodebookError` where they are no two versions of one codebook, in this order."""
    if old.name != new.name:
        raise CodebookError(f"{old.name} and {new.name} are two codebooks: compare versions of one name")
    if _numbers(new.version) < _numbers(old.version):
        raise CodebookError(
            f"{new.name} goes back from {old.version} to {new.version}: name the older file first, or raise the version"
        )
    questions = {
        name: QuestionDiff(level=_worst(changes), changes=tuple(changes))
        for name, changes in _questions(old, new)
        if changes
    }
    beside = tuple(_beside(old, new))
    levels = [changed.level for changed in questions.values()] + [change.level for change in beside]
    level = max(levels, key=LEVELS.index, default=None)
    return CodebookDiff(
        name=new.name,
        old_version=old.version,
        new_version=new.version,
        level=level,
        needed_version=_needed(old.version, level),
        questions=questions,
        codebook=beside,
        settings=tuple(_settings(old, new)),
    )


def means_the_same(one: str, other: str) -> bool:
    """Whether two definitions differ only in case, spaces and punctuation."""
    return _tokens(one) == _tokens(other)


def _tokens(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text.casefold()) if token not in _MARKS]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _needed(version: str, level: Level | None) -> str:
    if level is None:
        return version
    place = {"breaking": 0, "compatible": 1, "editorial": 2}[level]
    numbers = _numbers(version)
    return ".".join(map(str, (*numbers[:place], numbers[place] + 1, *(0 for _ in numbers[place + 1 :]))))


def _worst(changes: Sequence[Change]) -> Level:
    return max((change.level for change in changes), key=LEVELS.index)


def _editorial(what: str) -> Change:
    return Change(level="editorial", what=what)


def _compatible(what: str) -> Change:
    return Change(level="compatible", what=what)


def _breaking(what: str) -> Change:
    return Change(level="breaking", what=what)


def _questions(old: Codebook, new: Codebook) -> Iterator[tuple[str, list[Change]]]:
    for asked in old.questions:
        same = new.question(asked.name)
        if same is not None:
            yield asked.name, list(_question(asked, same))
        else:
            heir = next((q.name for q in new.questions if not old.question(q.name) and _alike(asked, q)), None)
            yield asked.name, [_breaking(f"question renamed to {heir}" if heir else "question removed")]
    for asked in new.questions:
        if old.question(asked.name) is None:
            yield asked.name, [_compatible("question added")]


def _alike(one: Question, other: Question) -> bool:
    """Whether a question that is gone and one that came are the same under another name."""
    if one.kind != other.kind or one.label_names != other.label_names:
        return False
    pairs = zip(one.labels, other.labels, strict=True)
    return means_the_same(one.text, other.text) or (
        one.chooses and all(means_the_same(label.definition, heir.definition) for label, heir in pairs)
    )


def _question(old: Question, new: Question) -> Iterator[Change]:
    changes = [*_labels(old, new), *_rules(old, new)]
    if not changes and old != new:
        changes = [_editorial("written in another order")]
    yield from changes


def _rules(old: Question, new: Question) -> Iterator[Change]:
    if old.kind != new.kind:
        yield _breaking(f"kind changed from {old.kind} to {new.kind}")
    if old.text != new.text:
        yield _editorial("question reworded")
    if old.scale != new.scale:
        yield _breaking("scale changed")
    if set(old.failure) != set(new.failure):
        yield _breaking(f"failure rule changed from {_listed(old.failure)} to {_listed(new.failure)}")
    if _condition(old) != _condition(new):
        yield _breaking("asked in other cases (only_if changed)")
    if old.required != new.required:
        yield _compatible("now required" if new.required else "no longer required")
    if old.score != new.score:
        yield _compatible(f"goes to the Langfuse score {new.score_name}, before {old.score_name}")


def _condition(question: Question) -> dict[str, frozenset[str]]:
    return {other: frozenset(labels) for other, labels in (question.only_if or {}).items()}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _labels(old: Question, new: Question) -> Iterator[Change]:
    before = {label.name: label for label in old.labels}
    after = {label.name: label for label in new.labels}
    gone = [label for label in old.labels if label.name not in after]
    come = [label for label in new.labels if label.name not in before]
    for label in gone:
        heir = next((new_one for new_one in come if _renamed(label, new_one)), None)
        if heir:
            come.remove(heir)
        yield _breaking(f"label {label.name} renamed to {heir.name}" if heir else f"label {label.name} removed")
    for label in come:
        added = _compatible if old.kind in _ADDABLE else _breaking
        yield added(f"label {label.name} added" + ("" if old.kind in _ADDABLE else ", so the scale is another"))
    for name, label in before.items():
        if name in after:
            yield from _label(label, after[name])
    if [name for name in before if name in after] != [name for name in after if name in before]:
        rated = old.kind == "rating"
        yield _breaking("scale reordered") if rated else _editorial("labels in another order")


def _renamed(label: Label, other: Label) -> bool:
    return means_the_same(label.definition, other.definition) or means_the_same(label.text, other.text)


def _label(old: Label, new: Label) -> Iterator[Change]:
    if not means_the_same(old.definition, new.definition):
        yield _breaking(f"label {old.name} redefined")
    elif old.definition != new.definition:
        yield _editorial(f"label {old.name}: definition written otherwise, in the same words")
    if old.text != new.text:
        yield _editorial(f"label {old.name}: button reads otherwise")
    for kind in ("positive", "negative", "edge"):
        before, after = getattr(old, kind), getattr(new, kind)
        if before != after:
            done = "added" if before is None else "removed" if after is None else "reworded"
            yield _editorial(f"label {old.name}: {kind} example {done}")
    if old.hotkey != new.hotkey:
        yield _editorial(f"label {old.name}: hotkey {new.hotkey or 'none'}, before {old.hotkey or 'none'}")
    if old.severity != new.severity:
        yield _compatible(f"label {old.name}: severity {new.severity or 'none'}, before {old.severity or 'none'}")


def _beside(old: Codebook, new: Codebook) -> Iterator[Change]:
    for field in ("title", "owner", "purpose"):
        if getattr(old, field) != getattr(new, field):
            yield _editorial(f"{field} changed")
    kept = {question.name for question in old.questions} & {question.name for question in new.questions}
    orders = [[question.name for question in book.questions if question.name in kept] for book in (old, new)]
    if orders[0] != orders[1]:
        yield _editorial("questions in another order")
    reasons = [{reason.name for reason in book.skip_reasons} for book in (old, new)]
    if reasons[0] != reasons[1]:
        yield _compatible("skip reasons changed")
    elif old.skip_reasons != new.skip_reasons:
        yield _editorial("skip reasons written otherwise")
    if old.langfuse != new.langfuse:
        yield _compatible("names in Langfuse changed")


def _settings(old: Codebook, new: Codebook) -> Iterator[str]:
    before, after = old.queue.model_dump(mode="json"), new.queue.model_dump(mode="json")
    for field in after:
        if before[field] != after[field]:
            yield f"{field}: {json.dumps(after[field])}, before {json.dumps(before[field])}"
