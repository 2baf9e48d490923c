"""The two outboxes: scores on their way to Langfuse, eval rows on their way to the golden set.

A score goes due -> sent -> confirmed and delete_due -> deleted; an eval row due -> done and remove_due -> removed; both
may turn to parked. A row counts as tried from the moment it is handed out: a run that dies between sending it and
saying so has told the server, so that taking the row back later takes a deletion.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Table, exists, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, batches, record_of, set_where
from goldloop.ports import EvalDue
from goldloop.records import Score, State


def _is_settled(table: Table) -> ColumnElement[bool]:
    """Whether the row's trace is not to be resolved again: what it says then may be of a version that is over."""
    draws = tables.draws.c
    unsettled = exists().where(
        draws.queue == table.c.queue, draws.trace_id == table.c.trace_id, draws.resolve_due.is_(True)
    )
    return ~unsettled


class Outbox(StorePart):
    def due_scores(self, queue: str, limit: int) -> list[Score]:
        """Oldest first, and handed out: they count as tried from now on."""
        scores = tables.scores
        query = (
            select(scores)
            .where(scores.c.queue == queue, scores.c.state == "due", _is_settled(scores))
            .order_by(scores.c.event_at, scores.c.score_id)
            .limit(limit)
        )
        with self._db.write() as connection:
            due = [record_of(Score, row) for row in connection.execute(query).mappings()]
            for batch in batches(due):
                these = scores.c.score_id.in_([score.score_id for score in batch])
                connection.execute(update(scores).where(these).values(attempts=scores.c.attempts + 1))
        return due

    def due_deletions(self, queue: str, limit: int) -> list[str]:
        return self._score_ids(queue, ["delete_due"], limit)

    def score_ids(self, queue: str) -> list[str]:
        return self._score_ids(queue, ["sent", "confirmed"])

    def _score_ids(self, queue: str, states: Sequence[str], limit: int | None = None) -> list[str]:
        scores = tables.scores.c
        query = select(scores.score_id).where(scores.queue == queue, scores.state.in_(states))
        with self._db.read() as connection:
            return list(connection.execute(query.order_by(scores.score_id).limit(limit)).scalars())

    def unconfirmed_scores(self, queue: str) -> list[tuple[Score, datetime]]:
        scores = tables.scores
        query = select(scores).where(scores.c.queue == queue, scores.c.state == "sent")
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(scores.c.sent_at, scores.c.score_id)).mappings()
            return [(record_of(Score, row), row["sent_at"]) for row in rows]

    def mark_scores_sent(self, score_ids: Sequence[str], at: datetime) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["due", "sent"], state="sent", sent_at=at)

    def mark_scores_confirmed(self, score_ids: Sequence[str]) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["sent"], state="confirmed")

    def mark_scores_deleted(self, score_ids: Sequence[str]) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["delete_due"], state="deleted")

    def due_eval_rows(self, queue: str, limit: int) -> list[EvalDue]:
        """Handed out: they count as tried from now on."""
        eval_rows = tables.eval_rows
        query = (
            select(eval_rows)
            .where(eval_rows.c.queue == queue, eval_rows.c.state.in_(["due", "remove_due"]), _is_settled(eval_rows))
            .order_by(eval_rows.c.row_id)
            .limit(limit)
        )
        with self._db.write() as connection:
            rows = connection.execute(query).mappings().all()
            for batch in batches(rows):
                these = eval_rows.c.row_id.in_([row["row_id"] for row in batch])
                connection.execute(update(eval_rows).where(these).values(attempts=eval_rows.c.attempts + 1))
        return [record_of(EvalDue, {**row, "remove": row["state"] == "remove_due"}) for row in rows]

    def mark_eval_rows_done(self, row_ids: Sequence[str]) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.eval_rows, row_ids, ["due"], state="done")
            set_where(connection, tables.eval_rows, row_ids, ["remove_due"], state="removed")

    def mark_published(self, queue: str) -> int:
        draws, scores, eval_rows = tables.draws.c, tables.scores.c, tables.eval_rows.c
        unsent = exists().where(
            scores.queue == draws.queue,
            scores.trace_id == draws.trace_id,
            scores.state.not_in(["confirmed", "deleted"]),
        )
        unwritten = exists().where(
            eval_rows.queue == draws.queue,
            eval_rows.trace_id == draws.trace_id,
            eval_rows.state.not_in(["done", "removed"]),
        )
        finished = (
            update(tables.draws)
            .where(
                draws.queue == queue,
                draws.state == State.RESOLVED.value,
                draws.resolve_due.is_(False),
                ~unsent,
                ~unwritten,
            )
            .values(state=State.PUBLISHED.value)
        )
        with self._db.write() as connection:
            return connection.execute(finished).rowcount
