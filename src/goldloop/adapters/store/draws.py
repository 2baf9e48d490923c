"""Draws and their runs, and the predictions made for them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.faults import SERVER
from goldloop.adapters.store.rows import StorePart, batches, found, record_of
from goldloop.errors import RejectedError, RetryableError
from goldloop.records import Draw, DrawRun, Judgement, Prediction, State

_ORDER = (tables.draws.c.priority, tables.draws.c.trace_id)


class Draws(StorePart):
    def drawn_since(self, queue: str, since: datetime) -> int:
        draws = tables.draws.c
        query = select(func.count()).where(draws.queue == queue, draws.drawn_at >= since)
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()

    def save_draw(self, run: DrawRun, draws: Sequence[Draw]) -> None:
        """All or nothing. `RetryableError` where one of the traces was drawn before: another run came first."""
        rows = [
            {**dict(draw), "state": State.DRAWN.value, "resolve_due": False, "drawn_at": run.drawn_at} for draw in draws
        ]
        known = tables.draws.c
        with self._db.write() as connection:
            taken = len(found(connection, tables.draw_runs, "run_id", [run.run_id]))
            for batch in batches(rows):
                trace_ids = [row["trace_id"] for row in batch]
                query = select(func.count()).where(known.queue == run.queue, known.trace_id.in_(trace_ids))
                taken += connection.execute(query).scalar_one()
            if taken:
                raise RetryableError(
                    SERVER, f"Another draw of queue {run.queue} came first and has some of these traces: draw again."
                )
            connection.execute(tables.draw_runs.insert(), {**dict(run), "seed": str(run.seed)})
            if rows:
                connection.execute(tables.draws.insert(), rows)

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

    def unjudged(self, queue: str, judge: str, judge_version: str) -> list[Draw]:
        draws, predictions = tables.draws.c, tables.predictions.c
        judged = exists().where(
            predictions.queue == draws.queue,
            predictions.trace_id == draws.trace_id,
            predictions.codebook_version == draws.codebook_version,
            predictions.judge == judge,
            predictions.judge_version == judge_version,
        )
        query = select(tables.draws).where(draws.queue == queue, draws.state == State.DRAWN.value, ~judged)
        with self._db.read() as connection:
            return [record_of(Draw, row) for row in connection.execute(query.order_by(*_ORDER)).mappings()]

    def save_predictions(self, predictions: Sequence[Prediction]) -> None:
        rows = []
        for prediction in predictions:
            row = {**dict(prediction), **dict(prediction.judgement)}
            del row["judgement"]
            rows.append(row)
        with self._db.write() as connection:
            self._db.upsert(connection, tables.predictions, rows)

    def prediction(self, queue: str, codebook_version: str, trace_id: str) -> Prediction | None:
        predictions = tables.predictions.c
        query = (
            select(tables.predictions)
            .where(
                predictions.queue == queue,
                predictions.codebook_version == codebook_version,
                predictions.trace_id == trace_id,
            )
            .order_by(predictions.judged_at.desc(), predictions.judge, predictions.judge_version)
            .limit(1)
        )
        with self._db.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            return None
        return record_of(Prediction, {**row, "judgement": record_of(Judgement, row)})
