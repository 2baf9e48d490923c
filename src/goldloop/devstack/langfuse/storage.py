"""The SQLite file: tables, transactions, and the queue that makes the read lag.

What arrives is first queued with the time at which it becomes readable; `settle` (see worker) works the queue off
before each call. So a pending update shows the old value, and a score meets its config after it was accepted, as on
a server whose worker runs behind its web part.
"""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Long texts stand last in their row, so that lists without them do not read the overflow pages.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS pending (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, visible_ms INTEGER NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS pending_due ON pending (visible_ms, seq);

CREATE TABLE IF NOT EXISTS observations (
    trace_id TEXT NOT NULL, id TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER, parent_id TEXT,
    is_root INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, level TEXT NOT NULL, status_message TEXT NOT NULL,
    version TEXT NOT NULL, environment TEXT NOT NULL, user_id TEXT NOT NULL, session_id TEXT NOT NULL, trace_name TEXT,
    release TEXT NOT NULL, public INTEGER NOT NULL, model TEXT NOT NULL, prompt_name TEXT NOT NULL,
    prompt_version INTEGER, completion_start_ms INTEGER, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    tags TEXT NOT NULL, model_parameters TEXT NOT NULL, usage TEXT NOT NULL, cost TEXT NOT NULL,
    metadata TEXT NOT NULL, input TEXT, output TEXT,
    PRIMARY KEY (trace_id, id));
CREATE INDEX IF NOT EXISTS observations_newest ON observations (start_ms, trace_id, id);
CREATE INDEX IF NOT EXISTS observations_roots ON observations (is_root, start_ms, trace_id, id);
CREATE INDEX IF NOT EXISTS observations_session ON observations (session_id, start_ms);

CREATE TABLE IF NOT EXISTS scores (
    id TEXT PRIMARY KEY, timestamp_ms INTEGER NOT NULL, event_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, data_type TEXT NOT NULL, number REAL,
    string TEXT, environment TEXT NOT NULL, trace_id TEXT, observation_id TEXT, session_id TEXT, dataset_run_id TEXT,
    config_id TEXT, queue_id TEXT, comment TEXT, metadata TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS scores_newest ON scores (timestamp_ms, id);
CREATE INDEX IF NOT EXISTS scores_trace ON scores (trace_id, timestamp_ms, id);

CREATE TABLE IF NOT EXISTS score_configs (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS datasets (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dataset_items (
    id TEXT PRIMARY KEY, dataset_id TEXT NOT NULL, created_ms INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS dataset_items_newest ON dataset_items (dataset_id, created_ms, id);
CREATE TABLE IF NOT EXISTS dataset_run_items (id TEXT PRIMARY KEY, body TEXT NOT NULL);
"""


class Storage:
    """One connection behind one lock, shared by the server's threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._last_event_ms = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing; other threads wait. One inside another is part of the outer one."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Row | None:
        with self._lock:
            found: sqlite3.Row | None = self._connection.execute(sql, parameters).fetchone()
            return found

    def count(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        found = self.row(sql, parameters)
        return int(found[0]) if found else 0

    def queue(self, kind: str, payloads: Iterable[Any], *, visible_ms: int) -> None:
        """Keep `payloads` (JSON values) until `visible_ms`, in their order, in one transaction."""
        with self.transaction() as connection:
            connection.executemany(
                "INSERT INTO pending (visible_ms, kind, payload) VALUES (?, ?, ?)",
                ((visible_ms, kind, json.dumps(payload)) for payload in payloads),
            )

    def next_event_ms(self, now_ms: int, count: int) -> int:
        """The first of `count` event times that no earlier call was given, at or after `now_ms`."""
        with self._lock:
            first = max(now_ms, self._last_event_ms + 1)
            self._last_event_ms = first + max(count, 1) - 1
            return first
