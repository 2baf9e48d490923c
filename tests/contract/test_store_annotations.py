"""Annotations: what they say now, and what they ever said."""

import pytest

from contract.store_samples import MINUTE, NOON, QUEUE, annotation, have_queued, parked, resolve, score, state_of
from goldloop.adapters.store import SqlStore
from goldloop.adapters.store.tables import annotation_history
from goldloop.errors import RejectedError
from goldloop.ports import TraceResolution
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]


@pytest.fixture
def queued(store: SqlStore) -> SqlStore:
    """A store with one trace, t1, that waits for its annotations."""
    have_queued(store, "t1")
    return store


def remembered(store: SqlStore) -> list[dict[str, object]]:
    with store._db.read() as connection:
        query = annotation_history.select().order_by(annotation_history.c.id)
        return [dict(row) for row in connection.execute(query).mappings()]


def history(store: SqlStore) -> list[tuple[object, object]]:
    return [(row["answers"], row["deleted"]) for row in remembered(store)]


def settle(store: SqlStore) -> None:
    """Resolve nothing new: the trace is no longer due."""
    store.save_resolutions(
        QUEUE, [TraceResolution("t1", state=State.ANNOTATED, answers=[], scores=[], eval_row=None)], NOON
    )


def test_annotations_come_back_in_the_order_of_their_creation(queued: SqlStore) -> None:
    second = annotation(2, created_at=NOON + MINUTE, updated_at=NOON + MINUTE, skipped=True, answers={})
    first = annotation(1, answers={"verdict": "fail", "types": ["a", "b"], "score": 0.5}, lead_time_s=12.5)
    queued.save_annotations([second, first], NOON)
    assert queued.annotations(QUEUE, "t1") == [first, second]
    assert queued.due_for_resolve(QUEUE) == ["t1"]


def test_an_annotation_that_did_not_change_changes_nothing(queued: SqlStore) -> None:
    queued.save_annotations([annotation()], NOON)
    settle(queued)
    queued.save_annotations([annotation(), annotation()], NOON + MINUTE)
    assert queued.due_for_resolve(QUEUE) == []
    assert len(history(queued)) == 1


def test_an_edit_is_kept_beside_what_was_said_before(queued: SqlStore) -> None:
    queued.save_annotations([annotation()], NOON)
    settle(queued)
    edit = annotation(minutes=1, answers={"verdict": "pass"})
    queued.save_annotations([edit], NOON)
    assert queued.annotations(QUEUE, "t1") == [edit]
    assert queued.due_for_resolve(QUEUE) == ["t1"]
    assert history(queued) == [({"verdict": "fail"}, False), ({"verdict": "pass"}, False)]


def test_what_is_said_last_counts_however_old(queued: SqlStore) -> None:
    """Of two edits at once, the one with the earlier time may be committed last, and stands."""
    edit = annotation(minutes=1, answers={"verdict": "pass"})
    queued.save_annotations([edit], NOON)
    settle(queued)
    queued.save_annotations([annotation()], NOON)
    assert queued.annotations(QUEUE, "t1") == [annotation()]
    assert queued.due_for_resolve(QUEUE) == ["t1"]
    assert len(history(queued)) == 2


def test_a_deletion_counts_though_it_moves_no_time(queued: SqlStore) -> None:
    queued.save_annotations([annotation(minutes=1)], NOON)
    settle(queued)
    gone = annotation(deleted=True)
    queued.save_annotations([gone], NOON)
    assert queued.annotations(QUEUE, "t1") == [gone]
    assert queued.due_for_resolve(QUEUE) == ["t1"]
    assert [deleted for _, deleted in history(queued)] == [False, True]


def test_annotations_of_a_parked_trace_are_saved_and_resolved(queued: SqlStore) -> None:
    queued.park(parked())
    queued.save_annotations([annotation()], NOON)
    assert queued.annotations(QUEUE, "t1") == [annotation()]
    assert queued.due_for_resolve(QUEUE) == ["t1"]
    assert resolve(queued, score()) == 1
    assert state_of(queued) == State.PARKED
    queued.unpark([parked().parked_id])
    assert state_of(queued) == State.RESOLVED


def test_an_annotation_of_an_undrawn_trace_is_refused_with_its_batch(queued: SqlStore) -> None:
    with pytest.raises(RejectedError, match="cannot hold this record"):
        queued.save_annotations([annotation(1), annotation(2, "never-drawn")], NOON)
    assert queued.annotations(QUEUE, "t1") == []


def test_history_tells_who_said_what_and_when_and_is_only_added_to(queued: SqlStore) -> None:
    """Each change is one row more, and none of the rows before it is another than it was."""
    said = [
        annotation(),
        annotation(minutes=1, answers={"verdict": "pass"}, edited_by="bo"),
        annotation(minutes=2, answers={"verdict": "pass"}, annotator="cy", ground_truth=True),
        annotation(minutes=2, answers={"verdict": "pass"}, annotator="cy", ground_truth=True, deleted=True),
    ]
    before: list[dict[str, object]] = []
    for minute, one in enumerate(said):
        queued.save_annotations([one], NOON + minute * MINUTE)
        now = remembered(queued)
        assert now[:-1] == before
        assert {name: now[-1][name] for name in ("annotator", "edited_by", "ground_truth", "deleted")} == {
            "annotator": one.annotator,
            "edited_by": one.edited_by,
            "ground_truth": one.ground_truth,
            "deleted": one.deleted,
        }
        assert (now[-1]["updated_at"], now[-1]["seen_at"]) == (one.updated_at, NOON + minute * MINUTE)
        before = now


def test_those_that_stand_come_by_task(queued: SqlStore) -> None:
    one, two = annotation(1), annotation(2, created_at=NOON + MINUTE)
    gone = annotation(3, deleted=True)
    queued.save_annotations([two, one, gone], NOON)
    assert queued.annotations_of(one.project_id, [one.task_id, 99_999]) == {one.task_id: [one, two]}
    assert queued.annotations_of(one.project_id + 1, [one.task_id]) == {}
    assert queued.annotations_of(one.project_id, []) == {}


def test_one_that_is_moved_to_another_task_leaves_its_trace_due(store: SqlStore) -> None:
    have_queued(store, "t1", "t2")
    store.save_annotations([annotation()], NOON)
    settle(store)
    moved = annotation(minutes=1).model_copy(update={"trace_id": "t2", "task_id": 2})
    store.save_annotations([moved], NOON)
    assert store.due_for_resolve(QUEUE) == ["t1", "t2"]
    assert (store.annotations(QUEUE, "t1"), store.annotations(QUEUE, "t2")) == ([], [moved])


def test_tasks_come_many_at_once(queued: SqlStore) -> None:
    (task_id,) = queued.task_ids(1)
    known = queued.task(1, task_id)
    assert known is not None
    assert queued.tasks_of(1, [task_id, 99_999]) == {task_id: known}
    queued.mark_tasks_deleted(1, [task_id], NOON)
    assert queued.tasks_of(1, [task_id]) == {task_id: known}, "also one that was deleted since"
    assert queued.tasks_of(2, [task_id]) == {}


def test_tasks_are_counted_while_they_stand(store: SqlStore) -> None:
    have_queued(store, "t1", "t2")
    assert (store.task_count(1), store.task_count(2)) == (2, 0)
    store.mark_tasks_deleted(1, [1], NOON)
    assert store.task_count(1) == len(store.task_ids(1)) == 1
