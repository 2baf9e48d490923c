"""Gather where versions share a project, where two answers are compared, and where a trace was skipped."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from builders import QUEUE, codebook
from goldloop.codebook.controls import swapped
from goldloop.codebook.result import to_result, to_skip_result
from goldloop.codebook.schema import Codebook, SkipReason
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import park
from goldloop.records import State
from pipeline.loop import ADA, BEN, MINUTE, Loop

ONE = codebook(annotations_per_trace=1).model_copy(
    update={"skip_reasons": (SkipReason(name="language", text="I can't read its language"),)}
)


def asking_more(version: str = "1.1.0") -> Codebook:
    """A question more, which has to be answered."""
    labels = [{"name": name, "text": name, "definition": f"It is {name}."} for name in ("curt", "kind")]
    more = {"name": "manner", "kind": "choice", "text": "How does it sound?", "labels": labels, "required": True}
    content = ONE.model_dump(mode="json")
    return Codebook.model_validate(content | {"version": version, "questions": [*content["questions"], more]})


@pytest.fixture
def loop(tmp_path: Path, template: Path) -> Iterator[Loop]:
    with Loop(tmp_path, template, None) as loop:
        loop.publish_codebook(ONE)
        loop.queue("t1", "t2", "t3")
        yield loop


def read(loop: Loop, trace_id: str) -> list[tuple[str, dict[str, object]]]:
    return [(one.codebook_version, dict(one.answers)) for one in loop.store.annotations(QUEUE, trace_id)]


class TestSharedProject:
    def test_an_annotation_is_read_by_the_newest_version_that_it_satisfies(self, loop: Loop) -> None:
        loop.annotate("t1", "pass")
        loop.publish_codebook(asking_more())
        loop.annotate("t2", "pass", manner="kind")
        assert loop.gather().parked == 0
        assert read(loop, "t1") == [("1.0.0", {"verdict": "pass"})]
        assert read(loop, "t2") == [("1.1.0", {"verdict": "pass", "manner": "kind"})]
        loop.resolve()
        assert {one.question: one.codebook_version for one in loop.store.answers(QUEUE, "t2")} == {
            "verdict": "1.0.0",
            "manner": "1.1.0",
        }

    def test_what_was_read_already_stays_as_it_was_read(self, loop: Loop) -> None:
        loop.annotate("t1", "fail", error_type=["tone"])
        loop.gather()
        loop.resolve()
        content = ONE.model_dump(mode="json") | {"version": "1.0.1", "title": "Quality"}
        loop.publish_codebook(Codebook.model_validate(content))
        made = loop.gather()  # within the overlap: the task is read again
        assert (made.tasks_changed > 0, made.annotations) == (True, 0)
        assert loop.resolve().traces == 0
        (one,) = loop.store.annotations(QUEUE, "t1")
        loop.edit(one.annotation_id, "pass")
        loop.gather()
        assert [version for version, _ in read(loop, "t1")] == ["1.0.1"]

    def test_what_none_can_read_is_parked_for_the_newests_reason(self, loop: Loop) -> None:
        loop.publish_codebook(asking_more())
        loop.annotate("t1", "maybe", manner="kind")
        loop.gather()
        (row,) = [row for row in loop.store.parked() if row.subject.startswith("annotation:")]
        assert row.reason == "unknown_choice"
        assert "verdict" in row.detail


def test_why_a_trace_was_skipped_is_kept_and_counted(loop: Loop) -> None:
    for trace_id, result in (("t1", to_skip_result(ONE, "language")), ("t2", []), ("t3", to_skip_result(ONE, "mood"))):
        loop.clock.turn(MINUTE)
        loop.tasks.annotate(loop.task_id(trace_id), result, skipped=True, at=loop.clock())
    loop.gather()
    assert [one.skip_reason for trace in ("t1", "t2", "t3") for one in loop.store.annotations(QUEUE, trace)] == [
        "language",
        None,
        None,
    ]
    assert loop.store.counts(QUEUE).skips_by_reason == {"language": 1, "no reason given": 2}


def test_what_the_sampler_set_aside_comes_back_when_somebody_judged_it(loop: Loop) -> None:
    error = RejectedError("goldloop", "it is too old", reason="expired")
    park(loop.store, "draw", "trace:t1", error, loop.clock(), queue=QUEUE, trace_id="t1")
    assert loop.state("t1") == State.PARKED
    loop.annotate("t1", "pass", by=ADA)
    loop.fetch_annotations()
    assert (loop.state("t1"), loop.parked()) == (State.PUBLISHED, {})
    assert loop.values("human") == [("t1", "human_verdict", "pass")]


PAIR = Codebook.model_validate(
    {
        "name": QUEUE,
        "version": "1.0.0",
        "title": "Which is better",
        "owner": "Ada",
        "purpose": "Which of two answers would you send?",
        "questions": [
            {
                "name": "better",
                "kind": "pairwise",
                "text": "Which is better?",
                "failure": ["alternative"],
                "required": True,
                "labels": [
                    {"name": "output", "text": "A is better", "definition": "The one on the left is."},
                    {"name": "alternative", "text": "B is better", "definition": "The one on the right is."},
                ],
            }
        ],
        "queue": {"budget": 20, "mix": {"random": 1.0}},
        "langfuse": {"dataset": "pairs"},
    }
)


def test_a_preference_is_for_an_answer_and_not_for_a_side(tmp_path: Path, template: Path) -> None:
    with Loop(tmp_path, template, None) as loop:
        loop.publish_codebook(PAIR)
        traces = [f"t{number}" for number in range(6)]
        assert len({swapped(QUEUE, trace_id) for trace_id in traces}) == 2
        loop.queue(*traces, alternative="Ask in the shop.")
        for trace_id in traces:  # everyone takes the right one
            shown = loop.tasks._tasks[loop.task_id(trace_id)].draft.data
            preferred = "output" if swapped(QUEUE, trace_id) else "alternative"
            assert (shown["other"] == "Ask in the shop.") == (preferred == "alternative")
            result = to_result(PAIR, {"better": preferred}, swap=swapped(QUEUE, trace_id))
            assert result[0]["value"] == {"choices": ["b"]}
            loop.clock.turn(MINUTE)
            loop.tasks.annotate(loop.task_id(trace_id), result, annotator=BEN, at=loop.clock())
        loop.fetch_annotations()
        assert {trace_id: value for trace_id, _, value in loop.values("human_better")} == {
            trace_id: "output" if swapped(QUEUE, trace_id) else "alternative" for trace_id in traces
        }
        rows = {row.trace_id: row for row in loop.datasets.rows("pairs").values()}
        assert rows.keys() == {trace_id for trace_id in traces if not swapped(QUEUE, trace_id)}
        for row in rows.values():
            assert (row.dataset, row.expected_output) == ("pairs", "Ask in the shop.")
            assert row.output == "Returns are accepted within 30 days."
        assert loop.file.row_ids(QUEUE) == {row.row_id for row in rows.values()}, "the file has the queue's name"
