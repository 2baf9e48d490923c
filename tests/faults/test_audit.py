"""The audit finds what it is there for: each kind of loss, doubling and error, and nothing where all is well."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.faults.audit import Findings, Sides, audit, decided, why_it_failed
from benchmarks.faults.outside import Row, Said, Stands
from benchmarks.faults.stories import Result

AT = "2026-03-02T10:00:00.000001Z"
LATER = "2026-03-02T11:00:00Z"


def result(verdict: str | None, *reasons: str) -> Result:
    parts = [("verdict", [verdict] if verdict else []), ("reason", list(reasons))]
    return [
        {"from_name": name, "to_name": "output", "type": "choices", "value": {"choices": labels}}
        for name, labels in parts
        if labels
    ]


def said(
    number: int, verdict: str | None, *reasons: str, by: str = "anna", skipped: bool = False, at: str = AT
) -> Said:
    return Said(number, f"{by}@faults.local", skipped, at, result(verdict, *reasons))


def score(trace: str, name: str, value: str, **metadata: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "subject": {"kind": "trace", "id": trace}, "metadata": metadata}


def by_anna(trace: str, verdict: str, *reasons: str) -> dict[str, Any]:
    more: dict[str, Any] = {"reason": list(reasons)} if reasons else {}
    at = "2026-03-02T10:00:00.000001+00:00"
    return score(trace, "annotation_verdict", verdict, annotator="anna@faults.local", annotated_at=at, **more)


ROW = Row("r1", "failed", {"verdict": "fail", "reason": ["wrong", "late"]})
WELL = Sides(
    sent=frozenset({"passed", "failed", "skipped", "unread", "nobody"}),
    tasks=[
        Stands(1, 1, "passed", 1, (said(11, "pass"),)),
        Stands(2, 1, "failed", 1, (said(12, "fail", "late", "wrong"),)),
        Stands(3, 1, "skipped", 1, (said(13, None, skipped=True),)),
        Stands(4, 1, "unread", 1, (said(14, "perhaps"),)),
        Stands(5, 1, "nobody", 2, ()),
    ],
    scores=[
        by_anna("passed", "pass"),
        score("passed", "human_verdict", "pass"),
        by_anna("failed", "fail", "wrong", "late"),
        score("failed", "human_verdict", "fail"),
        score("failed", "human_reason", "wrong+late"),
        score("nobody", "user_thumbs", "1"),
    ],
    dataset=[ROW],
    eval_lines=[ROW],
    parked=[{"subject": "annotation:1/4/14", "reason": "unknown_choice"}],
)


def counts(found: Findings) -> tuple[int, int, int]:
    return len(found.lost), len(found.duplicated), len(found.wrong)


def test_all_is_well() -> None:
    assert audit(WELL) == Findings()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"tasks": WELL.tasks[:-1]}, (1, 0, 0)),  # a trace without a task
        ({"tasks": [*WELL.tasks, Stands(6, 1, "nobody", 1, ())]}, (0, 1, 0)),
        ({"tasks": [*WELL.tasks, Stands(6, 1, "never sent", 1, ())]}, (0, 0, 1)),
        ({"scores": WELL.scores[1:]}, (1, 0, 0)),
        ({"scores": [*WELL.scores, WELL.scores[0]]}, (0, 1, 0)),
        ({"scores": [by_anna("passed", "fail"), *WELL.scores[1:]]}, (0, 0, 1)),  # one wrong, not one lost too
        ({"scores": [*WELL.scores, by_anna("skipped", "pass")]}, (0, 0, 1)),
        ({"scores": [*WELL.scores, score("nobody", "human_verdict", "pass")]}, (0, 0, 1)),
        ({"scores": [one for one in WELL.scores if one["name"] != "human_verdict"]}, (2, 0, 0)),
        ({"dataset": []}, (1, 0, 0)),
        ({"eval_lines": [ROW, replace(ROW, row_id="r2")]}, (0, 1, 0)),
        ({"eval_lines": [replace(ROW, labels={"verdict": "fail"})]}, (0, 0, 1)),
        ({"parked": []}, (1, 0, 0)),  # what cannot be read has to be seen somewhere
        ({"parked": [*WELL.parked, {"subject": "trace:passed", "reason": "rejected"}]}, (0, 0, 1)),
    ],
)
def test_each_kind_of_difference(change: Mapping[str, Any], expected: tuple[int, int, int]) -> None:
    assert counts(audit(replace(WELL, **change))) == expected


def test_a_score_of_an_older_revision_is_wrong() -> None:
    edited = replace(WELL.tasks[0], annotations=(said(11, "pass", at=LATER),))
    assert counts(audit(replace(WELL, tasks=[edited, *WELL.tasks[1:]]))) == (0, 0, 1)


def task(wanted: int, *annotations: Said) -> Stands:
    return Stands(1, 1, "t", wanted, annotations)


@pytest.mark.parametrize(
    ("stands", "verdict"),
    [
        (task(1, said(1, "fail")), "fail"),
        (task(2, said(1, "fail")), None),  # the other could say pass
        (task(3, said(1, "fail"), said(2, "fail", by="ben")), "fail"),  # a third could not change it
        (task(2, said(1, "fail"), said(2, "pass", by="ben")), None),  # a tie
        (task(2, said(1, "fail"), said(2, None, by="ben", skipped=True)), "fail"),  # who skipped will not come back
        (task(1, said(1, None, skipped=True)), None),
        (task(1, said(1, "fail", at=LATER), said(2, "pass")), "fail"),  # one voice: what was said last
        (task(1, said(1, "pass"), said(2, "perhaps", at=LATER)), "pass"),  # what nobody can read says nothing
    ],
)
def test_what_most_people_said(stands: Stands, verdict: str | None) -> None:
    assert decided(stands) == verdict


def test_reasons_are_those_of_whoever_decided() -> None:
    # Of three who say fail, wrong is named twice, late and rude once: wrong by the majority, and no other as often.
    stands = task(
        3,
        said(1, "fail", "wrong", "late"),
        said(2, "fail", "wrong", by="ben"),
        said(3, "fail", "rude", by="carla"),
        said(4, "pass", by="dora"),
    )
    assert why_it_failed(stands, "fail") == ["wrong"]
    assert why_it_failed(task(1, said(1, "fail", "late", "rude")), "fail") == ["rude", "late"]
