"""Works off what has become due: the part of a server that runs behind its web part."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from goldloop.devstack.langfuse import observations, score_events
from goldloop.devstack.langfuse.storage import Storage

_AT_A_TIME = 1000

_APPLY: dict[str, Callable[[sqlite3.Connection, Any, int], None]] = {
    "observation": observations.apply,
    "score": score_events.apply,
    "score-deletion": score_events.apply_deletion,
}


def settle(store: Storage, now_ms: int) -> None:
    """Make readable all that is due at `now_ms`, in order of arrival."""
    while store.row("SELECT 1 FROM pending WHERE visible_ms <= ? LIMIT 1", (now_ms,)):
        with store.transaction() as connection:
            due = connection.execute(
                "SELECT seq, visible_ms, kind, payload FROM pending WHERE visible_ms <= ?"
                " ORDER BY visible_ms, seq LIMIT ?",
                (now_ms, _AT_A_TIME),
            ).fetchall()
            for row in due:
                _APPLY[row["kind"]](connection, json.loads(row["payload"]), row["visible_ms"])
            connection.executemany("DELETE FROM pending WHERE seq = ?", ((row["seq"],) for row in due))
