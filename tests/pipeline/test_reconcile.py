"""Label Studio, the store and Langfuse against each other: whatever was changed behind goldloop's back is found."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from builders import QUEUE
from goldloop import ids
from goldloop.pipeline.reconcile import ReconcileSummary
from goldloop.records import State, Value
from pipeline.loop import ADA, BEN, CLEO, MINUTE, Loop

ROW = ids.eval_row_id(QUEUE, "t1", "1.0.0")


@pytest.fixture
def published(loop: Loop) -> Loop:
    """Two traces: t1 failed and is golden, t2 passed."""
    loop.queue("t1", "t2")
    for trace_id, verdict in (("t1", "fail"), ("t2", "pass")):
        for person in (ADA, BEN):
            loop.annotate(trace_id, verdict, person)
    loop.fetch_annotations()
    assert loop.state("t1") == loop.state("t2") == State.PUBLISHED
    return loop


def found(made: ReconcileSummary) -> dict[tuple[str, str], int]:
    return {(one.where, one.what): one.number for one in made.differences}


def mended(loop: Loop, expected: dict[tuple[str, str], int]) -> None:
    """A dry run finds this and changes nothing; a reconcile finds it too, and after it nothing differs."""
    before = (loop.shown(), loop.datasets.writes, len(loop.scores.sent), loop.state("t1"), loop.state("t2"))
    rehearsed = loop.rehearse_reconcile()
    assert found(rehearsed) == expected
    assert rehearsed.left == sum(expected.values())
    assert before == (loop.shown(), loop.datasets.writes, len(loop.scores.sent), loop.state("t1"), loop.state("t2"))
    made = loop.reconcile()
    assert (found(made), made.left) == (expected, 0)
    assert loop.reconcile().differences == []
    assert loop.state("t1") == loop.state("t2") == State.PUBLISHED


def test_nothing_differs_after_a_publish(published: Loop) -> None:
    made = published.reconcile()
    assert (made.tasks, made.scores, made.eval_rows, made.differing, made.left) == (2, 6, 1, 0, 0)
    assert made.published is not None
    assert made.published.sent == 0


def test_an_empty_store_has_nothing_to_compare(loop: Loop) -> None:
    assert loop.reconcile().differing == 0


def test_a_score_that_is_missing_is_sent_again(published: Loop) -> None:
    values = published.values()
    for score in published.shown("human"):
        published.scores.lose(score.score_id)
    mended(published, {("Langfuse", "scores that are missing"): 2})
    assert published.values() == values


@pytest.mark.parametrize("later", [-MINUTE, timedelta(0), MINUTE])
def test_a_score_that_differs_is_sent_again(published: Loop, later: timedelta) -> None:
    values = published.values()
    score = published.shown("human")[0]
    published.scores.write(score.model_copy(update={"value": "pass", "event_at": score.event_at + later}))
    mended(published, {("Langfuse", "scores that differ"): 1})
    assert published.values() == values


def test_a_score_without_a_mark_differs(published: Loop) -> None:
    score = published.shown("human")[0]
    published.scores.write(score.model_copy(update={"metadata": {}}))
    mended(published, {("Langfuse", "scores that differ"): 1})


def test_a_score_that_was_deleted_and_stands_is_deleted_again(published: Loop) -> None:
    one = published.annotate("t2", "fail", CLEO)
    published.fetch_annotations()
    (doomed,) = [one for one in published.shown("annotation_verdict") if one.metadata["annotator"] == CLEO]
    published.tasks.delete_annotation(one, at=published.clock() + MINUTE)
    published.clock.turn(2 * MINUTE)
    published.fetch_annotations()
    values = published.values()
    published.scores.write(doomed)
    mended(published, {("Langfuse", "scores that were deleted and stand"): 1})
    assert published.values() == values


def test_scores_that_the_store_does_not_know_are_told_and_left(published: Loop) -> None:
    ours = published.shown("human")[0]
    marks: list[Value] = [f"{QUEUE}@1.0.0", "another-queue@1.0.0"]
    for number, mark in enumerate(marks):
        change = {"score_id": f"stranger-{number}", "metadata": {"goldloop": mark}}
        published.scores.write(ours.model_copy(update=change))
    published.scores.write(ours.model_copy(update={"score_id": "stranger-2", "metadata": {}}))
    unknown = {("Langfuse", "scores that the store lacks"): 1}
    assert found(published.rehearse_reconcile()) == unknown
    made = published.reconcile()
    assert (found(made), made.left) == (unknown, 1)
    assert len(published.shown()) == 6 + 3


class TestEvalRows:
    def lines(self, loop: Loop) -> Path:
        return loop.file._path(QUEUE)

    def test_a_row_that_a_sink_lost_is_written_again(self, published: Loop) -> None:
        published.datasets.lose(QUEUE, ROW)
        mended(published, {("eval rows, fake dataset", "rows that are missing"): 1})
        assert published.gold() == {"t1"}

    def test_a_file_that_is_gone_is_written_again(self, published: Loop) -> None:
        before = self.lines(published).read_text(encoding="utf-8")
        self.lines(published).unlink()
        mended(published, {("eval rows, eval file", "rows that are missing"): 1})
        assert self.lines(published).read_text(encoding="utf-8") == before

    def test_a_row_with_other_labels_is_written_again(self, published: Loop) -> None:
        row = published.datasets.rows(QUEUE)[ROW]
        published.datasets.write(QUEUE, row.model_copy(update={"labels": {"verdict": "pass"}}))
        mended(published, {("eval rows, fake dataset", "rows that differ"): 1})
        assert published.datasets.rows(QUEUE)[ROW] == row

    def test_a_row_that_was_taken_out_and_stands_is_taken_out_again(self, published: Loop) -> None:
        row = published.datasets.rows(QUEUE)[ROW]
        for person in (ADA, BEN):
            for task in published.tasks._tasks.values():
                for one in task.annotations.values() if task.draft.trace_id == "t1" else []:
                    if one.annotator == person:
                        published.edit(one.annotation_id, "pass")
        published.fetch_annotations()
        assert published.gold() == set()
        published.datasets.write(QUEUE, row)
        mended(published, {("eval rows, fake dataset", "rows that were taken out and stand"): 1})
        assert published.gold() == set()

    def test_rows_of_other_hands_are_left_alone(self, published: Loop) -> None:
        row = published.datasets.rows(QUEUE)[ROW]
        published.datasets.write(QUEUE, row.model_copy(update={"row_id": "by-hand", "provenance": {}}))
        with self.lines(published).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"row_id": "by-hand", "input": "?", "labels": "none"}) + "\n")
        assert published.reconcile().differences == []
        assert "by-hand" in self.lines(published).read_text(encoding="utf-8")

    def test_rows_that_the_store_does_not_know_are_told_and_left(self, published: Loop) -> None:
        row = published.datasets.rows(QUEUE)[ROW]
        published.datasets.write(QUEUE, row.model_copy(update={"row_id": "of-a-newer-store"}))
        unknown = {("eval rows, fake dataset", "rows that the store lacks"): 1}
        assert found(published.rehearse_reconcile()) == unknown
        made = published.reconcile()
        assert (found(made), made.left) == (unknown, 1)
        assert "of-a-newer-store" in published.datasets.row_ids(QUEUE)


def test_what_polling_missed_is_found(published: Loop) -> None:
    """A change that shows an older time than what was polled since, as after a clock that was set back."""
    published.tasks.annotate(
        published.task_id("t2"), published.answer(verdict="fail"), annotator=CLEO, at=published.clock() - 30 * MINUTE
    )
    rehearsed = published.rehearse_reconcile()
    assert rehearsed.differences[0].where == "Label Studio"
    published.reconcile()
    assert ("t2", "annotation_verdict", "fail") in published.values()
    assert published.reconcile().differences == []


def test_what_is_on_its_way_or_parked_is_no_difference(published: Loop) -> None:
    published.scores.lag = timedelta(minutes=2)
    published.annotate("t2", "pass", CLEO)
    published.fetch_annotations()
    assert published.store.counts(QUEUE).scores_by_state["sent"] == 2
    assert published.rehearse_reconcile().differences == []
    published.clock.turn(2 * MINUTE)
    made = published.reconcile()
    assert (made.differences, made.published is not None and made.published.confirmed) == ([], 2)
