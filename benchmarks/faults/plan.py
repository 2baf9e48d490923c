"""The rounds of a run, in the order that its seed gives: how goldloop is run in each, and who is killed in it."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.faults.chance import chance_of, holds
from benchmarks.faults.fuses import Phase
from benchmarks.faults.kinds import Kill


class Way(StrEnum):
    """How goldloop is run in a round."""

    FLOW = "flow"
    RUN = "run"
    TWO = "two runs at one moment"
    CLOCK = "clock set back"
    DISK = "disk full"
    READ_ONLY = "read-only store"


@dataclass(frozen=True)
class Ends:
    """A kill in a round: after so many requests (or writes), before one is passed on or before its answer is."""

    kill: Kill
    requests: int
    phase: Phase
    writes: bool


@dataclass(frozen=True)
class Round:
    """`send`: whether the next portion of traces comes first."""

    number: int
    way: Way
    kills: tuple[Ends, ...]


_DECK = (Way.RUN, Way.FLOW, Way.TWO, Way.RUN, Way.CLOCK, Way.FLOW, Way.RUN, Way.DISK, Way.READ_ONLY)
_KILLS = {Way.FLOW: (Kill.FLOW, Kill.WORKER), Way.RUN: (Kill.RUN,), Way.TWO: (Kill.RUN,)}
_SERVERS = (Kill.BACKEND, Kill.LABEL_STUDIO)


class Plan:
    """Rounds without end; each kind of kill comes in turn."""

    def __init__(self, seed: int, traces: int, *, postgres: bool) -> None:
        self._seed, self._traces = seed, traces
        self._servers = (*_SERVERS, Kill.POSTGRES) if postgres else _SERVERS
        self._deck: list[Way] = []
        self._of_runs: Counter[Kill] = Counter()
        self._of_servers: Counter[Kill] = Counter()

    def round(self, number: int) -> Round:
        """To be asked for in order: 0, 1, 2, ..."""
        chance = chance_of(f"{self._seed}/round/{number}")
        if not self._deck:
            self._deck = list(_DECK)
            chance_of(f"{self._seed}/ways/{number}").shuffle(self._deck)
        # The first one has traces, and no disk that is full before the store is there.
        way = Way.RUN if number == 0 else self._deck.pop()
        kills: list[Kill] = []
        if number and way in _KILLS and holds(chance, 0.6):
            kills.append(self._next(self._of_runs, _KILLS[way]))
        if number % 3 == 2 and way not in (Way.DISK, Way.READ_ONLY):  # noqa: PLR2004 - every third
            kills.append(self._next(self._of_servers, self._servers))
        return Round(number, way, tuple(self._ends(chance, kill) for kill in kills))

    def _ends(self, chance: random.Random, kill: Kill) -> Ends:
        writes = holds(chance, 0.5)  # those are fewer
        # A run over more traces asks more; were it always killed at its beginning, no import would ever end.
        longest = max(5, self._traces // 100) if writes else max(25, self._traces * 6 // 100)
        return Ends(kill, round(longest ** chance.random()), chance.choice(list(Phase)), writes)

    def _next(self, so_far: Counter[Kill], among: Sequence[Kill]) -> Kill:
        """Whoever was killed least often."""
        kill = min(among, key=lambda one: so_far[one])
        so_far[kill] += 1
        return kill
