"""What a trace was resolved to, and how a new resolution changes the two outboxes."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, exists, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, batches, clear_parked, record_of
from goldloop.ports import EvalDue
from goldloop.records import Answer, Score, State

# Langfuse keeps the event with the latest time, in milliseconds: an equal one is ignored.
TICK = timedelta(milliseconds=1)
_GONE = {"delete_due", "deleted", "remove_due", "removed"}


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _score_digest(score: Score) -> str:
    return _digest({name: value for name, value in score if name not in {"score_id", "event_at"}})


def _eval_digest(row: EvalDue, answers: Sequence[Answer]) -> str:
    said = {answer.question: answer.model_dump(mode="json", exclude={"revised_at"}) for answer in answers}
    return _digest([row.queue, row.codebook_version, row.trace_id, said])


class _Outbox:
    """One outbox's rows of one trace, and how many of them a resolution has changed."""

    def __init__(self, connection: Connection, kind: str, queue: str, trace_id: str) -> None:
        self._connection = connection
        self._table, self._gone = {
            "score": (tables.scores, "delete_due"),
            "eval-row": (tables.eval_rows, "remove_due"),
        }[kind]
        self._kind = kind
        (self._id,) = self._table.primary_key
        owner = (self._table.c.queue == queue) & (self._table.c.trace_id == trace_id)
        rows = connection.execute(select(self._table).where(owner)).mappings()
        self._rows: dict[str, RowMapping] = {row[self._id.name]: row for row in rows}
        self.changes = 0

    def put(self, row: dict[str, Any]) -> None:
        """Make the row due, unless it stands there with the same digest."""
        known = self._rows.pop(row[self._id.name], None)
        if known is None:
            self._connection.execute(self._table.insert(), {**row, "state": "due", "attempts": 0})
        elif known["digest"] == row["digest"] and self._state(known) not in _GONE:
            return
        else:
            if "event_at" in row:
                row = {**row, "event_at": max(row["event_at"], known["event_at"] + TICK)}
            self._change(known, **row, state="due", state_before_parked=None)
        self.changes += 1

    def drop_others(self) -> None:
        """Take back the rows that were not put: those that nobody was ever handed vanish at once."""
        for known in self._rows.values():
            if self._state(known) in _GONE:
                continue
            if known["attempts"] == 0:
                self._connection.execute(delete(self._table).where(self._id == known[self._id.name]))
                clear_parked(self._connection, [f"{self._kind}:{known[self._id.name]}"])
            else:
                self._change(known, state=self._gone, state_before_parked=None)
            self.changes += 1

    @staticmethod
    def _state(known: RowMapping) -> str:
        return str(known["state_before_parked"] or known["state"])

    def _change(self, known: RowMapping, **values: Any) -> None:
        self._connection.execute(update(self._table).where(self._id == known[self._id.name]).values(**values))
        clear_parked(self._connection, [f"{self._kind}:{known[self._id.name]}"])


def _has_task(connection: Connection, queue: str, trace_id: str) -> bool:
    """In the version that it is asked by: one that is to be labelled again has a task of an older one."""
    tasks, draws = tables.tasks.c, tables.draws.c
    live = exists().where(
        tasks.queue == queue,
        tasks.trace_id == trace_id,
        tasks.deleted_at.is_(None),
        draws.queue == queue,
        draws.trace_id == trace_id,
        draws.codebook_version == tasks.codebook_version,
    )
    return bool(connection.execute(select(live)).scalar())


def _set_state(connection: Connection, queue: str, trace_id: str, state: State, at: datetime, *, changed: bool) -> None:
    draws = tables.draws.c
    if state == State.QUEUED and not _has_task(connection, queue, trace_id):
        state = State.DRAWN  # its task was deleted: it waits for a new one
    this = (draws.queue == queue) & (draws.trace_id == trace_id)
    values: dict[str, Any] = {"resolve_due": False}
    current = connection.execute(select(draws.state).where(this)).scalar()
    if current == State.PARKED:
        values["state_before_parked"] = state.value
    elif current != State.PUBLISHED or state != State.RESOLVED or changed:
        values["state"] = state.value
    if state == State.RESOLVED and (changed or current != State.PUBLISHED):
        values["resolved_at"] = at
    connection.execute(update(tables.draws).where(this).values(**values))


class Resolutions(StorePart):
    def due_for_resolve(self, queue: str) -> list[str]:
        """Parked traces too: what their annotations say, or no longer say, is published all the same."""
        draws = tables.draws.c
        query = select(draws.trace_id).where(draws.queue == queue, draws.resolve_due.is_(True))
        with self._db.read() as connection:
            return list(connection.execute(query.order_by(draws.trace_id)).scalars())

    def save_resolution(
        self,
        queue: str,
        trace_id: str,
        *,
        state: State,
        answers: Sequence[Answer],
        scores: Sequence[Score],
        eval_row: EvalDue | None,
        at: datetime,
    ) -> int:
        """A published trace that is resolved again, and in nothing else, stays published; a parked one, parked."""
        with self._db.write() as connection:
            mine = (tables.answers.c.queue == queue) & (tables.answers.c.trace_id == trace_id)
            connection.execute(delete(tables.answers).where(mine))
            self._db.upsert(connection, tables.answers, [dict(answer) for answer in answers])

            outbox = _Outbox(connection, "score", queue, trace_id)
            for score in scores:
                outbox.put({**dict(score), "queue": queue, "digest": _score_digest(score)})
            outbox.drop_others()

            eval_outbox = _Outbox(connection, "eval-row", queue, trace_id)
            if eval_row and not eval_row.remove:
                row = dict(eval_row)
                del row["remove"]
                eval_outbox.put({**row, "digest": _eval_digest(eval_row, answers)})
            eval_outbox.drop_others()

            changes = outbox.changes + eval_outbox.changes
            _set_state(connection, queue, trace_id, state, at, changed=changes > 0)
        return changes

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
