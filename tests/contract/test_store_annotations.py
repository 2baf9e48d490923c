"""Annotations: what they say now, and what they ever said."""

import pytest

from contract.store_samples import MINUTE, NOON, QUEUE, annotation, have_queued, parked, resolve, score, state_of
from goldloop.adapters.store import SqlStore
from goldloop.adapters.store.tables import annotation_history
from goldloop.errors import RejectedError
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]


@pytest.fixture
def queued(store: SqlStore) -> SqlStore:
    """A store with one trace, t1, that waits for its annotations."""
    have_queued(store, "t1")
    return store


def history(store: SqlStore) -> list[tuple[dict[str, str], bool]]:
    with store._db.read() as connection:
        query = annotation_history.select().order_by(annotation_history.c.id)
        return [(row["answers"], row["deleted"]) for row in connection.execute(query).mappings()]


def settle(store: SqlStore) -> None:
    """Resolve nothing new: the trace is no longer due."""
    store.save_resolution(QUEUE, "t1", state=State.ANNOTATED, answers=[], scores=[], eval_row=None, at=NOON)


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


def test_an_older_version_never_wins(queued: SqlStore) -> None:
    edit = annotation(minutes=1, answers={"verdict": "pass"})
    queued.save_annotations([edit, annotation()], NOON)
    settle(queued)
    queued.save_annotations([annotation()], NOON)
    assert queued.annotations(QUEUE, "t1") == [edit]
    assert queued.due_for_resolve(QUEUE) == []
    assert len(history(queued)) == 1


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
