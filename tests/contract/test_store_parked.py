"""What is parked and goes back, and the report's numbers."""

import pytest

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    annotation,
    draw,
    draw_run,
    eval_due,
    have_drawn,
    have_queued,
    parked,
    prediction,
    resolve,
    score,
    state_of,
    task,
)
from goldloop.adapters.store import SqlStore
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]


def test_parked_things_come_oldest_first(store: SqlStore) -> None:
    first, second = parked("trace:t1"), parked("annotation:a1", parked_at=NOON + MINUTE)
    other = parked("trace:t9", queue="-", trace_id=None, parked_at=NOON + 2 * MINUTE)
    for one in (other, second, first):
        store.park(one)
    assert store.parked() == [first, second, other]
    assert store.parked(QUEUE) == [first, second]
    assert store.parked("nothing") == []


def test_parking_again_counts_the_attempts_and_keeps_the_newest_reason(store: SqlStore) -> None:
    store.park(parked())
    store.park(parked(reason="no output", parked_at=NOON + MINUTE))
    assert store.unpark([parked().parked_id]) == 1
    assert store.parked() == []
    store.park(parked(parked_at=NOON + 2 * MINUTE))
    assert store.parked() == [parked(parked_at=NOON + 2 * MINUTE, attempts=3)]


def test_a_detail_may_hold_anything(store: SqlStore) -> None:
    store.park(parked(detail="a\0b\ud800c" + "x" * 1000, reason="odd\0"))
    (found,) = store.parked()
    assert found.detail == "abc" + "x" * 495
    assert found.reason == "odd"


@pytest.mark.parametrize("state", [State.DRAWN, State.QUEUED, State.ANNOTATED, State.RESOLVED, State.PUBLISHED])
def test_a_trace_goes_back_to_its_state(store: SqlStore, state: State) -> None:
    have_drawn(store, "t1")
    if state != State.DRAWN:
        store.save_tasks([task()], NOON)
    if state in {State.ANNOTATED, State.RESOLVED}:
        resolve(store, state=state)
    if state == State.PUBLISHED:
        resolve(store)
        store.mark_published(QUEUE)
    assert state_of(store) == state
    store.park(parked())
    store.park(parked())
    assert state_of(store) == State.PARKED
    assert store.unpark([parked().parked_id, "unknown"]) == 1
    assert state_of(store) == state
    assert store.unpark([parked().parked_id]) == 0


def test_only_the_parked_trace_of_the_queue_is_parked(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2")
    other = draw_run("another-queue")
    store.save_draw(other, [draw("t1", other)])
    store.park(parked())
    assert (state_of(store, "t1"), state_of(store, "t2")) == (State.PARKED, State.DRAWN)
    assert store.counts("another-queue").by_state == {"drawn": 1}


def test_a_trace_that_two_verbs_parked_waits_for_both(store: SqlStore) -> None:
    have_drawn(store, "t1")
    by_enqueue, by_gather = parked(verb="enqueue"), parked(verb="gather")
    store.park(by_enqueue)
    store.park(by_gather)
    assert store.unpark([by_enqueue.parked_id]) == 1
    assert state_of(store) == State.PARKED
    assert store.unpark([by_gather.parked_id]) == 1
    assert state_of(store) == State.DRAWN


def test_a_parked_draw_is_not_queued(store: SqlStore) -> None:
    have_drawn(store, "t1")
    store.park(parked())
    store.save_tasks([task()], NOON)
    assert state_of(store) == State.PARKED


def test_an_annotation_has_no_state_to_turn(store: SqlStore) -> None:
    have_queued(store, "t1")
    aside = parked("annotation:1/2/3")
    store.park(aside)
    assert state_of(store) == State.QUEUED
    assert store.unpark([aside.parked_id]) == 1
    assert store.parked() == []


@pytest.mark.parametrize("sent", [False, True])
def test_a_parked_score_is_tried_again_once_unparked(store: SqlStore, *, sent: bool) -> None:
    have_queued(store, "t1")
    resolve(store, score())
    if sent:
        store.mark_scores_sent(["s1"], NOON)
    aside = parked("score:s1")
    store.park(aside)
    assert store.due_scores(QUEUE, 10) == []
    assert store.unconfirmed_scores(QUEUE) == []
    assert store.score_ids(QUEUE) == []
    assert store.mark_published(QUEUE) == 0
    assert resolve(store, score()) == 0
    store.unpark([aside.parked_id])
    assert store.due_scores(QUEUE, 10) == [score()]


def test_a_parked_deletion_is_tried_again_as_one(store: SqlStore) -> None:
    have_queued(store, "t1")
    resolve(store, score())
    store.due_scores(QUEUE, 10)
    resolve(store)
    aside = parked("score:s1")
    store.park(aside)
    assert store.due_deletions(QUEUE) == []
    assert resolve(store) == 0
    store.unpark([aside.parked_id])
    assert store.due_deletions(QUEUE) == ["s1"]


def test_a_revision_frees_a_parked_score(store: SqlStore) -> None:
    have_queued(store, "t1")
    resolve(store, score())
    store.park(parked("score:s1"))
    assert resolve(store, score(value="pass")) == 1
    assert [due.value for due in store.due_scores(QUEUE, 10)] == ["pass"]
    assert store.parked() == []


def test_a_parked_score_that_vanishes_is_parked_no_more(store: SqlStore) -> None:
    have_queued(store, "t1")
    resolve(store, score("s1"), score("s2"))
    store.park(parked("score:s1"))
    store.due_scores(QUEUE, 10)
    store.park(parked("score:s2"))
    assert resolve(store) == 2
    assert store.parked() == []
    assert store.due_deletions(QUEUE) == ["s2"]


@pytest.mark.parametrize("done", [False, True])
def test_a_parked_eval_row_is_tried_again_once_unparked(store: SqlStore, *, done: bool) -> None:
    have_queued(store, "t1")
    resolve(store, eval_row=eval_due())
    if done:
        store.mark_eval_rows_done(["e1"])
    aside = parked("eval-row:e1")
    store.park(aside)
    assert store.due_eval_rows(QUEUE, 10) == []
    assert store.mark_published(QUEUE) == 0
    store.unpark([aside.parked_id])
    assert store.due_eval_rows(QUEUE, 10) == [eval_due()]


def test_counts_of_an_unknown_queue_are_zero(store: SqlStore) -> None:
    counts = store.counts(QUEUE)
    assert (counts.by_state, counts.by_policy, counts.oldest_open, counts.annotations) == ({}, {}, None, 0)


def test_counts_show_the_queue_and_no_other(store: SqlStore) -> None:
    run = draw_run()
    store.save_draw(
        run,
        [
            draw("t1", run),
            draw("t2", run, policy="stratified"),
            draw("t3", run, policy="stratified"),
            draw("t4", run, policy="stratified"),
        ],
    )
    other = draw_run("another-queue")
    store.save_draw(other, [draw("t1", other)])
    others = [prediction("t1", judge_version="2"), prediction("never-drawn")]
    store.save_predictions([prediction("t1"), prediction("t2"), *others])
    store.save_tasks([task("t1", 1)], NOON)
    store.save_tasks([task("t2", 2)], NOON + MINUTE)
    store.save_annotations(
        [
            annotation(1),
            annotation(2, "t2", task_id=2),
            annotation(3, "t2", task_id=2, skipped=True, answers={}),
            annotation(4, "t2", task_id=2, deleted=True),
        ],
        NOON,
    )
    resolve(store, score("s1"), score("s2"), eval_row=eval_due())
    store.mark_scores_sent(["s1"], NOON)
    store.mark_eval_rows_done(["e1"])
    store.park(parked("trace:t4", trace_id="t4"))
    counts = store.counts(QUEUE)
    assert counts.by_state == {"drawn": 1, "parked": 1, "queued": 1, "resolved": 1}
    assert counts.by_policy == {"random": {"resolved": 1}, "stratified": {"drawn": 1, "parked": 1, "queued": 1}}
    assert counts.parked_by_reason == {"trace is gone": 1}
    assert counts.scores_by_state == {"due": 1, "sent": 1}
    assert counts.eval_rows == 1
    assert counts.oldest_open == NOON + MINUTE
    assert (counts.annotations, counts.skips, counts.predictions) == (2, 1, 2)
