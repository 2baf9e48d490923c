"""Draws, imports and tasks."""

import pytest

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    TODAY,
    annotation,
    candidate,
    draw,
    draw_run,
    have_drawn,
    have_queued,
    state_of,
    task,
)
from goldloop.adapters.store import SqlStore
from goldloop.errors import RejectedError, RetryableError
from goldloop.ports import TraceResolution
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]


def test_draws_come_in_the_annotators_order(store: SqlStore) -> None:
    run = draw_run(seed=2**90)
    draws = [draw("b", run, priority=1), draw("a", run, priority=1), draw("c", run, priority=0, pi=1 / 3)]
    store.save_draw(run, draws)
    assert store.draws(QUEUE, State.DRAWN) == [draws[2], draws[1], draws[0]]
    assert store.draws(QUEUE, State.QUEUED) == []
    assert store.draws("another-queue", State.DRAWN) == []
    assert store.draw(QUEUE, "c") == draws[2]


def test_a_trace_that_was_never_drawn_is_an_error(store: SqlStore) -> None:
    with pytest.raises(RejectedError, match="never drew trace t1"):
        store.draw(QUEUE, "t1")


def test_a_draw_is_saved_whole_or_not_at_all(store: SqlStore) -> None:
    have_drawn(store, "t1")
    second = draw_run(drawn_at=NOON + MINUTE)
    with pytest.raises(RetryableError, match="draw again"):
        store.save_draw(second, [draw("t2", second), draw("t1", second)])
    assert store.drawn_since(QUEUE, TODAY.start) == 1
    store.save_draw(second, [draw("t2", second)])
    assert store.drawn_since(QUEUE, TODAY.start) == 2
    assert store.drawn_since(QUEUE, NOON + MINUTE) == 1
    assert store.drawn_since("another-queue", TODAY.start) == 0


def test_two_queues_may_draw_the_same_trace(store: SqlStore) -> None:
    have_drawn(store, "t1")
    other = draw_run("another-queue")
    store.save_draw(other, [draw("t1", other)])
    assert store.draw("another-queue", "t1").queue == "another-queue"


def test_a_draw_of_nothing_is_remembered(store: SqlStore) -> None:
    store.save_candidates([candidate()], NOON)
    store.save_draw(draw_run(), [])
    assert store.drawn_since(QUEUE, TODAY.start) == 0
    assert len(store.frame(QUEUE, TODAY)) == 1


def test_an_import_that_was_begun_is_looked_up_first(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2", "t3")
    assert store.imports_begun(QUEUE, ["t1", "t2"]) == {}
    store.begin_import(QUEUE, ["t1", "t2"], NOON)
    assert store.imports_begun(QUEUE, ["t2", "t3"]) == {"t2": NOON}
    store.begin_import(QUEUE, ["t2", "t3"], NOON + MINUTE)
    assert store.imports_begun(QUEUE, ["t1", "t2", "t3"]) == {"t1": NOON, "t2": NOON + MINUTE, "t3": NOON + MINUTE}


def test_saved_tasks_queue_their_traces(store: SqlStore) -> None:
    have_drawn(store, "t1", "t2")
    store.save_tasks([task("t1", 11)], NOON)
    assert (state_of(store, "t1"), state_of(store, "t2")) == (State.QUEUED, State.DRAWN)
    assert store.task(1, 11) == task("t1", 11)
    assert store.task(2, 11) is None
    assert store.task_ids(1) == {11}
    assert store.counts(QUEUE).oldest_open == NOON


def test_saving_a_task_again_leaves_its_trace_alone(store: SqlStore) -> None:
    have_queued(store, "t1")
    store.save_resolutions(
        QUEUE, [TraceResolution("t1", state=State.ANNOTATED, answers=[], scores=[], eval_row=None)], NOON
    )
    store.save_tasks([task("t1")], NOON + MINUTE)
    assert state_of(store) == State.ANNOTATED
    assert store.counts(QUEUE).oldest_open == NOON


def test_a_task_of_an_undrawn_trace_is_refused(store: SqlStore) -> None:
    with pytest.raises(RejectedError, match="cannot hold this record"):
        store.save_tasks([task("t1")], NOON)
    assert store.task_ids(1) == set()


def test_deleted_tasks_take_their_annotations_with_them(store: SqlStore) -> None:
    have_queued(store, "t1", "t2", "t3")
    store.save_annotations([annotation(1, "t1", task_id=1), annotation(2, "t3", task_id=3)], NOON)
    assert sorted(store.mark_tasks_deleted(1, [1, 2], NOON + MINUTE)) == ["t1", "t2"]
    assert store.task_ids(1) == {3}
    assert [one.deleted for one in store.annotations(QUEUE, "t1")] == [True]
    assert [one.deleted for one in store.annotations(QUEUE, "t3")] == [False]
    assert store.due_for_resolve(QUEUE) == ["t1", "t2", "t3"]
    assert store.mark_tasks_deleted(1, [1, 2], NOON + MINUTE) == []
    assert store.mark_tasks_deleted(7, [3], NOON + MINUTE) == []


def test_thousands_of_ids_fit(store: SqlStore) -> None:
    traces = [f"t{number:05d}" for number in range(2500)]
    have_queued(store, *traces)
    assert len(store.draws(QUEUE, State.QUEUED)) == 2500
    store.begin_import(QUEUE, traces, NOON)
    assert store.imports_begun(QUEUE, traces) == dict.fromkeys(traces, NOON)
    assert len(store.mark_tasks_deleted(1, list(range(1, 2501)), NOON)) == 2500
    assert len(store.due_for_resolve(QUEUE)) == 2500
