"""Hints become few runs, none of them is lost, and whatever Prefect does the waker goes on. Time is the test's own."""

import asyncio
import logging
import selectors
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.objects import State, StateType

from flows.wakes import PATIENCE_S, Ending, Waker, _ending
from goldloop.errors import RetryableError

QUIET_S, INTERVAL_S, LOOK_S = 5.0, 60.0, 1.0
AWAY = RetryableError("Prefect", "Prefect at http://prefect answered 503: look into its log")


class _Skipping(selectors.DefaultSelector):
    """It waits for nothing: the time that it would have waited has passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.passed += timeout or 0.0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.passed


def now() -> float:
    return asyncio.get_running_loop().time()


class FakeRuns:
    """Runs that take `takes_s`; how each ends is told beforehand, and what is in the way is the test's to say."""

    name = "run/run"

    def __init__(self, *, takes_s: float = 10.0, endings: list[Ending] | None = None) -> None:
        self.takes_s = takes_s
        self.endings = endings or []
        self.busy_until = 0.0
        self.away_until = 0.0
        self.started: list[float] = []
        self.ended: dict[UUID, float] = {}
        self.last: Ending | None = None

    def _ask(self) -> None:
        if now() < self.away_until:
            raise AWAY

    async def busy(self) -> bool:
        self._ask()
        return now() < self.busy_until

    async def start(self) -> UUID:
        self._ask()
        self.started.append(now())
        run = uuid4()
        self.ended[run] = now() + self.takes_s
        return run

    async def ending(self, run: UUID) -> Ending | None:
        self._ask()
        if now() < self.ended[run]:
            return None
        self.last = self.endings.pop(0) if self.endings else Ending.DONE
        return self.last


def woken(runs: FakeRuns, hints: list[float], *, until: float = 1000.0) -> list[float]:
    """When runs were asked for, where there are hints at these times."""

    async def live() -> None:
        waker = Waker(runs, QUIET_S, INTERVAL_S, LOOK_S)
        task = asyncio.create_task(waker.keep_on())
        for hint in sorted(hints):
            await asyncio.sleep(hint - now())
            waker.hint()
        await asyncio.sleep(until - now())
        assert not task.done()
        task.cancel()

    in_no_time(live)
    return runs.started


def in_no_time(live: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(live())


def test_without_a_hint_there_is_no_run() -> None:
    assert woken(FakeRuns(), []) == []


def test_one_hint_is_one_run_after_a_quiet_time() -> None:
    assert woken(FakeRuns(), [100.0]) == [105.0]


def test_a_flood_is_few_runs() -> None:
    # 1,000 hints over 200 s: quiet until 5; then an interval of 60 and a quiet time of 5 from run to run, and one more
    # after the last hint at 199.8.
    assert woken(FakeRuns(), [number / 5 for number in range(1000)]) == [5.0, 70.0, 135.0, 200.0]


def test_what_is_hinted_at_during_a_run_leads_to_one_more_after_it() -> None:
    # The first run lasts from 5 to 105, and its end is seen at the next look.
    assert woken(FakeRuns(takes_s=100.0), [0.0, 20.0, 30.0, 90.0]) == [5.0, 110.0]


def test_while_another_run_is_under_way_none_is_asked_for() -> None:
    runs = FakeRuns()
    runs.busy_until = 150.0
    # Looked at 5, 70 and 135: still busy; 200 is free.
    assert woken(runs, [0.0]) == [200.0]


def test_one_that_was_turned_away_is_asked_for_again() -> None:
    assert woken(FakeRuns(endings=[Ending.TURNED_AWAY, Ending.TURNED_AWAY]), [0.0]) == [5.0, 70.0, 135.0]


def test_one_that_failed_is_left_to_the_schedule(caplog: pytest.LogCaptureFixture) -> None:
    assert woken(FakeRuns(endings=[Ending.FAILED]), [0.0]) == [5.0]
    assert "failed: its page says why" in caplog.text


def test_while_prefect_is_away_each_try_is_one_sentence(caplog: pytest.LogCaptureFixture) -> None:
    runs = FakeRuns()
    runs.away_until = 140.0
    assert woken(runs, [0.0]) == [200.0]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["Prefect at http://prefect answered 503: look into its log; tried again in 60 s."] * 3


def test_while_prefect_is_away_during_a_run_its_end_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    runs = FakeRuns(takes_s=40.0)

    async def live() -> None:
        waker = Waker(runs, QUIET_S, INTERVAL_S, LOOK_S)
        task = asyncio.create_task(waker.keep_on())
        waker.hint()
        await asyncio.sleep(10)
        runs.away_until = 30.0
        waker.hint()
        await asyncio.sleep(500)
        task.cancel()

    in_no_time(live)
    assert runs.started == [5.0, 70.0]
    assert caplog.text.count("goes on") == 1


def test_a_run_whose_end_is_never_seen_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    started = woken(FakeRuns(takes_s=1e9), [0.0, 10.0], until=1200.0)
    assert started == [5.0, 5.0 + PATIENCE_S + 5.0]
    assert "is there a worker?" in caplog.text


@given(
    hints=st.lists(st.floats(0, 500), max_size=30),
    takes_s=st.floats(0, 200),
    endings=st.lists(st.sampled_from(Ending), max_size=5),
    busy_until=st.floats(0, 300),
    away_until=st.floats(0, 300),
)
def test_after_the_last_hint_a_run_begins_and_does_its_work(
    hints: list[float], takes_s: float, endings: list[Ending], busy_until: float, away_until: float
) -> None:
    runs = FakeRuns(takes_s=takes_s, endings=endings)
    runs.busy_until, runs.away_until = busy_until, away_until
    started = woken(runs, hints, until=5000.0)
    assert bool(started) == bool(hints)
    if hints:
        # It is asked for at or after the hint, and not more often than the interval allows.
        assert started[-1] >= max(hints)
        assert runs.last not in (None, Ending.TURNED_AWAY)
        assert all(later - earlier >= INTERVAL_S - 1e-6 for earlier, later in pairwise(started))


@pytest.mark.parametrize(
    ("kind", "name", "starts", "ending"),
    [
        (StateType.SCHEDULED, "Late", 0, None),
        (StateType.RUNNING, "Running", 1, None),
        (StateType.COMPLETED, "Completed", 1, Ending.DONE),
        (StateType.FAILED, "Failed", 1, Ending.FAILED),
        (StateType.CRASHED, "Crashed", 1, Ending.FAILED),
        (StateType.CANCELLED, "Cancelled", 0, Ending.TURNED_AWAY),  # CANCEL_NEW: another one has the slot
        (StateType.CANCELLED, "Skipped", 1, Ending.TURNED_AWAY),  # the queue's lock is held
        (StateType.CANCELLED, "Cancelled", 1, Ending.DONE),  # a person has cancelled it
    ],
)
def test_how_a_run_ended(kind: StateType, name: str, starts: int, ending: Ending | None) -> None:
    assert _ending(State(type=kind, name=name), starts) == ending
