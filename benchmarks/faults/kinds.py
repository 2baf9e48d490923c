"""What can go wrong, and the seeded schedule by which it does."""

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks.faults.chance import chance_of, holds

HIGHEST: Final = 0.12
"""The share of a route's first requests that go wrong: rare ones, such as an import, would else hardly ever."""
_FIRST: Final = 10
"""Requests of a route after which half of the way to the usual share is gone."""


class Fault(StrEnum):
    """What the network, or the server behind it, does to one request."""

    DELAY = "delay"
    DROP_BEFORE = "dropped before it reached the server"
    DROP_AFTER = "dropped after it reached the server"
    ERROR = "5xx"
    LIMIT = "429"
    TRUNCATED = "truncated body"
    WRONG_JSON = "wrong JSON"
    SLOW = "slow body"


class Kill(StrEnum):
    """Who is killed, with kill -9, while a request is under way."""

    RUN = "kill -9 of a run"
    FLOW = "kill -9 of a flow"
    WORKER = "kill -9 of the worker"
    BACKEND = "kill -9 of the ML backend"
    LABEL_STUDIO = "kill -9 of Label Studio"
    POSTGRES = "kill -9 of PostgreSQL"


class Trouble(StrEnum):
    """What befalls a whole run of goldloop."""

    DISK_FULL = "disk full"
    READ_ONLY = "read-only store"
    TWO_AT_ONCE = "two runs at one moment"
    CLOCK_BACK = "clock set back"


@dataclass(frozen=True)
class Chosen:
    """One fault. `after`: the server did the work first; `place` in 0..1 says where or how much."""

    fault: Fault
    after: bool
    place: float


class Schedule:
    """Which request goes wrong, and how: by the seed, the request's route, and how many of that route came before.

    Kinds come from a shuffled deck, so that even a short run sees each. `off` ends it all.
    """

    def __init__(self, seed: int, rate: float, kinds: Sequence[Fault] = tuple(Fault)) -> None:
        self.seed = seed
        self.rate = rate
        self.count: Counter[str] = Counter()
        self.requests = 0
        self._kinds = kinds
        self._deck: list[Fault] = []
        self._dealt = 0
        self._routes: dict[str, int] = defaultdict(int)
        self._guard = threading.Lock()
        self.on = True

    def choose(self, server: str, method: str, target: str) -> Chosen | None:
        """What befalls this request; it counts as done."""
        if not self.on:
            return None
        name = f"{server} {route(method, target)}"
        with self._guard:
            self.requests += 1
            before = self._routes[name]
            self._routes[name] += 1
            chance = chance_of(f"{self.seed}/fault/{name}/{before}")
            if not holds(chance, self.rate + (HIGHEST - self.rate) * _FIRST / (_FIRST + before)):
                return None
            chosen = Chosen(self._next_kind(), after=holds(chance, 0.5), place=chance.random())
            self.count[chosen.fault] += 1
            return chosen

    def _next_kind(self) -> Fault:
        if not self._deck:
            self._deck = list(self._kinds)
            chance_of(f"{self.seed}/deck/{self._dealt}").shuffle(self._deck)
            self._dealt += 1
        return self._deck.pop()


def route(method: str, target: str) -> str:
    """The request without what is of this one alone: ids, and the query."""
    path = target.partition("?")[0]
    parts = ["*" if re.search(r"\d", part) and part not in {"v1", "v2", "v3"} else part for part in path.split("/")]
    return f"{method} {'/'.join(parts)}"
