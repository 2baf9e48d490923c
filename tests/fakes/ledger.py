"""A ledger in memory, for one process."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

from goldloop.ports import Limits, Reserved
from goldloop.records import JudgeCall, Spent

_HOUR = timedelta(hours=1)


@dataclass
class _Aside:
    run: str
    at: datetime
    calls: int
    usd: float


class FakeLedger:
    def __init__(self) -> None:
        self.calls: list[JudgeCall] = []
        self._aside: dict[str, _Aside] = {}
        self._reservations = 0
        self._lock = Lock()

    @property
    def set_aside(self) -> int:
        """Calls that are reserved and not settled."""
        return sum(aside.calls for aside in self._aside.values())

    def known_calls(self, keys: Collection[str]) -> dict[str, JudgeCall]:
        with self._lock:
            oldest_first = sorted(self.calls, key=lambda call: call.at)
        return {call.key: call for call in oldest_first if call.key in keys and call.outcome in {"answered", "refused"}}

    def reserve(self, run: str, calls: int, usd_each: float, limits: Limits, at: datetime) -> Reserved:
        with self._lock:
            self._aside = {name: aside for name, aside in self._aside.items() if aside.at > at - _HOUR}
            granted = min([calls, *self._rooms(run, usd_each, limits, at)])
            self._reservations += 1
            name = f"reservation-{self._reservations}"
            if granted <= 0:
                return Reserved(name, 0)
            self._aside[name] = _Aside(run, at, granted, granted * usd_each)
            return Reserved(name, granted)

    def settle(self, reservation: str, calls: Sequence[JudgeCall], *, done: bool = True) -> None:
        with self._lock:
            self.calls += calls
            aside = self._aside.get(reservation)
            if aside is None:
                return
            left = aside.calls - len(calls)
            if done or left <= 0:
                del self._aside[reservation]
                return
            aside.usd *= left / aside.calls
            aside.calls = left
            aside.at = max(aside.at, *(call.at for call in calls)) if calls else aside.at

    def spent(self, since: datetime, run: str | None = None) -> Spent:
        with self._lock:
            calls = [call for call in self.calls if call.at >= since and run in {None, call.run}]
        return Spent(
            calls=len(calls),
            usd=round(sum(call.usd or 0.0 for call in calls), 9),
            input_tokens=sum(call.input_tokens for call in calls),
            output_tokens=sum(call.output_tokens for call in calls),
            seconds=round(sum(call.latency_s for call in calls), 6),
        )

    def _rooms(self, run: str, usd_each: float, limits: Limits, at: datetime) -> list[int]:
        day = at.astimezone(UTC).date()
        of_run = [call for call in self.calls if call.run == run]
        of_day = [call for call in self.calls if call.at.astimezone(UTC).date() == day]
        aside_of_all = list(self._aside.values())
        aside_of_run = [aside for aside in aside_of_all if aside.run == run]
        rooms = []
        for number, usd, made, aside in (
            (limits.calls_per_run, limits.usd_per_run, of_run, aside_of_run),
            (limits.calls_per_day, limits.usd_per_day, of_day, aside_of_all),
        ):
            if number is not None:
                rooms.append(number - len(made) - sum(one.calls for one in aside))
            if usd is not None and usd_each > 0:
                left = usd - sum(call.usd or 0.0 for call in made) - sum(one.usd for one in aside)
                rooms.append(math.floor(round(left / usd_each, 6)))
        return rooms
