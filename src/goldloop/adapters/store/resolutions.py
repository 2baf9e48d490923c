"""What traces were resolved to, and how new resolutions change the two outboxes."""

import hashlib
import json
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, exists, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.rows import StorePart, batches, clear_parked, record_of
from goldloop.ports import EvalDue, TraceResolution
from goldloop.records import Answer, Score, State

# Langfuse keeps the event with the latest time, in milliseconds: an equal one is ignored.
TICK = timedelta(milliseconds=1)
_GONE = {"delete_due", "deleted", "remove_due", "removed"}
_TEXT = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _digest(content: Any) -> str:
    return hashlib.sha256(_TEXT(content).encode()).hexdigest()


def _score_row(score: Score, queue: str) -> dict[str, Any]:
    said = {name: value for name, value in score if name not in {"score_id", "event_at"}}
    return {**dict(score), "queue": queue, "digest": _digest(said)}


def _eval_row(row: EvalDue, answers: Sequence[Answer]) -> dict[str, Any]:
    said = {answer.question: answer.model_dump(mode="json", exclude={"revised_at"}) for answer in answers}
    digest = _digest([row.queue, row.codebook_version, row.trace_id, said])
    return {**{name: value for name, value in row if name not in {"remove", "tried"}}, "digest": digest}


class _Outbox:
    """One outbox's rows of some traces, and what their resolutions change of them; `write` is what writes it."""

    def __init__(self, connection: Connection, kind: str, queue: str, trace_ids: Sequence[str]) -> None:
        self._connection = connection
        self._table, self._gone = {
            "score": (tables.scores, "delete_due"),
            "eval-row": (tables.eval_rows, "remove_due"),
        }[kind]
        self._kind = kind
        (self._id,) = self._table.primary_key
        wanted = {"trace_id", "event_at", "digest", "state", "state_before_parked", "attempts", self._id.name}
        query = select(*(column for column in self._table.columns if column.name in wanted))
        self._known: dict[str, dict[str, RowMapping]] = {}
        for batch in batches(trace_ids):
            these = query.where(self._table.c.queue == queue, self._table.c.trace_id.in_(batch))
            for row in connection.execute(these).mappings():
                self._known.setdefault(row["trace_id"], {})[row[self._id.name]] = row
        self._new: list[dict[str, Any]] = []
        self._revised: list[dict[str, Any]] = []
        self._taken_back: list[str] = []
        self._vanished: list[str] = []

    def put(self, trace_id: str, rows: Sequence[dict[str, Any]]) -> int:
        """These are all of the trace's rows; how many of its rows that changes.

        A row becomes due unless it stands there with the same digest. The others are taken back, and those that nobody
        was ever handed vanish at once.
        """
        known = self._known.pop(trace_id, {})
        changes = 0
        for row in rows:
            before = known.pop(row[self._id.name], None)
            if before is None:
                self._new.append({**row, "state": "due", "attempts": 0})
            elif before["digest"] != row["digest"] or self._state(before) in _GONE:
                if "event_at" in row:
                    row["event_at"] = max(row["event_at"], before["event_at"] + TICK)
                due = {"state": "due", "state_before_parked": None, "attempts": before["attempts"]}
                self._revised.append(row | due)
            else:
                continue
            changes += 1
        for row_id, left in known.items():
            if self._state(left) not in _GONE:
                (self._taken_back if left["attempts"] else self._vanished).append(row_id)
                changes += 1
        return changes

    def write(self, database: Database) -> None:
        if self._new:
            self._connection.execute(self._table.insert(), self._new)
        database.upsert(self._connection, self._table, self._revised)
        for batch in batches(self._taken_back):
            back = update(self._table).where(self._id.in_(batch)).values(state=self._gone, state_before_parked=None)
            self._connection.execute(back)
        for batch in batches(self._vanished):
            self._connection.execute(delete(self._table).where(self._id.in_(batch)))
        changed = [*(row[self._id.name] for row in self._revised), *self._taken_back, *self._vanished]
        clear_parked(self._connection, [f"{self._kind}:{row_id}" for row_id in changed])

    @staticmethod
    def _state(row: RowMapping) -> str:
        return str(row["state_before_parked"] or row["state"])


def _with_task(connection: Connection, queue: str, trace_ids: Sequence[str]) -> set[str]:
    """In the version that each is asked by: one that is to be labelled again has a task of an older one."""
    tasks, draws = tables.tasks.c, tables.draws.c
    live = exists().where(
        tasks.queue == draws.queue,
        tasks.trace_id == draws.trace_id,
        tasks.deleted_at.is_(None),
        tasks.codebook_version == draws.codebook_version,
    )
    found: set[str] = set()
    for batch in batches(trace_ids):
        query = select(draws.trace_id).where(draws.queue == queue, draws.trace_id.in_(batch), live)
        found.update(connection.execute(query).scalars())
    return found


def _set_states(
    connection: Connection, queue: str, resolutions: Sequence[TraceResolution], changed: Collection[str], at: datetime
) -> None:
    """`changed` are the traces that have something new in an outbox."""
    draws = tables.draws.c
    current: dict[str, str] = {}
    for batch in batches([one.trace_id for one in resolutions]):
        query = select(draws.trace_id, draws.state).where(draws.queue == queue, draws.trace_id.in_(batch))
        current.update(connection.execute(query).tuples().all())
    open_ones = [one.trace_id for one in resolutions if one.state == State.QUEUED]
    with_task = _with_task(connection, queue, open_ones)
    alike: dict[tuple[tuple[str, Any], ...], list[str]] = {}
    for one in resolutions:
        # One whose task was deleted waits for a new one.
        lost = one.state == State.QUEUED and one.trace_id not in with_task
        values = _values(
            current.get(one.trace_id), State.DRAWN if lost else one.state, at, changed=one.trace_id in changed
        )
        alike.setdefault(tuple(values.items()), []).append(one.trace_id)
    for same, trace_ids in alike.items():
        for batch in batches(trace_ids):
            these = (draws.queue == queue) & draws.trace_id.in_(batch)
            connection.execute(update(tables.draws).where(these).values(**dict(same)))


def _values(current: str | None, state: State, at: datetime, *, changed: bool) -> dict[str, Any]:
    """What of a draw is to be set."""
    values: dict[str, Any] = {"resolve_due": False}
    if current == State.PARKED:
        values["state_before_parked"] = state.value
    elif current != State.PUBLISHED or state != State.RESOLVED or changed:
        values["state"] = state.value
    if state == State.RESOLVED and (changed or current != State.PUBLISHED):
        values["resolved_at"] = at
    return values


class Resolutions(StorePart):
    def due_for_resolve(self, queue: str) -> list[str]:
        """Parked traces too: what their annotations say, or no longer say, is published all the same."""
        draws = tables.draws.c
        query = select(draws.trace_id).where(draws.queue == queue, draws.resolve_due.is_(True))
        with self._db.read() as connection:
            return list(connection.execute(query.order_by(draws.trace_id)).scalars())

    def save_resolutions(self, queue: str, resolutions: Sequence[TraceResolution], at: datetime) -> int:
        """A published trace that is resolved again, and in nothing else, stays published; a parked one, parked.

        All or nothing. `RejectedError` where one of them cannot be held.
        """
        if not resolutions:
            return 0
        trace_ids = [one.trace_id for one in resolutions]
        with self._db.write() as connection:
            answers = tables.answers.c
            for batch in batches(trace_ids):
                mine = (answers.queue == queue) & answers.trace_id.in_(batch)
                connection.execute(delete(tables.answers).where(mine))
            made = [dict(answer) for one in resolutions for answer in one.answers]
            self._db.upsert(connection, tables.answers, made)

            scores = _Outbox(connection, "score", queue, trace_ids)
            eval_rows = _Outbox(connection, "eval-row", queue, trace_ids)
            changes: dict[str, int] = {}
            for one in resolutions:
                wanted = [one.eval_row] if one.eval_row and not one.eval_row.remove else []
                changes[one.trace_id] = scores.put(
                    one.trace_id, [_score_row(score, queue) for score in one.scores]
                ) + eval_rows.put(one.trace_id, [_eval_row(row, one.answers) for row in wanted])
            scores.write(self._db)
            eval_rows.write(self._db)
            _set_states(connection, queue, resolutions, {name for name, number in changes.items() if number}, at)
        return sum(changes.values())

    def answers(self, queue: str, trace_id: str) -> list[Answer]:
        """By question."""
        return self.answers_of(queue, [trace_id]).get(trace_id, [])

    def answers_of(self, queue: str, trace_ids: Sequence[str]) -> dict[str, list[Answer]]:
        """Each trace's by question."""
        answers = tables.answers.c
        made: dict[str, list[Answer]] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                query = select(tables.answers).where(answers.queue == queue, answers.trace_id.in_(batch))
                for row in connection.execute(query.order_by(answers.trace_id, answers.question)).mappings():
                    made.setdefault(row["trace_id"], []).append(record_of(Answer, row))
        return made
