"""Traces and users' scores, written straight into the stand-in's database: sending 200,000 would take longer.

The rows go through the stand-in's own writers, so they read as sent ones do.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from goldloop.devstack.langfuse import observations, score_events, times
from goldloop.devstack.langfuse.storage import Storage

CATEGORIES = ("returns", "billing", "shipping", "account", "other")
_ASKED = "How do I send back the lamp that I bought three weeks ago, and who pays for the parcel? "
_ANSWERED = "You can send it back within 30 days: print the label in your account, and the parcel costs nothing. "
_REPEATS = 8
"""About 700 characters each of question and answer: with what else a task shows, some 2.5 KB a task."""
_APART = timedelta(seconds=1)
_A_TRANSACTION = 20_000


def trace_id(number: int) -> str:
    """32 hexadecimal digits, in no order of time."""
    return hashlib.sha256(f"bench/{number}".encode()).hexdigest()[:32]


def fill(database: Path, newest: datetime, count: int, scores: int, *, first: int = 0) -> None:
    """`count` traces of one root each, a second apart and the last at `newest`; every so many of them has a score."""
    storage = Storage(database)
    now_ms = times.to_ms(newest)
    try:
        for start in range(first, first + count, _A_TRANSACTION):
            with storage.transaction() as connection:
                for number in range(start, min(start + _A_TRANSACTION, first + count)):
                    at = newest - (first + count - 1 - number) * _APART
                    observations.apply(connection, _observation(number, at), now_ms)
        step = max(1, count // scores) if scores else 0
        with storage.transaction() as connection:
            for queued in _scores(first, count, step, newest):
                score_events.apply(connection, queued, now_ms)
    finally:
        storage.close()


def _scores(first: int, count: int, step: int, newest: datetime) -> Iterator[dict[str, Any]]:
    for number in range(first, first + count, step) if step else ():
        at = newest - (first + count - 1 - number) * _APART
        body = {
            "id": f"signal-{number}",
            "traceId": trace_id(number),
            "name": "user-thumb",
            "value": number % 2,
            "dataType": "NUMERIC",
            "environment": "production",
            "metadata": {"from": "widget"},
        }
        yield score_events.event(f"signal-{number}", body, times.to_ms(at))


def _observation(number: int, at: datetime) -> dict[str, Any]:
    begins = times.to_ms(at)
    identity = trace_id(number)
    return {
        "trace_id": identity,
        "id": identity[:16],
        "start_ms": begins,
        "end_ms": begins + 1400,
        "parent_id": None,
        "is_root": True,
        "type": "GENERATION",
        "name": "answer",
        "level": "DEFAULT",
        "status_message": "",
        "version": "",
        "environment": "production",
        "user_id": f"user-{number % 5000}",
        "session_id": f"session-{number // 3}",
        "trace_name": CATEGORIES[number % len(CATEGORIES)],
        "release": "2026.11",
        "public": False,
        "model": "small-model-1",
        "prompt_name": "support",
        "prompt_version": 3,
        "completion_start_ms": None,
        "tags": ["web", "en"],
        "model_parameters": {"temperature": "0.2"},
        "usage": {"input": 420, "output": 160, "total": 580},
        "cost": {"input": 0.0004, "output": 0.0006, "total": 0.001},
        "metadata": {"shop": "berlin"},
        "input": f"[{number}] {_ASKED * _REPEATS}",
        "output": f"[{number}] {_ANSWERED * _REPEATS}",
    }
