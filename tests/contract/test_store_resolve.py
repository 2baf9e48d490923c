"""Resolutions and the two outboxes."""

from datetime import timedelta
from typing import Any

import pytest

from contract.store_samples import (
    MINUTE,
    NOON,
    QUEUE,
    annotation,
    answer,
    eval_due,
    have_drawn,
    have_queued,
    resolve,
    score,
    state_of,
)
from goldloop.adapters.store import SqlStore
from goldloop.records import ScoreType, State

pytest_plugins = ["contract.store_fixtures"]

_TICK = timedelta(milliseconds=1)


@pytest.fixture
def queued(store: SqlStore) -> SqlStore:
    """A store with one trace, t1, that waits for its annotations."""
    have_queued(store, "t1")
    return store


def send(store: SqlStore) -> list[str]:
    sent = [due.score_id for due in store.due_scores(QUEUE, 100)]
    store.mark_scores_sent(sent, NOON)
    return sent


def publish(store: SqlStore) -> int:
    """Everything that is due arrives."""
    store.mark_scores_confirmed(send(store))
    store.mark_scores_deleted(store.due_deletions(QUEUE), NOON)
    store.mark_eval_rows_done([due.row_id for due in store.due_eval_rows(QUEUE, 100)])
    return store.mark_published(QUEUE)


# --- resolutions


def test_a_resolution_replaces_the_answers_and_sets_the_state(queued: SqlStore) -> None:
    queued.save_annotations([annotation()], NOON)
    note = answer("wrong\0 \ud800", question="note")
    resolve(queued, answers=[answer("fail", failure=True), note, answer(["a", "b"], question="types")])
    assert queued.answers(QUEUE, "t1") == [note, answer(["a", "b"], question="types"), answer("fail", failure=True)]
    assert (state_of(queued), queued.due_for_resolve(QUEUE)) == (State.RESOLVED, [])
    resolve(queued, answers=[answer("pass")], state=State.ANNOTATED)
    assert queued.answers(QUEUE, "t1") == [answer("pass")]
    assert state_of(queued) == State.ANNOTATED
    assert queued.counts(QUEUE).oldest_open == NOON


def test_new_scores_are_due_oldest_first(queued: SqlStore) -> None:
    number = score("s2", data_type=ScoreType.NUMERIC, value=0.5, metadata={"voters": 2}, comment="so\0")
    later = score("s1", minutes=1)
    assert resolve(queued, later, number) == 2
    assert queued.due_scores(QUEUE, 10) == [number.model_copy(update={"comment": "so"}), later]
    assert [due.score_id for due in queued.due_scores(QUEUE, 1)] == ["s2"]
    assert queued.due_scores("another-queue", 10) == []


def test_a_score_that_says_the_same_is_not_sent_again(queued: SqlStore) -> None:
    resolve(queued, score())
    assert resolve(queued, score(minutes=5)) == 0
    assert queued.due_scores(QUEUE, 10) == [score()]
    publish(queued)
    assert resolve(queued, score(minutes=9)) == 0
    assert queued.due_scores(QUEUE, 10) == []
    assert queued.score_ids(QUEUE) == ["s1"]


@pytest.mark.parametrize("minutes", [-1, 0, 1])
def test_a_revision_is_due_again_with_a_later_time(queued: SqlStore, minutes: int) -> None:
    resolve(queued, score())
    publish(queued)
    assert resolve(queued, score(minutes=minutes, value="pass")) == 1
    (due,) = queued.due_scores(QUEUE, 10)
    assert due.value == "pass"
    assert due.event_at == (NOON + MINUTE if minutes == 1 else NOON + _TICK)
    assert queued.score_ids(QUEUE) == []


@pytest.mark.parametrize(
    "changes",
    [{"comment": "because"}, {"metadata": {"voters": 3}}, {"environment": "staging"}, {"name": "human_other"}],
)
def test_everything_but_the_time_is_content(queued: SqlStore, changes: dict[str, Any]) -> None:
    resolve(queued, score())
    assert resolve(queued, score(**changes)) == 1


def test_a_score_that_was_never_handed_out_just_vanishes(queued: SqlStore) -> None:
    resolve(queued, score())
    assert resolve(queued) == 1
    assert queued.due_scores(QUEUE, 10) == []
    assert queued.due_deletions(QUEUE) == []
    assert queued.counts(QUEUE).scores_by_state == {}


def test_a_score_that_may_have_been_sent_is_deleted(queued: SqlStore) -> None:
    # The run died between sending it and saying so.
    resolve(queued, score())
    queued.due_scores(QUEUE, 10)
    assert resolve(queued) == 1
    assert queued.due_scores(QUEUE, 10) == []
    assert queued.due_deletions(QUEUE) == ["s1"]


@pytest.mark.parametrize("was_deleted", [False, True])
def test_a_score_that_vanished_comes_back_with_a_later_time(queued: SqlStore, *, was_deleted: bool) -> None:
    resolve(queued, score("s1"), score("s2"))
    publish(queued)
    assert resolve(queued, score("s2")) == 1
    assert resolve(queued, score("s2")) == 0
    assert queued.due_deletions(QUEUE) == ["s1"]
    if was_deleted:
        queued.mark_scores_deleted(["s1", "s2"], NOON)
        assert queued.due_deletions(QUEUE) == []
    assert queued.score_ids(QUEUE) == ["s2"]
    assert resolve(queued, score("s1"), score("s2")) == 1
    assert queued.due_scores(QUEUE, 10) == [score("s1", event_at=NOON + _TICK)]
    assert queued.due_deletions(QUEUE) == []


def test_sent_scores_wait_to_be_confirmed(queued: SqlStore) -> None:
    resolve(queued, score("s1"), score("s2"))
    queued.mark_scores_confirmed(["s1"])
    assert queued.unconfirmed_scores(QUEUE) == []
    queued.mark_scores_sent(["s1"], NOON + MINUTE)
    assert queued.unconfirmed_scores(QUEUE) == [(score("s1"), NOON + MINUTE)]
    assert [due.score_id for due in queued.due_scores(QUEUE, 10)] == ["s2"]
    queued.mark_scores_confirmed(["s1", "s2"])
    assert queued.unconfirmed_scores(QUEUE) == []
    assert queued.counts(QUEUE).scores_by_state == {"confirmed": 1, "due": 1}


# --- eval rows


def test_an_eval_row_is_written_once(queued: SqlStore) -> None:
    assert resolve(queued, eval_row=eval_due()) == 1
    assert queued.due_eval_rows(QUEUE, 10) == [eval_due()]
    assert queued.due_eval_rows("another-queue", 10) == []
    queued.mark_eval_rows_done(["e1"])
    assert resolve(queued, eval_row=eval_due()) == 0
    assert queued.due_eval_rows(QUEUE, 10) == []
    assert queued.counts(QUEUE).eval_rows == 1


def test_an_eval_row_follows_its_answers(queued: SqlStore) -> None:
    resolve(queued, eval_row=eval_due())
    publish(queued)
    assert resolve(queued, eval_row=eval_due(), answers=[answer(revised_at=NOON + MINUTE)]) == 0
    joined = [answer(votes=2, voters=2, annotators=("ada@example.org", "bo@example.org"))]
    assert resolve(queued, eval_row=eval_due(), answers=joined) == 1, "its provenance names who said so"
    assert resolve(queued, eval_row=eval_due(), answers=[answer(), answer("better", question="correction")]) == 1
    assert queued.due_eval_rows(QUEUE, 10) == [eval_due(tried=True)]


def test_an_eval_row_is_taken_out_and_comes_back(queued: SqlStore) -> None:
    resolve(queued, eval_row=eval_due())
    publish(queued)
    assert resolve(queued) == 1
    assert resolve(queued) == 0
    assert queued.due_eval_rows(QUEUE, 10) == [eval_due(remove=True, tried=True)]
    queued.mark_eval_rows_done(["e1"])
    assert queued.due_eval_rows(QUEUE, 10) == []
    assert queued.counts(QUEUE).eval_rows == 0
    assert resolve(queued, eval_row=eval_due()) == 1
    assert queued.due_eval_rows(QUEUE, 10) == [eval_due(tried=True)]


def test_an_eval_row_that_nobody_saw_just_vanishes(queued: SqlStore) -> None:
    resolve(queued, eval_row=eval_due())
    assert resolve(queued, eval_row=eval_due().model_copy(update={"remove": True})) == 1
    assert queued.due_eval_rows(QUEUE, 10) == []


# --- published


def test_a_trace_is_published_once_all_of_it_arrived(queued: SqlStore) -> None:
    resolve(queued, score("s1"), score("s2"), eval_row=eval_due())
    assert queued.mark_published(QUEUE) == 0
    send(queued)
    assert queued.mark_published(QUEUE) == 0
    queued.mark_scores_confirmed(["s1", "s2"])
    assert queued.mark_published(QUEUE) == 0
    queued.mark_eval_rows_done(["e1"])
    assert queued.mark_published("another-queue") == 0
    assert queued.mark_published(QUEUE) == 1
    assert state_of(queued) == State.PUBLISHED
    assert queued.mark_published(QUEUE) == 0


def test_a_trace_with_nothing_to_send_is_published_at_once(queued: SqlStore) -> None:
    assert resolve(queued) == 0
    assert queued.mark_published(QUEUE) == 1


def test_only_resolved_traces_are_published(store: SqlStore) -> None:
    have_queued(store, "t1", "t2")
    resolve(store, score("s1"), state=State.ANNOTATED)
    assert publish(store) == 0
    assert (state_of(store, "t1"), state_of(store, "t2")) == (State.ANNOTATED, State.QUEUED)


def test_a_published_trace_goes_back_only_for_a_change(queued: SqlStore) -> None:
    resolve(queued, score())
    publish(queued)
    assert resolve(queued, score(minutes=1)) == 0
    assert state_of(queued) == State.PUBLISHED
    resolve(queued, score(value="pass"))
    assert state_of(queued) == State.RESOLVED
    assert publish(queued) == 1
    resolve(queued, state=State.QUEUED)
    assert state_of(queued) == State.QUEUED


def test_a_trace_that_waits_to_be_resolved_again_is_not_published(queued: SqlStore) -> None:
    resolve(queued, score())
    queued.save_annotations([annotation()], NOON)
    assert publish(queued) == 0
    resolve(queued, score())
    assert publish(queued) == 1


def test_thousands_of_scores_fit(store: SqlStore) -> None:
    have_drawn(store, "t1")
    resolve(store, *(score(f"s{number}") for number in range(2500)))
    ids = [due.score_id for due in store.due_scores(QUEUE, 5000)]
    assert len(ids) == 2500
    store.mark_scores_sent(ids, NOON)
    store.mark_scores_confirmed(ids)
    assert store.counts(QUEUE).scores_by_state == {"confirmed": 2500}
