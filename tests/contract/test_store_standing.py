"""What should stand, page by page, and made due again."""

from datetime import timedelta

import pytest

from contract.store_samples import MINUTE, NOON, QUEUE, answer, eval_due, have_queued, resolve, score, state_of
from goldloop.adapters.store import SqlStore
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]

TICK = timedelta(milliseconds=1)


@pytest.fixture
def delivered(store: SqlStore) -> SqlStore:
    """Trace t1 is published: s1 and s2 stand, s3 was deleted, the row e1 is written."""
    have_queued(store, "t1")
    row = eval_due()
    resolve(store, score("s1"), score("s2"), score("s3"), eval_row=row)
    send(store)
    resolve(store, score("s1"), score("s2"), eval_row=row)
    assert store.due_deletions(QUEUE) == ["s3"]
    store.mark_scores_deleted(["s3"], NOON + MINUTE)
    store.mark_eval_rows_done([due.row_id for due in store.due_eval_rows(QUEUE, 10)])
    assert store.mark_published(QUEUE) == 1
    return store


def send(store: SqlStore) -> list[str]:
    sent = [due.score_id for due in store.due_scores(QUEUE, 100)]
    store.mark_scores_sent(sent, NOON)
    store.mark_scores_confirmed(sent)
    return sent


def test_settled_scores_come_page_by_page(delivered: SqlStore) -> None:
    assert [(one.score_id, stands) for one, stands in delivered.settled_scores(QUEUE, "", 2)] == [
        ("s1", True),
        ("s2", True),
    ]
    assert delivered.settled_scores(QUEUE, "s2", 2) == [(score("s3"), False)]
    assert delivered.settled_scores(QUEUE, "s3", 2) == []
    assert delivered.settled_scores("another", "", 2) == []


def test_what_is_sent_again_is_a_later_revision(delivered: SqlStore) -> None:
    delivered.send_again({"s1": NOON - MINUTE, "s2": NOON + MINUTE, "s3": NOON, "unknown": NOON})
    assert delivered.due_scores(QUEUE, 10) == [
        score("s1", event_at=NOON + TICK),
        score("s2", event_at=NOON + MINUTE + TICK),
    ]
    assert (state_of(delivered), delivered.due_deletions(QUEUE)) == (State.RESOLVED, [])
    assert send(delivered) == ["s1", "s2"]
    assert delivered.mark_published(QUEUE) == 1
    delivered.send_again({})
    assert state_of(delivered) == State.PUBLISHED


def test_a_next_resolution_is_later_than_what_was_sent_again(delivered: SqlStore) -> None:
    delivered.send_again({"s1": NOON + MINUTE})
    send(delivered)
    resolve(delivered, score("s1", value="pass"), score("s2"), eval_row=eval_due())
    (due,) = delivered.due_scores(QUEUE, 10)
    assert due.event_at == NOON + MINUTE + 2 * TICK


def test_what_is_deleted_again_waits_to_be_seen_gone(delivered: SqlStore) -> None:
    delivered.delete_again(["s1", "s3", "unknown"])
    assert (delivered.due_deletions(QUEUE), state_of(delivered)) == (["s3"], State.RESOLVED)
    assert delivered.mark_published(QUEUE) == 0
    delivered.mark_scores_deleted(["s3"], NOON + 2 * MINUTE)
    assert delivered.mark_published(QUEUE) == 1


def test_deletions_are_remembered_by_when_they_were_seen(delivered: SqlStore) -> None:
    assert delivered.deleted_since(QUEUE, NOON + MINUTE) == ["s3"]
    assert delivered.deleted_since(QUEUE, NOON + MINUTE + TICK) == []
    assert delivered.deleted_since("another", NOON) == []


def test_known_are_those_of_every_queue_in_whatever_state(delivered: SqlStore) -> None:
    assert delivered.known_scores(["s1", "s3", "unknown"]) == {"s1", "s3"}
    assert delivered.known_eval_rows(["e1", "unknown"]) == {"e1"}
    assert (delivered.known_scores([]), delivered.known_eval_rows([])) == (set(), set())


def test_eval_rows_are_settled_once_written_or_taken_out(delivered: SqlStore) -> None:
    assert delivered.settled_eval_rows(QUEUE) == [eval_due(tried=True)]
    delivered.write_eval_rows_again(["e1", "unknown"])
    assert (delivered.settled_eval_rows(QUEUE), state_of(delivered)) == ([], State.RESOLVED)
    assert [due.remove for due in delivered.due_eval_rows(QUEUE, 10)] == [False]
    delivered.mark_eval_rows_done(["e1"])
    resolve(delivered, score("s1"), score("s2"))
    delivered.mark_eval_rows_done([due.row_id for due in delivered.due_eval_rows(QUEUE, 10)])
    assert delivered.settled_eval_rows(QUEUE) == [eval_due(remove=True, tried=True)]
    delivered.write_eval_rows_again(["e1"])
    assert [due.remove for due in delivered.due_eval_rows(QUEUE, 10)] == [True]
    assert delivered.counts(QUEUE).eval_rows_waiting == 1


def test_answers_of_many_traces_come_by_trace(store: SqlStore) -> None:
    have_queued(store, "t1", "t2")
    resolve(store)
    assert store.answers_of(QUEUE, ["t1", "t2"]) == {"t1": [answer()]}
    assert store.answers_of(QUEUE, []) == {}


def test_due_scores_go_on_after_one(store: SqlStore) -> None:
    have_queued(store, "t1")
    resolve(store, score("s3"), score("s2", minutes=-1), score("s1"))
    first, second, third = store.due_scores(QUEUE, 10)
    assert [one.score_id for one in (first, second, third)] == ["s2", "s1", "s3"]
    assert store.due_scores(QUEUE, 1, first) == [second]
    assert store.due_scores(QUEUE, 10, second) == [third]
    assert store.due_scores(QUEUE, 10, third) == []


def test_any_number_of_scores_are_marked_at_once(store: SqlStore) -> None:
    """More than either database takes as parameters of one statement."""
    have_queued(store, "t1")
    resolve(store, score("s1"), score("s2"))
    store.mark_scores_sent([*(f"other-{number}" for number in range(70_000)), "s2"], NOON)
    assert [one.score_id for one, _ in store.unconfirmed_scores(QUEUE)] == ["s2"]
    store.mark_scores_confirmed([])
    store.mark_scores_confirmed(["s1", "s2"])
    assert store.counts(QUEUE).scores_by_state == {"due": 1, "confirmed": 1}
