"""What should stand, worked out by hand from what Label Studio holds, against what does stand.

Nothing here is goldloop's own reading: neither of an annotation, nor of what most people said.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Any

from benchmarks.faults.codebook import REASON, REASONS, VERDICT
from benchmarks.faults.outside import Row, Said, Stands

VERDICTS = ("pass", "fail")
Value = tuple[str, ...]
Key = tuple[str, ...]


@dataclass
class Findings:
    """What differs, by kind, each with the trace or thing that it is about."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.wrong)

    def compare(self, what: str, should: Mapping[Key, Counter[Value]], does: Mapping[Key, Counter[Value]]) -> None:
        """Hold what stands under each key against what should.

        What is missing beside something that should not be there is one wrong value, not one lost and one too many.
        """
        for key in sorted(should.keys() | does.keys()):
            wanted, there = should.get(key, Counter()), does.get(key, Counter())
            missing, surplus = list((wanted - there).elements()), list((there - wanted).elements())
            for value in surplus:
                told = f"{what} {' '.join(key)}: {'+'.join(value)}"
                if value in wanted:
                    self.duplicated.append(told)
                elif missing:
                    self.wrong.append(f"{told} stands for {'+'.join(missing.pop(0))}")
                else:
                    self.wrong.append(f"{told} should not stand")
            self.lost += [f"{what} {' '.join(key)}: {'+'.join(value)}" for value in missing]


@dataclass(frozen=True)
class Sides:
    """Everything that stands, on all sides."""

    sent: frozenset[str]
    tasks: Sequence[Stands]
    scores: Sequence[Mapping[str, Any]]
    dataset: Sequence[Row]
    eval_lines: Sequence[Row]
    parked: Sequence[Mapping[str, Any]]


def audit(sides: Sides) -> Findings:
    """Every difference between what should stand and what does."""
    found = Findings()
    tasks = gathered(((task.trace_id,), ("one task",)) for task in sides.tasks)
    found.compare("task of", {(trace,): Counter([("one task",)]) for trace in sides.sent}, tasks)
    found.compare("score", gathered(scores_due(sides.tasks)), gathered(map(_as_shown, _ours(sides.scores))))
    failures = gathered(rows_due(sides.tasks))
    for place, rows in (("dataset item of", sides.dataset), ("eval row of", sides.eval_lines)):
        found.compare(place, failures, gathered(((row.trace_id,), (_json(row.labels),)) for row in rows))
    parked = gathered(((str(row["subject"]),), (str(row["reason"]),)) for row in sides.parked)
    found.compare("parked", gathered(parked_due(sides.tasks)), parked)
    return found


def gathered(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, Counter[Value]]:
    """What stands under each key, and how often."""
    made: dict[Key, Counter[Value]] = defaultdict(Counter)
    for key, value in pairs:
        made[key][value] += 1
    return made


def scores_due(tasks: Sequence[Stands]) -> Iterator[tuple[Key, Value]]:
    """One for each submitted annotation, with its last value; one for each answer that is decided."""
    for task in tasks:
        for one in task.annotations:
            if not one.skipped and (verdict := verdict_of(one)):
                said = (one.person, verdict, "+".join(reasons_of(one)), moment(one.updated_at))
                yield (task.trace_id, f"annotation_{VERDICT}"), said
        if (verdict := decided(task)) is not None:
            yield (task.trace_id, f"human_{VERDICT}"), (verdict,)
            if why := why_it_failed(task, verdict):
                yield (task.trace_id, f"human_{REASON}"), ("+".join(why),)


def rows_due(tasks: Sequence[Stands]) -> Iterator[tuple[Key, Value]]:
    """One row for each confirmed failure."""
    for task in tasks:
        if decided(task) == "fail":
            why = why_it_failed(task, "fail")
            yield (task.trace_id,), (_json({VERDICT: "fail"} | ({REASON: why} if why else {})),)


def parked_due(tasks: Sequence[Stands]) -> Iterator[tuple[Key, Value]]:
    """What no reader of the codebook can take for an answer."""
    for task in tasks:
        for one in task.annotations:
            if not one.skipped and verdict_of(one) is None:
                reason = "unknown_choice" if labels(one, VERDICT) else "no_answer"
                yield (f"annotation:{task.project_id}/{task.task_id}/{one.annotation_id}",), (reason,)


def labels(one: Said, question: str) -> list[str]:
    """What the annotation says to the question, each time that it says something."""
    parts = (part["value"] for part in one.result if part["from_name"] == question)
    return [label for value in parts for label in value["choices"]]


def verdict_of(one: Said) -> str | None:
    """None where it is no verdict of the codebook's."""
    given = labels(one, VERDICT)
    return given[0] if len(given) == 1 and given[0] in VERDICTS else None


def reasons_of(one: Said) -> list[str]:
    """In the codebook's order; the question is asked of failures alone."""
    given = labels(one, REASON) if verdict_of(one) == "fail" else []
    return [name for name in REASONS if name in given]


def voices(task: Stands) -> list[Said]:
    """Each person's last word, skips among them."""
    last: dict[str, Said] = {}
    for one in task.annotations:
        if one.skipped or verdict_of(one):
            before = last.get(one.person)
            if before is None or moment(one.updated_at) >= moment(before.updated_at):
                last[one.person] = one
    return list(last.values())


def decided(task: Stands) -> str | None:
    """The verdict that no outstanding voice could change, by trying all that they could say."""
    heard = voices(task)
    given = [verdict_of(one) for one in heard if not one.skipped]
    winners = set()
    for more in product(VERDICTS, repeat=max(0, task.wanted - len(heard))):
        votes = Counter([*given, *more])
        passed, failed = votes["pass"], votes["fail"]
        winners.add("pass" if passed > failed else "fail" if failed > passed else None)
    return winners.pop() if len(winners) == 1 and given else None


def why_it_failed(task: Stands, verdict: str) -> list[str]:
    """The reasons that most of those give who decided it, or as many as any other; none of a pass."""
    if verdict != "fail":
        return []
    given = [reasons_of(one) for one in voices(task) if not one.skipped and verdict_of(one) == verdict]
    named = Counter(name for reasons in given for name in reasons)
    answered = sum(bool(reasons) for reasons in given)
    most = max(named.values(), default=0)
    return [name for name in REASONS if named[name] and (named[name] * 2 > answered or named[name] == most)]


def moment(text: str) -> str:
    """A time in one form, whichever way it is written."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _ours(scores: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [score for score in scores if score["name"].startswith(("annotation_", "human_"))]


def _as_shown(score: Mapping[str, Any]) -> tuple[Key, Value]:
    key = (str(score["subject"]["id"]), str(score["name"]))
    if not score["name"].startswith("annotation_"):
        return key, (str(score["value"]),)
    told = score["metadata"]
    reasons = "+".join(told.get(REASON) or [])
    return key, (told["annotator"], str(score["value"]), reasons, moment(told["annotated_at"]))


def _json(labels_given: Mapping[str, Any]) -> str:
    return json.dumps(labels_given, sort_keys=True)
