"""What is to be sent, what was sent, and what was seen to have arrived: scores to Langfuse, rows to the golden set.

A score goes due -> sent -> confirmed, and delete_due -> deleted; an eval row due -> done, and remove_due -> removed;
any may turn to parked. A row counts as tried from the moment it is handed out: a run that dies between sending it and
saying so has told the server, so that taking the row back later takes a deletion.

A deletion is sent, and stays due until the server was seen to show the score no more: one that is lost is sent again
by the next run. A deletion carries no time, so a server that works off a delayed creation after it shows the score
again. That is why `deleted` rows are not forgotten: each run looks for those of the last hour once more
(`deleted_since`), and a comparison with the server for all of them; what stands again is deleted again.

What stood and is missing, or stands with a revision that is not ours, is sent again as a later revision (see
`goldloop.adapters.store.standing`): an equal or older one the server would ignore.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, exists, literal, select, tuple_, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, among, record_of, set_where
from goldloop.ports import EvalDue
from goldloop.records import Score, State


def is_settled(table: Table) -> ColumnElement[bool]:
    """Whether the row's trace is not to be resolved again: what it says then may be of a version that is over."""
    draws = tables.draws.c
    unsettled = exists().where(
        draws.queue == table.c.queue, draws.trace_id == table.c.trace_id, draws.resolve_due.is_(True)
    )
    return ~unsettled


_SCORE = [tables.scores.c[name] for name in Score.model_fields]


def _score(row: Sequence[Any]) -> Score:
    """By position: there may be very many, and to look up each column's name takes longer than the rest."""
    return Score.model_validate(dict(zip(Score.model_fields, row, strict=True)))


class Outbox(StorePart):
    def due_scores(self, queue: str, limit: int, after: Score | None = None) -> list[Score]:
        """Oldest first, and handed out: they count as tried from now on."""
        scores = tables.scores
        order = (scores.c.event_at, scores.c.score_id)
        query = select(*_SCORE).where(scores.c.queue == queue, scores.c.state == "due", is_settled(scores))
        if after is not None:
            query = query.where(tuple_(*order) > tuple_(literal(after.event_at), literal(after.score_id)))
        with self._db.write() as connection:
            due = [_score(row) for row in connection.execute(query.order_by(*order).limit(limit))]
            these = among(connection, scores.c.score_id, [score.score_id for score in due])
            connection.execute(update(scores).where(these).values(attempts=scores.c.attempts + 1))
        return due

    def due_deletions(self, queue: str) -> list[str]:
        return self._score_ids(queue, ["delete_due"])

    def deleted_since(self, queue: str, since: datetime) -> list[str]:
        return self._score_ids(queue, ["deleted"], tables.scores.c.sent_at >= since)

    def score_ids(self, queue: str) -> list[str]:
        return self._score_ids(queue, ["sent", "confirmed"])

    def _score_ids(self, queue: str, states: Sequence[str], *where: ColumnElement[bool]) -> list[str]:
        scores = tables.scores.c
        query = select(scores.score_id).where(scores.queue == queue, scores.state.in_(states), *where)
        with self._db.read() as connection:
            return list(connection.execute(query.order_by(scores.score_id)).scalars())

    def unconfirmed_scores(self, queue: str) -> list[tuple[Score, datetime]]:
        scores = tables.scores
        query = select(*_SCORE, scores.c.sent_at).where(scores.c.queue == queue, scores.c.state == "sent")
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(scores.c.sent_at, scores.c.score_id))
            return [(_score(row[:-1]), row[-1]) for row in rows]

    def mark_scores_sent(self, score_ids: Sequence[str], at: datetime) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["due", "sent"], state="sent", sent_at=at)

    def mark_scores_confirmed(self, score_ids: Sequence[str]) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["sent"], state="confirmed")

    def mark_scores_deleted(self, score_ids: Sequence[str], at: datetime) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["delete_due"], state="deleted", sent_at=at)

    def due_eval_rows(self, queue: str, limit: int) -> list[EvalDue]:
        """Handed out: they count as tried from now on."""
        eval_rows = tables.eval_rows
        query = (
            select(eval_rows)
            .where(eval_rows.c.queue == queue, eval_rows.c.state.in_(["due", "remove_due"]), is_settled(eval_rows))
            .order_by(eval_rows.c.row_id)
            .limit(limit)
        )
        with self._db.write() as connection:
            rows = connection.execute(query).mappings().all()
            these = among(connection, eval_rows.c.row_id, [row["row_id"] for row in rows])
            connection.execute(update(eval_rows).where(these).values(attempts=eval_rows.c.attempts + 1))
        return [
            record_of(EvalDue, {**row, "remove": row["state"] == "remove_due", "tried": row["attempts"] > 0})
            for row in rows
        ]

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
