"""What judges said: of traces that were drawn, and of candidates that never were."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, RowMapping, Text, and_, bindparam, cast, exists, func, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import BATCH, StorePart, batches, record_of
from goldloop.numeric import Floats
from goldloop.ports import Prelabel, Risks, Selection
from goldloop.records import Judgement, Prediction, State

_NEWEST = (
    tables.predictions.c.judged_at.desc(),
    tables.predictions.c.judge,
    tables.predictions.c.judge_version,
)
_ROWS = 50_000
"""Risks that are objects at once: a million of them would take 200 MB."""

_SHOWN = (
    select(
        tables.predictions.c.trace_id,
        cast(tables.predictions.c.answers, Text),
        tables.predictions.c.probability,
        tables.predictions.c.abstained,
        tables.predictions.c.judge,
        tables.predictions.c.judge_version,
    )
    .where(
        tables.predictions.c.queue == bindparam("queue_"),
        tables.predictions.c.codebook_version == bindparam("version_"),
        tables.predictions.c.trace_id.in_(bindparam("trace_ids_", expanding=True)),
    )
    .order_by(*_NEWEST)
)
"""Built once, of few columns, and no JSON is read: a page waits for it."""


class Predictions(StorePart):
    def judged(self, queue: str, codebook_version: str, judge: str, judge_version: str) -> set[str]:
        draws, predictions = tables.draws.c, tables.predictions.c
        query = (
            select(draws.trace_id)
            .join(
                tables.predictions,
                and_(predictions.queue == draws.queue, predictions.trace_id == draws.trace_id),
            )
            .where(
                draws.queue == queue,
                draws.state == State.DRAWN.value,
                predictions.codebook_version == codebook_version,
                predictions.judge == judge,
                predictions.judge_version == judge_version,
            )
        )
        with self._db.read() as connection:
            return set(connection.execute(query).scalars())

    def unjudged_candidates(
        self, queue: str, codebook_version: str, judge: str, judge_version: str, selection: Selection
    ) -> Iterator[list[str]]:
        """Read in batches, newest first: what is judged meanwhile moves none of the rest."""
        candidates = tables.candidates.c
        wanted = _unjudged(queue, codebook_version, judge, judge_version, selection)
        left = selection.limit
        last: tuple[datetime, str] | None = None
        while left is None or left > 0:
            query = select(candidates.timestamp, candidates.trace_id).where(*wanted)
            if last:
                at, trace_id = last
                later = (candidates.timestamp < at) | (candidates.trace_id > trace_id)
                query = query.where(candidates.timestamp <= at, later)  # the first of them is what an index knows
            query = query.order_by(candidates.timestamp.desc(), candidates.trace_id)
            with self._db.read() as connection:
                rows = connection.execute(query.limit(BATCH if left is None else min(BATCH, left))).all()
            if not rows:
                return
            last = rows[-1][0], rows[-1][1]
            left = None if left is None else left - len(rows)
            yield [trace_id for _, trace_id in rows]

    def count_unjudged_candidates(
        self, queue: str, codebook_version: str, judge: str, judge_version: str, selection: Selection
    ) -> int:
        wanted = _unjudged(queue, codebook_version, judge, judge_version, selection)
        query = select(func.count()).select_from(tables.candidates).where(*wanted)
        with self._db.read() as connection:
            count = connection.execute(query).scalar_one()
        return count if selection.limit is None else min(count, selection.limit)

    def save_predictions(self, predictions: Sequence[Prediction]) -> None:
        with self._db.write() as connection:
            self._db.upsert(connection, tables.predictions, [_row(prediction) for prediction in predictions])

    def prediction(self, queue: str, codebook_version: str, trace_id: str) -> Prediction | None:
        return self.predictions(queue, codebook_version, [trace_id]).get(trace_id)

    def predictions(self, queue: str, codebook_version: str, trace_ids: Sequence[str]) -> dict[str, Prediction]:
        predictions = tables.predictions.c
        newest: dict[str, RowMapping] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                query = select(tables.predictions).where(
                    predictions.queue == queue,
                    predictions.codebook_version == codebook_version,
                    predictions.trace_id.in_(batch),
                )
                for row in connection.execute(query.order_by(*_NEWEST)).mappings():
                    newest.setdefault(row["trace_id"], row)
        return {trace_id: _prediction(row) for trace_id, row in newest.items()}

    def prelabels(self, queue: str, codebook_version: str, trace_ids: Sequence[str]) -> dict[str, Prelabel]:
        newest: dict[str, Prelabel] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                wanted = {"queue_": queue, "version_": codebook_version, "trace_ids_": [*batch]}
                for trace_id, *said in connection.execute(_SHOWN, wanted):
                    if trace_id not in newest:
                        newest[trace_id] = Prelabel(*said)
        return newest

    def all_predictions(self, queue: str, trace_ids: Sequence[str]) -> list[Prediction]:
        predictions = tables.predictions.c
        found: list[Prediction] = []
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                query = select(tables.predictions).where(predictions.queue == queue, predictions.trace_id.in_(batch))
                found += [_prediction(row) for row in connection.execute(query).mappings()]
        return sorted(found, key=lambda one: (one.judged_at, one.trace_id, one.judgement.judge))

    def risks(self, queue: str, as_of: datetime | None = None) -> Risks:
        """Of several judgements of one time the highest risk counts."""
        predictions = tables.predictions.c
        query = select(predictions.trace_id, predictions.risk, predictions.dissent).where(
            predictions.queue == queue, predictions.risk.is_not(None)
        )
        if as_of is not None:
            query = query.where(predictions.judged_at <= as_of)
        # An index has just these columns in just this order: the rows themselves, a kilobyte each, stay unread.
        query = query.order_by(
            predictions.trace_id, predictions.judged_at, predictions.risk, predictions.dissent.nulls_first()
        )
        trace_ids: list[bytes] = []
        numbers: list[Floats] = []
        with self._db.read() as connection:
            cursor = connection.execute(query).cursor
            assert cursor is not None
            # Straight from the driver: these columns need no conversion, and there may be very many rows.
            while rows := cursor.fetchmany(_ROWS):
                trace_ids += [row[0].encode() for row in rows]
                numbers.append(np.array([row[1:] for row in rows], dtype=np.float64))  # None becomes NaN
        key = np.array(trace_ids, dtype="S")
        newest = np.append(key[1:] != key[:-1], [True] * bool(len(key))).astype(np.bool_)
        risk, dissent = np.concatenate([np.empty((0, 2)), *numbers])[newest].T
        return Risks(trace_id=key[newest], risk=risk, dissent=dissent)


def _unjudged(
    queue: str, codebook_version: str, judge: str, judge_version: str, selection: Selection
) -> list[ColumnElement[bool]]:
    candidates, predictions = tables.candidates.c, tables.predictions.c
    judged = exists().where(
        predictions.queue == queue,
        predictions.trace_id == candidates.trace_id,
        predictions.codebook_version == codebook_version,
        predictions.judge == judge,
        predictions.judge_version == judge_version,
    )
    wanted = [~judged]
    if selection.since is not None:
        wanted.append(candidates.timestamp >= selection.since)
    if selection.until is not None:
        wanted.append(candidates.timestamp < selection.until)
    if selection.categories:
        wanted.append(candidates.category.in_(selection.categories))
    return wanted


def _row(prediction: Prediction) -> dict[str, Any]:
    judgement = prediction.judgement
    row = {**dict(prediction), **dict(judgement), "dissent": judgement.dissent}
    row["votes"] = [vote.model_dump(mode="json") for vote in judgement.votes] or None
    del row["judgement"]
    return row


def _prediction(row: RowMapping) -> Prediction:
    # Rows from before these columns hold nothing in them.
    known = {**row, "votes": row["votes"] or (), "confidences": row["confidences"] or {}}
    return record_of(Prediction, {**known, "judgement": record_of(Judgement, known)})
