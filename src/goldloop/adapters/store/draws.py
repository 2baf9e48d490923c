"""Draws and their runs."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, exists, func, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.aside import keep_aside, work_out_kept
from goldloop.adapters.store.faults import SERVER
from goldloop.adapters.store.rows import StorePart, batches, found, record_of
from goldloop.errors import RejectedError, RetryableError
from goldloop.ports import OpenTrace
from goldloop.records import Draw, DrawRun, Parked, State

RELABEL = "relabel"
"""The policy whose draws are kept apart: their traces were drawn before."""
_ORDER = (tables.draws.c.priority, tables.draws.c.trace_id)


class Draws(StorePart):
    def drawn_since(self, queue: str, since: datetime) -> int:
        counts = [
            select(func.count()).where(table.c.queue == queue, table.c.drawn_at >= since).scalar_subquery()
            for table in (tables.draws, tables.relabels)
        ]
        with self._db.read() as connection:
            return sum(connection.execute(select(*counts)).one())

    def save_draw(self, run: DrawRun, draws: Sequence[Draw], overflow: Sequence[Parked] = ()) -> None:
        """All or nothing. `RetryableError` where one of the traces was drawn before: another run came first."""
        rows = [
            {**dict(draw), "state": State.DRAWN.value, "resolve_due": False, "drawn_at": run.drawn_at} for draw in draws
        ]
        with self._db.write() as connection:
            taken = len(found(connection, tables.draw_runs, "run_id", [run.run_id]))
            for table, those in apart(rows):
                for batch in batches(those):
                    trace_ids = [row["trace_id"] for row in batch]
                    known = table.c.queue == run.queue, table.c.trace_id.in_(trace_ids)
                    taken += connection.execute(select(func.count()).select_from(table).where(*known)).scalar_one()
            if taken:
                raise RetryableError(
                    SERVER, f"Another draw of queue {run.queue} came first and has some of these traces: draw again."
                )
            connection.execute(tables.draw_runs.insert(), {**dict(run), "seed": str(run.seed)})
            for table, those in apart(rows):
                if those:
                    columns = {column.name for column in table.columns}
                    connection.execute(
                        table.insert(), [{k: v for k, v in row.items() if k in columns} for row in those]
                    )
            for parked in overflow:
                keep_aside(self._db, connection, parked)

    def draw_runs(self, queue: str) -> list[DrawRun]:
        runs = tables.draw_runs
        query = select(runs).where(runs.c.queue == queue).order_by(runs.c.drawn_at, runs.c.run_id)
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        # Runs of before these columns were there hold nothing in them.
        return [
            record_of(DrawRun, {name: {} if value is None else value for name, value in row.items()}) for row in rows
        ]

    def relabels(self, queue: str) -> list[Draw]:
        relabels = tables.relabels.c
        query = (
            select(tables.relabels)
            .where(relabels.queue == queue, relabels.queued_at.is_(None))
            .order_by(relabels.priority, relabels.trace_id)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        fixed = {"policy": RELABEL, "mixture": {RELABEL: 1.0}, "blind": True, "blind_probability": 1.0}
        kept = [name for name in tables.relabels.columns.keys() if name in Draw.model_fields]  # noqa: SIM118 - columns
        return [Draw.model_validate({**fixed, **{name: row[name] for name in kept}}) for row in rows]

    def mark_relabels_queued(self, queue: str, trace_ids: Sequence[str], at: datetime) -> None:
        relabels = tables.relabels
        with self._db.write() as connection:
            for batch in batches(trace_ids):
                these = and_(relabels.c.queue == queue, relabels.c.trace_id.in_(batch))
                connection.execute(update(relabels).where(these).values(queued_at=at))

    def open_traces(self, queue: str) -> list[OpenTrace]:
        draws, candidates, annotations = tables.draws.c, tables.candidates.c, tables.annotations.c
        answered = exists().where(
            annotations.queue == draws.queue, annotations.trace_id == draws.trace_id, annotations.deleted.is_(False)
        )
        query = (
            select(draws.trace_id, draws.run_id, draws.policy, draws.state, candidates.timestamp)
            .join(tables.candidates, candidates.trace_id == draws.trace_id)
            .where(draws.queue == queue, draws.state.in_([State.DRAWN.value, State.QUEUED.value]), ~answered)
            .order_by(*_ORDER)
        )
        with self._db.read() as connection:
            return [record_of(OpenTrace, row) for row in connection.execute(query).mappings()]

    def set_aside(self, parked: Sequence[Parked]) -> None:
        with self._db.write() as connection:
            for row in parked:
                keep_aside(self._db, connection, row)
            for queue in sorted({row.queue for row in parked}):
                work_out_kept(connection, queue)

    def draws(self, queue: str, state: State) -> list[Draw]:
        draws = tables.draws.c
        query = select(tables.draws).where(draws.queue == queue, draws.state == state.value).order_by(*_ORDER)
        with self._db.read() as connection:
            return [record_of(Draw, row) for row in connection.execute(query).mappings()]

    def draw(self, queue: str, trace_id: str) -> Draw:
        """`RejectedError` where the queue never drew this trace."""
        draws = tables.draws.c
        query = select(tables.draws).where(draws.queue == queue, draws.trace_id == trace_id)
        with self._db.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise RejectedError(
                SERVER, f"Queue {queue} never drew trace {trace_id}: look where it comes from.", reason="never drawn"
            )
        return record_of(Draw, row)

    def drawn(self, queue: str, trace_ids: Sequence[str]) -> list[Draw]:
        draws = tables.draws.c
        found: list[Draw] = []
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                query = select(tables.draws).where(draws.queue == queue, draws.trace_id.in_(batch))
                found += [record_of(Draw, row) for row in connection.execute(query.order_by(*_ORDER)).mappings()]
        return found


def apart(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """First draws, and draws of what has an answer already."""
    yield tables.draws, [row for row in rows if row["policy"] != RELABEL]
    yield tables.relabels, [row for row in rows if row["policy"] == RELABEL]
