"""Candidates and signals: what pull brings."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal_column, or_, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.engine import Insert
from goldloop.adapters.store.rows import StorePart, batches, found, record_of
from goldloop.adapters.store.tables import scores
from goldloop.records import Candidate, Signal

_NONE: ColumnElement[Any] = literal_column("0")
"""In the statement itself: as a parameter it would go to the database dozens of times with each row."""


def _merged(page: Sequence[Candidate]) -> list[Candidate]:
    """One candidate a trace: that of its earliest root, with the page's roots counted together."""
    by_trace: dict[str, Candidate] = {}
    for new in page:
        known = by_trace.get(new.trace_id)
        if known is None:
            by_trace[new.trace_id] = new
            continue
        # A candidate that shows no root ranks behind every root, whatever its time.
        first = min(known, new, key=lambda candidate: (candidate.roots == 0, candidate.timestamp))
        by_trace[new.trace_id] = first.model_copy(update={"roots": known.roots + new.roots})
    return list(by_trace.values())


@cache
def _upsert(statement: Insert) -> Insert:
    old, new = tables.candidates.c, statement.excluded
    takes_over = or_(
        and_(new.roots > _NONE, old.roots == _NONE),
        # An equal time is most likely the same root: its other fields may have been filled in since.
        and_(new.timestamp <= old.timestamp, or_(new.roots > _NONE, old.roots == _NONE)),
    )
    changed: dict[str, ColumnElement[Any]] = {
        name: case((takes_over, new[name]), else_=old[name]) for name in Candidate.model_fields if name != "trace_id"
    }
    changed["roots"] = case((new.roots > old.roots, new.roots), else_=old.roots)
    return statement.on_conflict_do_update(index_elements=["trace_id"], set_=changed)


def environments(connection: Connection, trace_ids: Sequence[str]) -> dict[str, str]:
    """By trace id; traces that were never pulled are left out."""
    candidates = tables.candidates.c
    known: dict[str, str] = {}
    for batch in batches(trace_ids):
        query = select(candidates.trace_id, candidates.environment).where(candidates.trace_id.in_(batch))
        known.update(connection.execute(query).tuples().all())
    return known


class Candidates(StorePart):
    def save_candidates(self, candidates: Sequence[Candidate], seen_at: datetime) -> None:
        """Upsert by trace id; the fields are those of the earliest root, and `seen_at` is that of the first call.

        `roots` is the most roots that came in one call, a lower bound of how many the trace has: the overlap of a
        scan brings the same roots again, and they must not count twice.
        """
        rows = [{**vars(candidate), "seen_at": seen_at} for candidate in _merged(candidates)]
        if rows:
            with self._db.write() as connection:
                self._db.execute_many(connection, _upsert(self._db.insert(tables.candidates)), rows)

    def save_signals(self, signals: Sequence[Signal]) -> None:
        with self._db.write() as connection:
            own = found(connection, scores, "score_id", [signal.signal_id for signal in signals])
            rows = [vars(signal) for signal in signals if signal.signal_id not in own]
            self._db.upsert(connection, tables.signals, rows)

    def candidate_count(self) -> int:
        with self._db.read() as connection:
            return connection.execute(select(func.count()).select_from(tables.candidates)).scalar_one()

    def environments(self, trace_ids: Sequence[str]) -> dict[str, str]:
        with self._db.read() as connection:
            return environments(connection, trace_ids)

    def signals(self, trace_id: str) -> list[Signal]:
        """Oldest first."""
        signals = tables.signals
        query = select(signals).where(signals.c.trace_id == trace_id).order_by(signals.c.at, signals.c.signal_id)
        with self._db.read() as connection:
            return [record_of(Signal, row) for row in connection.execute(query).mappings()]

    def signals_of(self, trace_ids: Sequence[str]) -> dict[str, list[Signal]]:
        signals = tables.signals
        known: dict[str, list[Signal]] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                query = select(signals).where(signals.c.trace_id.in_(batch)).order_by(signals.c.at, signals.c.signal_id)
                for row in connection.execute(query).mappings():
                    known.setdefault(row["trace_id"], []).append(record_of(Signal, row))
        return known
