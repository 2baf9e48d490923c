"""The candidates of a draw as columns, and the slices that point at some of them."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select

from goldloop.adapters.store import packed, tables
from goldloop.adapters.store.rows import StorePart, found, record_of
from goldloop.ports import Column, SignalColumns, Window
from goldloop.records import NamedSlice, State
from goldloop.sampling.frame import TAG_JOIN, Frame, Names, seconds

_CANDIDATES = tables.candidates.c
_COLUMNS: dict[Column, ColumnElement[Any]] = {
    "session": _CANDIDATES.session_id,
    "time": _CANDIDATES.timestamp,
    "model": _CANDIDATES.model,
    "release": _CANDIDATES.release,
    "prompt": _CANDIDATES.prompt,
    "tags": _CANDIDATES.tags,
    "cluster": _CANDIDATES.cluster,
    "sketch": _CANDIDATES.sketch,
}
_NO_SKETCH = -1


class Frames(StorePart):
    def frame(
        self,
        queue: str,
        window: Window,
        *,
        columns: Collection[Column] = (),
        also: Sequence[str] = (),
        even: Sequence[str] = (),
        resolved_before: datetime | None = None,
        as_of: datetime | None = None,
    ) -> Frame:
        """Reads no more than the columns that are asked for, in memory of some 200 bytes a candidate."""
        wanted = [name for name in _COLUMNS if name in columns]
        with self._db.read() as connection:
            drawn, resolved = self._drawn(connection, queue, resolved_before, as_of)
            anew = set(even)
            resolved = {trace_id: at for trace_id, at in resolved.items() if trace_id not in anew}
            where = packed.inside(connection, _CANDIDATES.timestamp, window, is_sqlite=self._db.is_sqlite)
            if also:
                where = or_(where, _CANDIDATES.trace_id.in_(also))
            if resolved_before is not None:
                again = select(tables.draws.c.trace_id).where(_resolved(queue, resolved_before, as_of))
                where = or_(where, _CANDIDATES.trace_id.in_(again))
            if as_of is not None:
                where = and_(where, _CANDIDATES.seen_at <= as_of)
            more = [self._column(name) for name in wanted]
            texts = packed.read(
                connection, [_CANDIDATES.trace_id, _CANDIDATES.category, _CANDIDATES.user_id, *more], where
            )
        key = packed.keys(texts[0])
        order = packed.ascending(key)
        key = key[order]
        fresh = np.ones(len(key), dtype=np.bool_)
        fresh[_rows(key, drawn)[1]] = False
        fresh[_rows(key, packed.as_keys(even))[1]] = True
        when = np.full(len(key), np.nan)
        place, row = _rows(key, packed.as_keys(list(resolved)))
        when[row] = np.array(list(resolved.values()))[place]
        stays = fresh | ~np.isnan(when)
        order, key, when = order[stays], key[stays], when[stays]
        given: dict[str, Names | NDArray[Any]] = {}
        for name, text in zip(["stratum", "user", *wanted], texts[1:], strict=True):
            given[name] = _column(name, text, order)
            text.text = ""  # it is large, and read once
        if resolved:
            given["resolved"] = when
        return Frame.of(key, **given)

    def _column(self, name: Column) -> ColumnElement[Any]:
        column = _COLUMNS[name]
        return packed.text_of_time(column, is_sqlite=self._db.is_sqlite) if name == "time" else column

    def _drawn(
        self, connection: Connection, queue: str, resolved_before: datetime | None, as_of: datetime | None
    ) -> tuple[NDArray[np.bytes_], dict[str, float]]:
        """What the queue drew before, and of it what may be judged again, with the time when it was resolved."""
        draws = tables.draws.c
        before = draws.queue == queue if as_of is None else and_(draws.queue == queue, draws.drawn_at < as_of)
        drawn = connection.execute(select(draws.trace_id).where(before)).scalars().all()
        if resolved_before is None:
            return packed.as_keys(drawn), {}
        again = select(draws.trace_id, draws.resolved_at).where(_resolved(queue, resolved_before, as_of))
        return packed.as_keys(drawn), {trace_id: seconds(at) for trace_id, at in connection.execute(again)}

    def signal_names(self) -> list[str]:
        query = select(tables.signals.c.name).distinct()
        with self._db.read() as connection:
            return sorted(connection.execute(query).scalars())

    def signal_columns(self, window: Window, names: Sequence[str]) -> SignalColumns:
        signals = tables.signals.c
        query = (
            select(signals.trace_id, signals.name, signals.value, signals.label)
            .where(signals.at >= window.start, signals.at < window.end, signals.name.in_(names))
            .order_by(signals.at, signals.signal_id)
        )
        with self._db.read() as connection:
            cursor = connection.execute(query).cursor if names else None
            # Straight from the driver: these columns need no conversion, and there may be very many rows.
            rows = cursor.fetchall() if cursor is not None else []
        trace_ids, called, values, labels = zip(*rows, strict=True) if rows else ((), (), (), ())
        return SignalColumns(
            trace_id=packed.as_keys(trace_ids),
            name=Names.of(called),
            value=np.array(values, dtype=np.float64),  # None becomes NaN
            label=Names.of(labels),
        )

    def slices(self, queue: str, at: datetime | None = None) -> list[NamedSlice]:
        slices = tables.slices.c
        query = select(tables.slices).where(slices.queue == queue).order_by(slices.name)
        if at is not None:
            query = query.where(slices.expires_at > at)
        with self._db.read() as connection:
            return [record_of(NamedSlice, row) for row in connection.execute(query).mappings()]

    def save_slice(self, part: NamedSlice) -> None:
        """Insert it, or replace the one of its name."""
        with self._db.write() as connection:
            self._db.upsert(connection, tables.slices, [dict(part)])

    def remove_slice(self, queue: str, name: str) -> bool:
        slices = tables.slices.c
        with self._db.write() as connection:
            gone = connection.execute(delete(tables.slices).where(slices.queue == queue, slices.name == name))
            return bool(gone.rowcount)

    def unknown_traces(self, trace_ids: Sequence[str]) -> list[str]:
        with self._db.read() as connection:
            known = found(connection, tables.candidates, "trace_id", trace_ids)
        return [trace_id for trace_id in trace_ids if trace_id not in known]


def _resolved(queue: str, before: datetime, as_of: datetime | None) -> ColumnElement[bool]:
    """Draws that have an answer since before then, and were never drawn again, or not by the time `as_of`."""
    draws, relabels = tables.draws.c, tables.relabels.c
    again = select(relabels.trace_id).where(relabels.queue == queue)
    if as_of is not None:
        again = again.where(relabels.drawn_at < as_of)
    return and_(
        draws.queue == queue,
        draws.state.in_([State.RESOLVED.value, State.PUBLISHED.value]),
        draws.resolved_at <= before,
        draws.trace_id.not_in(again),
    )


def _rows(key: NDArray[np.bytes_], wanted: NDArray[np.bytes_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which of the wanted ids are among the sorted ones, and where: places in `wanted`, rows of `key`."""
    if not len(key) or not len(wanted):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    row = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    place = np.flatnonzero(key[row] == wanted)
    return place, row[place]


def _column(name: str, text: packed.Packed, order: NDArray[np.int64]) -> Names | NDArray[Any]:
    match name:
        case "time":
            return packed.times(text, order)
        case "sketch":
            sketches = [int(value) if value else _NO_SKETCH for value in text.split()]
            return np.array(sketches, dtype=np.int64)[order]
        case "tags":
            return _tag_sets(packed.names(text, order))
        case _:
            return packed.names(text, order)


def _tag_sets(stored: Names) -> Names:
    """The stored lists, as the frame has sets of tags."""
    return replace(stored, table=tuple(TAG_JOIN.join(json.loads(text)) for text in stored.table))
