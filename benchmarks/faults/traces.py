"""The traces of a run: made from its seed, small and varied; some share a timestamp, some come late."""

import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from benchmarks.faults.chance import chance_of, holds
from goldloop.devstack.tracefile import FileDocument, FileMessage, FileSignal, FileTrace

MOST = 10_000
"""Traces: a codebook's budget for one day has no room for more."""
_CATEGORIES = ("billing", "delivery", "account", "returns")
_WORDS = ("order", "parcel", "bill", "late", "twice", "again", "please", "card", "refund", "Zürich", "東京", "café")
_WINDOW = timedelta(minutes=4)
_YOUNGEST = timedelta(seconds=8)
_LATE = timedelta(minutes=35)
"""Well within the overlap that `pull` reads again."""


def file_id(seed: int, number: int) -> str:
    return f"faults-{seed}-{number:05}"


def portions(traces: int, count: int) -> list[range]:
    """The traces' numbers, in portions of about one size."""
    edges = [traces * place // count for place in range(count + 1)]
    return [range(first, last) for first, last in itertools.pairwise(edges)]


def portion(seed: int, numbers: Sequence[int], now: datetime) -> list[FileTrace]:
    """Traces that ended just before `now`, but for a few that are late."""
    return list(_made(seed, numbers, now.replace(microsecond=now.microsecond // 1000 * 1000)))


def _made(seed: int, numbers: Sequence[int], now: datetime) -> Iterator[FileTrace]:
    shared = now - _YOUNGEST
    for number in numbers:
        chance = chance_of(f"{seed}/trace/{number}")
        at = now - _YOUNGEST - timedelta(milliseconds=chance.randrange(int(_WINDOW.total_seconds() * 1000)))
        if holds(chance, 0.05):
            at -= _LATE
        if number % 10 in (0, 1, 2):
            at = shared
        else:
            shared = at
        yield _trace(chance, file_id(seed, number), number, at)


def _trace(chance: random.Random, name: str, number: int, at: datetime) -> FileTrace:
    signals = []
    if holds(chance, 0.15):
        signals.append(FileSignal(name="user_thumbs", value=float(holds(chance, 0.6))))
    context = [FileDocument(title="Rules", text=_words(chance, 12), score=0.5)] if holds(chance, 0.2) else []
    return FileTrace(
        id=name,
        timestamp=at,
        user_id=f"user-{number}",
        name="answer",
        category=chance.choice(_CATEGORIES),
        input=(FileMessage(role="user", content=_words(chance, 8)),),
        context=tuple(context),
        output=f"{name}: {_words(chance, chance.choice([3, 10, 40]))}",
        latency_s=0.5,
        signals=tuple(signals),
    )


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(count))
