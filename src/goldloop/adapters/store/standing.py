"""What should stand on the other side by now: read for a comparison with what does, and made due again.

Only rows that have settled are compared: scores that were confirmed or deleted, eval rows that were written or taken
out. What is due or under way is publish's, and what is parked waits for a person.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Column, Connection, Table, bindparam, select, tuple_, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.outbox import is_settled
from goldloop.adapters.store.resolutions import TICK
from goldloop.adapters.store.rows import StorePart, batches, found, record_of, set_where
from goldloop.ports import EvalDue
from goldloop.records import Score, State


def _reopen(connection: Connection, table: Table, ids: Sequence[str]) -> None:
    """The traces of these rows have something in the outbox again: they are resolved, and published no longer."""
    (column,) = table.primary_key
    draws = tables.draws.c
    for batch in batches(ids):
        theirs = select(table.c.queue, table.c.trace_id).where(column.in_(batch))
        connection.execute(
            update(tables.draws)
            .where(draws.state == State.PUBLISHED.value, tuple_(draws.queue, draws.trace_id).in_(theirs))
            .values(state=State.RESOLVED.value)
        )


class Standing(StorePart):
    def settled_scores(self, queue: str, after: str, limit: int) -> list[tuple[Score, bool]]:
        scores = tables.scores
        query = (
            select(scores)
            .where(scores.c.queue == queue, scores.c.state.in_(["confirmed", "deleted"]), scores.c.score_id > after)
            .order_by(scores.c.score_id)
            .limit(limit)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).mappings()
            return [(record_of(Score, row), row["state"] == "confirmed") for row in rows]

    def known_scores(self, score_ids: Sequence[str]) -> set[str]:
        return self._known(tables.scores.c.score_id, score_ids)

    def known_eval_rows(self, row_ids: Sequence[str]) -> set[str]:
        return self._known(tables.eval_rows.c.row_id, row_ids)

    def _known(self, column: Column[str], ids: Sequence[str]) -> set[str]:
        with self._db.read() as connection:
            return {
                known
                for batch in batches(ids)
                for known in connection.execute(select(column).where(column.in_(batch))).scalars()
            }

    def send_again(self, shown: Mapping[str, datetime]) -> None:
        with self._db.write() as connection:
            rows = found(connection, tables.scores, "score_id", list(shown))
            later = [
                {"of": score_id, "at": max(row["event_at"], shown[score_id]) + TICK}
                for score_id, row in rows.items()
                if row["state"] in {"sent", "confirmed"}
            ]
            if not later:
                return
            these = tables.scores.c.score_id == bindparam("of")
            connection.execute(
                update(tables.scores).where(these).values(state="due", event_at=bindparam("at")),
                later,
            )
            _reopen(connection, tables.scores, [str(one["of"]) for one in later])

    def delete_again(self, score_ids: Sequence[str]) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.scores, score_ids, ["deleted"], state="delete_due")
            _reopen(connection, tables.scores, score_ids)

    def settled_eval_rows(self, queue: str) -> list[EvalDue]:
        eval_rows = tables.eval_rows
        query = select(eval_rows).where(
            eval_rows.c.queue == queue, eval_rows.c.state.in_(["done", "removed"]), is_settled(eval_rows)
        )
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(eval_rows.c.row_id)).mappings()
            return [record_of(EvalDue, {**row, "remove": row["state"] == "removed", "tried": True}) for row in rows]

    def write_eval_rows_again(self, row_ids: Sequence[str]) -> None:
        with self._db.write() as connection:
            set_where(connection, tables.eval_rows, row_ids, ["done"], state="due")
            set_where(connection, tables.eval_rows, row_ids, ["removed"], state="remove_due")
            _reopen(connection, tables.eval_rows, row_ids)
