"""When a call to a server is tried again: one rule for every adapter that speaks HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
import stamina

from goldloop.errors import RetryableError

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Retries:
    """How often and after which waits, in seconds. `retry_after_cap` bounds what a server may ask for."""

    attempts: int = 4
    wait_initial: float = 0.5
    wait_max: float = 10.0
    wait_jitter: float = 1.0
    retry_after_cap: float = 60.0

    def __call__(self, call: Callable[[], ResultT]) -> ResultT:
        """The call's result; a `RetryableError` is tried again, after the server's own wait where it named one."""
        caller = stamina.RetryingCaller(
            attempts=self.attempts,
            timeout=None,
            wait_initial=self.wait_initial,
            wait_max=self.wait_max,
            wait_jitter=self.wait_jitter,
        )
        return caller(self._wait, call)

    def _wait(self, error: Exception) -> bool | float:
        if not isinstance(error, RetryableError):
            return False
        return True if error.retry_after is None else min(error.retry_after, self.retry_after_cap)


def retry_after(headers: httpx.Headers | Mapping[str, str]) -> float | None:
    """Seconds from the header, which holds a number or a date (RFC 9110, section 10.2.3); None without one."""
    known = headers if isinstance(headers, httpx.Headers) else httpx.Headers(dict(headers))
    text = known.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
