"""When a model is called, and when again: one owner of all retries, for all calls to one model."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from goldloop.errors import RetryableError

ResultT = TypeVar("ResultT")

_FIRST: Final = 0.5
_LONGEST: Final = 10.0
_CAP: Final = 60.0
"""Seconds. A server may ask for an hour; who waits for it holds up everything else."""


class BusyError(RetryableError):
    """The server has had too many calls: not this one call waits, but all do."""


class Waits(Protocol):
    """Time, as far as waiting goes; seconds."""

    def now(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class RealWaits:
    def now(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Pace:
    """Makes calls again that may succeed later, at most `attempts` times; belongs to one event loop.

    The waits double from half a second to ten, with jitter (each is between the half and the whole, so that calls that
    failed together do not come back together); a server that names its own wait gets that, up to a minute.
    """

    def __init__(self, attempts: int, waits: Waits, chance: random.Random) -> None:
        self._attempts = attempts
        self._waits = waits
        self._chance = chance
        self._closed_until = 0.0

    async def call(self, once: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Raises: RetryableError, once the attempts are used up, and whatever else `once` raises."""
        for attempt in range(1, self._attempts):
            await self._opened()
            try:
                return await once()
            except RetryableError as error:
                wait = self._wait(error, attempt)
                if isinstance(error, BusyError):
                    self._closed_until = max(self._closed_until, self._waits.now() + wait)
                else:
                    await self._waits.sleep(wait)
        await self._opened()
        return await once()

    async def _opened(self) -> None:
        while (left := self._closed_until - self._waits.now()) > 0:
            await self._waits.sleep(left)

    def _wait(self, error: RetryableError, attempt: int) -> float:
        if error.retry_after is not None:
            return min(error.retry_after, _CAP)
        return min(_FIRST * 2.0 ** (attempt - 1), _LONGEST) * self._chance.uniform(0.5, 1.0)
