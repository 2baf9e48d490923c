"""When a call is made again: waits without waiting."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from builders_llm import FakeWaits
from goldloop.adapters.llm.pace import BusyError, Pace, RealWaits
from goldloop.errors import RejectedError, RetryableError


class _Chance(random.Random):
    """No jitter: the whole wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


def failing(*errors: Exception) -> Callable[[], Awaitable[str]]:
    left = [*errors]

    async def once() -> str:
        if left:
            raise left.pop(0)
        return "fine"

    return once


def later(after: float | None = None) -> RetryableError:
    return RetryableError("it", "Later.", retry_after=after)


def busy(after: float | None = None) -> BusyError:
    return BusyError("it", "Busy.", retry_after=after)


def paced(waits: FakeWaits, *errors: Exception, attempts: int = 8) -> str:
    return asyncio.run(Pace(attempts, waits, _Chance()).call(failing(*errors)))


def test_waits_double_up_to_ten_seconds() -> None:
    waits = FakeWaits()
    assert paced(waits, *[later()] * 7) == "fine"
    assert waits.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_the_servers_own_wait_goes_before_up_to_a_minute() -> None:
    waits = FakeWaits()
    assert paced(waits, later(3.0), busy(2.0), later(3600.0)) == "fine"
    assert waits.slept == [3.0, 2.0, 60.0]


def test_the_last_attempts_error_is_the_one_that_is_raised() -> None:
    waits = FakeWaits()
    with pytest.raises(RetryableError) as caught:
        paced(waits, later(), last := busy(), attempts=2)
    assert caught.value is last
    assert waits.slept == [0.5]


def test_what_is_refused_is_not_tried_again() -> None:
    waits = FakeWaits()
    with pytest.raises(RejectedError):
        paced(waits, RejectedError("it", "No."))
    assert waits.slept == []


def test_one_busy_answer_holds_up_all_calls() -> None:
    waits = FakeWaits()
    pace = Pace(4, waits, _Chance())
    made: list[tuple[str, float]] = []

    async def call(name: str, *errors: Exception) -> str:
        once = failing(*errors)

        async def noted() -> str:
            made.append((name, waits.now()))
            return await once()

        return await pace.call(noted)

    async def both() -> None:
        await call("one", busy(5.0))
        await call("two")

    asyncio.run(both())
    assert made == [("one", 0.0), ("one", 5.0), ("two", 5.0)]


def test_real_waits_are_real() -> None:
    waits = RealWaits()
    began = waits.now()
    asyncio.run(waits.sleep(0.001))
    assert waits.now() - began >= 0.001
