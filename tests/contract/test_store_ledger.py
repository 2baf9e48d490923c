"""The ledger, by the store on both databases and by the fake: what is known, set aside, and spent."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta, timezone
from typing import Any

import pytest

from contract.store_samples import MINUTE, NOON
from fakes.ledger import FakeLedger
from goldloop.adapters.store import open_store
from goldloop.ports import Ledger, Limits, Reserved
from goldloop.records import JudgeCall, Spent

pytest_plugins = ["contract.store_fixtures"]

FREE = Limits()


def call(key: str = "k1", *, minutes: float = 0, **changes: Any) -> JudgeCall:
    given = {"key": key, "judge": "gpt", "run": "run", "at": NOON + minutes * MINUTE, "outcome": "answered"}
    return JudgeCall.model_validate({**given, **changes})


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgresql", marks=pytest.mark.servers)])
def ledgers(request: pytest.FixtureRequest) -> Iterator[list[Ledger]]:
    """The same ledger four times over, as four processes have it."""
    if request.param == "fake":
        yield [FakeLedger()] * 4
        return
    url = request.getfixturevalue(f"{request.param}_url")
    with ExitStack() as stack:
        yield [stack.enter_context(open_store(url)) for _ in range(4)]


@pytest.fixture
def ledger(ledgers: list[Ledger]) -> Ledger:
    return ledgers[0]


def reserve(ledger: Ledger, calls: int, limits: Limits = FREE, *, minutes: float = 0, **changes: Any) -> Reserved:
    given = {"run": "run", "usd_each": 0.01, "at": NOON + minutes * MINUTE}
    return ledger.reserve(calls=calls, limits=limits, **{**given, **changes})


def room(ledger: Ledger, limits: Limits, *, minutes: float = 0, **changes: Any) -> int:
    """What could be reserved, without keeping it."""
    reserved = reserve(ledger, 1000, limits, minutes=minutes, **changes)
    ledger.settle(reserved.reservation, [])
    return reserved.calls


# -- what is known


def test_known_calls_are_those_that_need_no_model(ledger: Ledger) -> None:
    answered = call("k1", answer={"verdict": "fail", "why": "no \0 \ud800 é"}, usd=0.01, input_tokens=5, latency_s=0.5)
    refused = call("k2", outcome="refused", output_tokens=7)
    ledger.settle("none", [answered, refused, call("k3", outcome="unusable"), call("k4", outcome="failed")])
    assert ledger.known_calls(["k1", "k2", "k3", "k4", "k5"]) == {"k1": answered, "k2": refused}
    assert ledger.known_calls({"k2"}) == {"k2": refused}
    assert ledger.known_calls([]) == {}


def test_of_a_key_the_newest_answer_is_known(ledger: Ledger) -> None:
    newest = call(minutes=2, answer={"verdict": "pass"})
    ledger.settle("none", [call(minutes=1), newest, call(minutes=3, outcome="failed")])
    ledger.settle("none", [call(minutes=0)])
    assert ledger.known_calls(["k1"]) == {"k1": newest}
    last = call(minutes=2, answer={"verdict": "fail"})
    ledger.settle("none", [last])
    assert ledger.known_calls(["k1"]) == {"k1": last}


def test_thousands_of_keys_are_looked_up_at_once(ledger: Ledger) -> None:
    calls = [call(f"k{number}") for number in range(2500)]
    ledger.settle("none", calls)
    assert ledger.known_calls([one.key for one in calls] + ["another"]) == {one.key: one for one in calls}


# -- what is spent


def test_spent_counts_calls_of_every_outcome(ledger: Ledger) -> None:
    ledger.settle(
        "none",
        [
            call(minutes=-1, usd=5.0),
            call("k2", usd=0.1, input_tokens=100, output_tokens=10, latency_s=0.1),
            call("k3", usd=0.2, input_tokens=200, outcome="unusable", latency_s=0.2),
            call("k4", run="other", outcome="failed", output_tokens=1, latency_s=1.5),
        ],
    )
    assert ledger.spent(NOON) == Spent(calls=3, usd=0.3, input_tokens=300, output_tokens=11, seconds=1.8)
    assert ledger.spent(NOON, "other") == Spent(calls=1, output_tokens=1, seconds=1.5)
    both = Spent(calls=3, usd=5.3, input_tokens=300, output_tokens=10, seconds=0.3)
    assert ledger.spent(NOON - MINUTE, "run") == both
    assert ledger.spent(NOON + MINUTE) == Spent()


# -- what is set aside


def test_without_limits_all_is_granted(ledger: Ledger) -> None:
    first, second = reserve(ledger, 1000), reserve(ledger, 7)
    assert (first.calls, second.calls) == (1000, 7)
    assert first.reservation != second.reservation
    assert reserve(ledger, 0).calls == 0


def test_a_run_gets_what_its_limit_leaves(ledger: Ledger) -> None:
    limits = Limits(calls_per_run=10)
    reserved = reserve(ledger, 6, limits)
    assert (reserved.calls, reserve(ledger, 6, limits).calls, reserve(ledger, 6, limits).calls) == (6, 4, 0)
    assert reserve(ledger, 6, limits, run="other").calls == 6
    # Two of six were called: what is free again is four.
    ledger.settle(reserved.reservation, [call("k1"), call("k2")])
    assert room(ledger, limits) == 4


def test_what_runs_made_before_counts(ledger: Ledger) -> None:
    ledger.settle("none", [call(minutes=-3 * 24 * 60, usd=0.05), call("k2", usd=0.02), call("k3", run="other")])
    assert room(ledger, Limits(calls_per_run=10)) == 8
    assert room(ledger, Limits(calls_per_day=10)) == 8
    # 0.10 less 0.07 of the run leaves three of 0.01; less 0.02 of the day, eight.
    assert room(ledger, Limits(usd_per_run=0.1)) == 3
    assert room(ledger, Limits(usd_per_day=0.1)) == 8
    # The day's two calls leave three of five: the narrowest of the four.
    assert room(ledger, Limits(calls_per_run=9, calls_per_day=5, usd_per_run=1.0, usd_per_day=1.0)) == 3


def test_a_day_is_one_of_utc(ledger: Ledger) -> None:
    # NOON is 12:00 and a bit: twelve hours before is today's first minute, 13 are yesterday's.
    ledger.settle("none", [call(minutes=-12 * 60), call("k2", minutes=-13 * 60)])
    limits = Limits(calls_per_day=10)
    assert room(ledger, limits) == 9
    assert room(ledger, limits, minutes=-13 * 60) == 9
    assert room(ledger, limits, minutes=12 * 60) == 10
    east = (NOON + timedelta(hours=11)).astimezone(timezone(timedelta(hours=14)))
    assert room(ledger, limits, at=east) == 9


def test_money_set_aside_is_held_back(ledger: Ledger) -> None:
    limits = Limits(usd_per_day=0.3)
    # In floats 0.3 - 0.1 is a little less than 0.2.
    assert reserve(ledger, 1, limits, usd_each=0.1).calls == 1
    assert reserve(ledger, 5, limits, usd_each=0.1, run="other").calls == 2
    assert room(ledger, limits, usd_each=0.1) == 0
    assert room(ledger, limits, usd_each=0.0) == 1000


def test_calls_cost_what_they_cost_and_not_what_was_thought(ledger: Ledger) -> None:
    limits = Limits(usd_per_run=1.0)
    reserved = reserve(ledger, 4, limits, usd_each=0.25)
    assert room(ledger, limits, usd_each=0.25) == 0
    ledger.settle(reserved.reservation, [call("k1", usd=0.05), call("k2", usd=0.05)], done=False)
    # Spent 0.10, and two of 0.25 are still set aside: 0.40 is left.
    assert room(ledger, limits, usd_each=0.2) == 2
    ledger.settle(reserved.reservation, [call("k3", usd=0.1)])
    assert room(ledger, limits, usd_each=0.2) == 4


@pytest.mark.parametrize("zero", ["calls_per_run", "calls_per_day", "usd_per_run", "usd_per_day"])
def test_a_limit_of_nothing_grants_nothing(ledger: Ledger, zero: str) -> None:
    assert room(ledger, Limits.model_validate({zero: 0})) == 0


def test_nothing_is_granted_beyond_a_limit_that_was_lowered(ledger: Ledger) -> None:
    reserve(ledger, 10)
    assert reserve(ledger, 3, Limits(calls_per_run=5)).calls == 0
    assert reserve(ledger, 3, Limits(usd_per_run=0.05)).calls == 0
    assert room(ledger, Limits(calls_per_run=11)) == 1


# -- settling


def test_a_batch_settles_in_chunks(ledger: Ledger) -> None:
    limits = Limits(calls_per_run=10)
    reserved = reserve(ledger, 8, limits)
    ledger.settle(reserved.reservation, [call("k1"), call("k2"), call("k3")], done=False)
    assert room(ledger, limits) == 2
    ledger.settle(reserved.reservation, [], done=False)
    assert room(ledger, limits) == 2
    ledger.settle(reserved.reservation, [call("k4")])
    assert room(ledger, limits) == 6
    ledger.settle(reserved.reservation, [call("k5")])
    assert room(ledger, limits) == 5


def test_calls_beyond_the_reservation_are_kept(ledger: Ledger) -> None:
    limits = Limits(calls_per_run=10)
    reserved = reserve(ledger, 2, limits)
    ledger.settle(reserved.reservation, [call(f"k{number}") for number in range(3)], done=False)
    assert ledger.spent(NOON).calls == 3
    assert room(ledger, limits) == 7


def test_what_a_dead_process_set_aside_counts_for_an_hour(ledger: Ledger) -> None:
    limits = Limits(calls_per_run=10, calls_per_day=10)
    dead = reserve(ledger, 6, limits)
    assert room(ledger, limits, minutes=59.99) == 4
    assert room(ledger, limits, minutes=60) == 10
    ledger.settle(dead.reservation, [call(minutes=61)])
    assert room(ledger, limits, minutes=61) == 9


def test_a_batch_that_goes_on_is_not_dead(ledger: Ledger) -> None:
    limits = Limits(calls_per_run=10)
    reserved = reserve(ledger, 6, limits)
    ledger.settle(reserved.reservation, [call(minutes=50)], done=False)
    assert room(ledger, limits, minutes=70) == 4
    assert room(ledger, limits, minutes=110) == 9


# -- many at once


@pytest.mark.parametrize("limits", [Limits(calls_per_day=40), Limits(usd_per_day=0.4)])
def test_writers_at_once_never_pass_a_limit_together(ledgers: list[Ledger], limits: Limits) -> None:
    """Four ask for 20 times three calls, and make two of each three; nobody frees more than was set aside."""
    together = threading.Barrier(len(ledgers))
    made: list[int] = []

    def run(number: int, ledger: Ledger) -> None:
        together.wait()
        for batch in range(20):
            reserved = reserve(ledger, 3, limits, run=f"run{number}")
            done = [call(f"{number}/{batch}/{place}", usd=0.01) for place in range(min(2, reserved.calls))]
            ledger.settle(reserved.reservation, done)
            made.append(len(done))

    with ThreadPoolExecutor(len(ledgers)) as pool:
        for running in [pool.submit(run, number, ledger) for number, ledger in enumerate(ledgers)]:
            running.result()
    spent = ledgers[0].spent(NOON).calls
    assert sum(made) == spent <= 40
    assert room(ledgers[0], limits) == 40 - spent


def test_what_is_granted_at_once_is_just_what_there_is(ledgers: list[Ledger]) -> None:
    limits = Limits(calls_per_run=10, usd_per_run=0.25)
    with ThreadPoolExecutor(len(ledgers)) as pool:
        granted = [one.calls for one in pool.map(lambda ledger: reserve(ledger, 3, limits), ledgers)]
    assert sorted(granted) == [1, 3, 3, 3]
