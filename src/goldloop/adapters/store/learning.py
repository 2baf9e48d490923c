"""What judges learn from and what they learned: features, blind labels, fits, examples."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, RowMapping, and_, delete, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, batches, record_of
from goldloop.records import BlindLabel, Example, JudgeFit, JudgeQuality, TraceFeatures

_NUMBERS = np.dtype("<f4")
"""How a trace's features lie in the database."""
_TICK = timedelta(microseconds=1)


class Learning(StorePart):
    def save_features(self, features: Sequence[TraceFeatures]) -> None:
        """Numbers keep the seven digits of a 32-bit float."""
        rows = [
            {
                "trace_id": one.trace_id,
                "version": one.version,
                "asked": one.asked,
                "numbers": np.array(one.values, dtype=_NUMBERS).tobytes(),
            }
            for one in features
        ]
        with self._db.write() as connection:
            self._db.upsert(connection, tables.trace_features, rows)

    def features(self, version: str, trace_ids: Sequence[str]) -> dict[str, TraceFeatures]:
        table = tables.trace_features
        known: dict[str, TraceFeatures] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                query = select(table).where(table.c.version == version, table.c.trace_id.in_(batch))
                for row in connection.execute(query).mappings():
                    known[row["trace_id"]] = _features(row)
        return known

    def blind_labels(self, queue: str) -> list[BlindLabel]:
        answers, draws, candidates = tables.answers.c, tables.draws.c, tables.candidates.c
        query = (
            select(
                answers.queue,
                answers.trace_id,
                answers.question,
                answers.codebook_version.label("since"),
                answers.value,
                candidates.session_id,
                candidates.category,
            )
            .join_from(
                tables.answers,
                tables.draws,
                and_(draws.queue == answers.queue, draws.trace_id == answers.trace_id),
            )
            .join(tables.candidates, candidates.trace_id == answers.trace_id, isouter=True)
            .where(answers.queue == queue, answers.quarantined.is_(False), draws.blind.is_(True))
            .order_by(answers.trace_id, answers.question)
        )
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [record_of(BlindLabel, {**row, "category": row["category"] or ""}) for row in rows]

    def save_fits(self, fits: Sequence[JudgeFit]) -> None:
        """One that is there already stays as it is, but where another came after it, it is the newest again."""
        with self._db.write() as connection:
            for fit in fits:
                _save(connection, fit)

    def fits(self, queue: str) -> list[JudgeFit]:
        newest = {_place(fit): fit for fit in self.fit_history(queue)}
        return [newest[place] for place in sorted(newest)]

    def fit_history(self, queue: str) -> list[JudgeFit]:
        """Of two of one time the order is that of their versions: any, but always the same."""
        fits = tables.judge_fits.c
        query = select(tables.judge_fits).where(fits.queue == queue)
        query = query.order_by(fits.fitted_at, fits.version, fits.judge, fits.judge_version, fits.question)
        with self._db.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [record_of(JudgeFit, {**row, "quality": JudgeQuality.model_validate(row["quality"])}) for row in rows]

    def save_example(self, example: Example) -> None:
        """One that is there already gets the new note, and stays as old as it is."""
        statement = self._db.insert(tables.judge_examples)
        changed: dict[str, Any] = {"note": statement.excluded.note}
        with self._db.write() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["queue", "trace_id"], set_=changed), [dict(example)]
            )

    def remove_example(self, queue: str, trace_id: str) -> bool:
        examples = tables.judge_examples.c
        this = and_(examples.queue == queue, examples.trace_id == trace_id)
        with self._db.write() as connection:
            return bool(connection.execute(delete(tables.judge_examples).where(this)).rowcount)

    def examples(self, queue: str) -> list[Example]:
        examples = tables.judge_examples.c
        query = select(tables.judge_examples).where(examples.queue == queue)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(examples.added_at, examples.trace_id)).mappings()
            return [record_of(Example, row) for row in rows]


def _features(row: RowMapping) -> TraceFeatures:
    values = np.frombuffer(row["numbers"], dtype=_NUMBERS).tolist()
    return record_of(TraceFeatures, {**row, "values": tuple(values)})


def _save(connection: Connection, fit: JudgeFit) -> None:
    fits = tables.judge_fits.c
    rivals = and_(
        fits.queue == fit.queue,
        fits.judge == fit.judge,
        fits.judge_version == fit.judge_version,
        fits.question == fit.question,
    )
    times: dict[str, datetime] = dict(
        connection.execute(select(fits.version, fits.fitted_at).where(rivals)).tuples().all()
    )
    if fit.version not in times:
        connection.execute(tables.judge_fits.insert(), {**dict(fit), "quality": fit.quality.model_dump(mode="json")})
        return
    newest, at = max(times.items(), key=lambda one: (one[1], one[0]))
    if newest != fit.version:
        again = max(fit.fitted_at, at + _TICK)
        connection.execute(update(tables.judge_fits).where(rivals, fits.version == fit.version).values(fitted_at=again))


def _place(fit: JudgeFit) -> tuple[str, str, str]:
    """What has one newest fit."""
    return fit.judge, fit.judge_version, fit.question
