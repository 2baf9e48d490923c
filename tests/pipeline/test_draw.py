"""Draw: a day's budget, each trace once, and everything about it on record."""

from datetime import UTC, datetime, timedelta

import pytest

from builders import NOW, QUEUE, codebook
from goldloop.adapters.store import SqlStore
from goldloop.pipeline.draw import draw
from goldloop.records import DrawRun, State
from pipeline.loop import Loop, revised

SMALL = revised(budget=4, mix={"random": 0.5, "stratified": 0.5})


def names(number: int, prefix: str = "t") -> list[str]:
    return [f"{prefix}{place:02}" for place in range(number)]


def drawn(loop: Loop) -> set[str]:
    return {one.trace_id for one in loop.store.draws(QUEUE, State.DRAWN)}


def runs(store: SqlStore) -> list[DrawRun]:
    return store.draw_runs(QUEUE)


def test_a_day_has_one_budget(loop: Loop) -> None:
    loop.log(*names(10))
    loop.pull()
    loop.use(SMALL)
    made = loop.draw()
    assert (made.drawn, made.frame_size, made.left_of_budget) == (4, 10, 0)
    assert sum(made.by_policy.values()) == 4
    again = loop.draw()
    assert (again.drawn, again.run_id) == (0, None)
    assert len(runs(loop.store)) == 1


def test_a_new_day_in_utc_has_a_new_budget_and_no_trace_twice(loop: Loop) -> None:
    loop.log(*names(10))
    loop.pull()
    loop.use(SMALL)
    loop.clock.now = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)
    loop.draw()
    first = drawn(loop)
    loop.clock.now = datetime(2026, 3, 3, tzinfo=UTC)
    made = loop.draw()
    assert (made.drawn, made.frame_size) == (4, 6)
    assert len(drawn(loop)) == 8
    assert first < drawn(loop)
    loop.clock.turn(timedelta(days=1))
    assert loop.draw().drawn == 2
    loop.clock.turn(timedelta(days=1))
    assert loop.draw().drawn == 0
    assert drawn(loop) == set(names(10))


def test_what_a_small_frame_left_of_the_budget_is_drawn_later_in_the_day(loop: Loop) -> None:
    loop.use(SMALL)
    loop.log(*names(3))
    loop.pull()
    assert loop.draw().left_of_budget == 1
    loop.log(*names(5, "later"))
    loop.pull()
    assert loop.draw().drawn == 1
    assert [run.budget for run in runs(loop.store)] == [4, 1]


def test_old_traces_and_those_to_come_are_not_drawn(loop: Loop) -> None:
    loop.use(revised(age_limit_days=2))
    loop.log("old", timestamp=NOW - timedelta(days=2, microseconds=1))
    loop.log("young", timestamp=NOW - timedelta(days=2))
    loop.pull()
    assert loop.draw().drawn == 1
    assert drawn(loop) == {"young"}


def test_nothing_to_draw_from_is_no_error(loop: Loop) -> None:
    made = loop.draw()
    assert (made.drawn, made.frame_size, made.left_of_budget, made.by_policy) == (0, 0, 80, {})
    assert runs(loop.store) == []


def test_every_draw_says_by_which_policy_and_how_likely_it_was(loop: Loop) -> None:
    loop.use(SMALL)
    loop.log(*names(9))
    loop.pull()
    loop.draw()
    draws = loop.store.draws(QUEUE, State.DRAWN)
    assert [one.priority for one in draws] == [0, 1, 2, 3]
    for one in draws:
        assert one.pi == pytest.approx(4 / 9)  # one category: both policies are uniform
        assert sum(one.mixture.values()) == pytest.approx(1)
        assert one.policy in one.mixture


def test_two_queues_draw_on_their_own(loop: Loop) -> None:
    loop.log(*names(3))
    loop.pull()
    loop.draw()
    other = codebook().model_copy(update={"name": "tone"})
    loop.store.save_codebook(other, NOW)
    assert draw(other, loop.store, 7, NOW).drawn == 3
