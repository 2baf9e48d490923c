"""What scripted annotators do to one trace's task: a few acts in order, chosen by the seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from benchmarks.faults.chance import chance_of, holds
from benchmarks.faults.codebook import NOTE, REASON, REASONS, VERDICT

PEOPLE = ("anna", "ben", "carla")
Result = list[dict[str, Any]]


class Doing(StrEnum):
    """One act in Label Studio."""

    SUBMIT = "submit"
    SKIP = "skip"
    EDIT = "edit"
    UNSKIP = "un-skip"
    SKIP_IT = "skip what was submitted"
    TOUCH = "ground truth"
    REASSIGN = "give to another"
    IMPORT = "import for another"
    OPEN = "open"
    DELETE = "delete"
    CLEAR = "bulk delete"
    DELETE_TASK = "delete the task"


@dataclass(frozen=True)
class Act:
    """`which` is the annotation that it is done to, by its place among those that the story makes.

    `owner` is whose annotation it is from now on, where `person` makes it somebody else's.
    """

    doing: Doing
    person: str
    which: int = 0
    result: Result | None = None
    owner: str | None = None


def passing() -> Result:
    return [_choice(VERDICT, ["pass"])]


def failing(chance: random.Random) -> Result:
    result = [_choice(VERDICT, ["fail"])]
    reasons = [name for name in REASONS if holds(chance, 0.5)]
    if reasons:
        result.append(_choice(REASON, reasons))
    if holds(chance, 0.3):
        text = {"text": [f"note {chance.randrange(10**6)}"]}
        result.append({"from_name": NOTE, "to_name": "output", "type": "textarea", "value": text})
    return result


def unreadable(chance: random.Random) -> Result:
    """What the screen would not let pass, and the API does: no verdict, or one that there is not."""
    return [] if holds(chance, 0.5) else [_choice(VERDICT, ["perhaps"])]


def _choice(question: str, labels: list[str]) -> dict[str, Any]:
    return {"from_name": question, "to_name": "output", "type": "choices", "value": {"choices": labels}}


def _any(chance: random.Random) -> Result:
    return failing(chance) if holds(chance, 0.4) else passing()


def _submitted(chance: random.Random, person: str) -> Act:
    return Act(Doing.SUBMIT, person, result=_any(chance))


def _nothing(_chance: random.Random, _one: str, _two: str) -> list[Act]:
    return []


def _once(chance: random.Random, one: str, _two: str) -> list[Act]:
    return [_submitted(chance, one)]


def _opened_first(chance: random.Random, one: str, _two: str) -> list[Act]:
    return [Act(Doing.OPEN, one), _submitted(chance, one)]


def _changed(chance: random.Random, one: str, two: str) -> list[Act]:
    who = one if holds(chance, 0.7) else two
    edits = [Act(Doing.EDIT, who, result=_any(chance)) for _ in range(chance.choice([1, 1, 2]))]
    return [_submitted(chance, one), *edits]


def _skipped(chance: random.Random, one: str, two: str) -> list[Act]:
    after = [
        [],
        [],
        [Act(Doing.UNSKIP, one, result=_any(chance))],
        [_submitted(chance, two)],
    ]
    return [Act(Doing.SKIP, one), *chance.choice(after)]


def _taken_back(chance: random.Random, one: str, two: str) -> list[Act]:
    back = chance.choice([Doing.DELETE, Doing.DELETE, Doing.SKIP_IT, Doing.CLEAR])
    again = [_submitted(chance, chance.choice([one, two]))] if holds(chance, 0.4) else []
    return [_submitted(chance, one), Act(back, one), *again]


def _by_two(chance: random.Random, one: str, two: str) -> list[Act]:
    acts = [_submitted(chance, one), _submitted(chance, two)]
    if holds(chance, 0.3):
        acts.append(Act(Doing.EDIT, two, which=1, result=_any(chance)))
    return acts


def _twice_by_one(chance: random.Random, one: str, _two: str) -> list[Act]:
    acts = [_submitted(chance, one), _submitted(chance, one)]
    if holds(chance, 0.3):
        acts.append(Act(Doing.EDIT, one, which=0, result=_any(chance)))
    return acts


def _unreadable(chance: random.Random, one: str, _two: str) -> list[Act]:
    acts = [Act(Doing.SUBMIT, one, result=unreadable(chance))]
    if holds(chance, 0.6):
        acts.append(Act(Doing.EDIT, one, result=_any(chance)))
    return acts


def _praised(chance: random.Random, one: str, two: str) -> list[Act]:
    return [_submitted(chance, one), Act(Doing.TOUCH, two)]


def _reassigned(chance: random.Random, one: str, two: str) -> list[Act]:
    return [_submitted(chance, one), Act(Doing.REASSIGN, one, owner=two)]


def _imported(chance: random.Random, one: str, two: str) -> list[Act]:
    return [Act(Doing.IMPORT, one, result=_any(chance), owner=two)]


def _task_deleted(chance: random.Random, one: str, _two: str) -> list[Act]:
    before = [_submitted(chance, one)] if holds(chance, 0.6) else []
    return [*before, Act(Doing.DELETE_TASK, one)]


_STORIES: list[tuple[Callable[[random.Random, str, str], list[Act]], int]] = [
    (_nothing, 32),
    (_once, 30),
    (_opened_first, 3),
    (_changed, 8),
    (_skipped, 6),
    (_taken_back, 6),
    (_by_two, 6),
    (_twice_by_one, 3),
    (_unreadable, 1),
    (_praised, 1),
    (_reassigned, 1),
    (_imported, 1),
    (_task_deleted, 2),
]


def story(seed: int, trace_id: str) -> list[Act]:
    """The acts on this trace's first task; later tasks of it are left alone."""
    chance = chance_of(f"{seed}/story/{trace_id}")
    made = chance.choices([told for told, _ in _STORIES], [weight for _, weight in _STORIES])[0]
    one, two = chance.sample(PEOPLE, 2)
    return made(chance, one, two)
