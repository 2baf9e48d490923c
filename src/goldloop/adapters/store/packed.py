"""Whole columns out of the database, a million rows in about a second.

The database joins each column to one text, and the text is split here: handing rows over one by one, as objects, would
take several times as long, and all of the memory. Nothing here depends on the order in which rows come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, literal_column, select, type_coerce

from goldloop.adapters.store.columns import UtcTime
from goldloop.adapters.store.faults import SERVER
from goldloop.errors import FatalError
from goldloop.numeric import Floats
from goldloop.ports import Window
from goldloop.sampling.frame import Names

_BETWEEN = "\x1f"
"""Between values: a control character, which no id and no name from Langfuse keeps."""
_WORD = 8
_PROBE = 1000
"""Values looked at first, to see whether a column has few names."""
_FEW = 8
"""A window of less than 1/8 of the table is looked up by its index; for a wider one the table is read through."""


def inside(
    connection: Connection, column: ColumnElement[Any], window: Window, *, is_sqlite: bool
) -> ColumnElement[Any]:
    """The condition that the time lies in the window.

    SQLite takes an index wherever there is one, though for a wide window reading through the table is ten times as
    fast; a sign before the column keeps it from that. PostgreSQL finds out by itself.
    """
    narrow = and_(column >= window.start, column < window.end)
    if not is_sqlite:
        return narrow
    table = column.table
    few = select(func.count()).select_from(table).where(narrow)
    everything = select(func.count()).select_from(table)
    if connection.execute(few).scalar_one() * _FEW < connection.execute(everything).scalar_one():
        return narrow
    plain = type_coerce(literal_column(f"+{table.name}.{column.name}"), UtcTime)
    return and_(plain >= window.start, plain < window.end)


@dataclass
class Packed:
    """One column of n values as one text, with a mark between them; an empty text where a value is missing."""

    n: int
    text: str

    def split(self) -> list[str]:
        values = self.text.split(_BETWEEN) if self.n else []
        if len(values) != self.n:
            raise FatalError(SERVER, "The store holds an id or a name with a control character in it: pull it anew.")
        return values


def read(connection: Connection, columns: Sequence[ColumnElement[Any]], where: ColumnElement[Any]) -> list[Packed]:
    """The columns, all in one order of their rows, which may be any."""
    texts_of = (column if isinstance(column.type, Text) else cast(column, Text) for column in columns)
    joined = [func.aggregate_strings(func.coalesce(column, ""), _BETWEEN) for column in texts_of]
    number, *texts = connection.execute(select(func.count(), *joined).where(where)).one()
    return [Packed(number, text or "") for text in texts]


def keys(column: Packed) -> NDArray[np.bytes_]:
    """Ids as bytes, in UTF-8: shape (n,)."""
    width, rest = divmod(len(column.text) + 1, max(column.n, 1))
    if rest == 0 and width > 1 and column.text.isascii():
        # Most likely all are of one length, as Langfuse's own are: then there is nothing to split.
        table = np.frombuffer((column.text + _BETWEEN).encode(), dtype=np.uint8).reshape(column.n, width)
        marks = table == ord(_BETWEEN)
        if marks[:, -1].all() and not marks[:, :-1].any():
            return np.ascontiguousarray(table[:, :-1]).view(f"S{width - 1}").ravel()
    return as_keys(column.split())


def as_keys(values: Sequence[str]) -> NDArray[np.bytes_]:
    """Some ids as bytes, in UTF-8."""
    return np.array([value.encode() for value in values], dtype="S") if values else np.empty(0, dtype="S1")


def ascending(key: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """The order of unique ids: by their first eight bytes, as numbers, and by all of them where these are the same."""
    size = key.dtype.itemsize
    if size < _WORD:
        return np.argsort(key)
    word = np.ascontiguousarray(key.view(np.uint8).reshape(-1, size)[:, :_WORD]).view(">u8").ravel().astype(np.uint64)
    order = np.argsort(word)
    same = np.flatnonzero(word[order[1:]] == word[order[:-1]])
    tied = np.union1d(same, same + 1)
    order[tied] = order[tied][np.argsort(key[order[tied]])]
    return order


def names(column: Packed, order: NDArray[np.int64]) -> Names:
    """A column of names, in this order of its rows; none where it is empty.

    Codes follow the first row that has the name: so they are the same whatever order the database took.
    """
    if not len(order):
        return Names.none(0)
    values = column.split()
    few = _codes_of_few(values)
    if few is not None:
        codes, named = few
        first, group = _groups_of_few(codes[order], len(named))
        missing = np.flatnonzero(np.array([named[code] for code in codes[order[first]].tolist()]) == "")
    else:
        hashes = np.fromiter(map(hash, values), dtype=np.int64, count=column.n)[order]
        first, group = _groups_of_many(hashes)
        missing = np.flatnonzero(hashes[first] == hash(""))
    if len(missing):
        gap = int(missing[0])
        first = np.delete(first, gap)
        group = np.where(group == gap, -1, group - (group > gap)).astype(np.int32)
    rows = order[first]
    return Names(group, _Picked(column.text, rows) if few is None else tuple(values[row] for row in rows.tolist()))


def _codes_of_few(values: Sequence[str]) -> tuple[NDArray[np.int64], list[str]] | None:
    """A number for each value, and the values by number, where these are few; None where they are many."""
    if len(set(values[:_PROBE])) > _PROBE // 10:
        return None
    few = sorted(set(values))
    number = {name: place for place, name in enumerate(few)}
    return np.fromiter(map(number.__getitem__, values), dtype=np.int64, count=len(values)), few


def _groups_of_few(codes: NDArray[np.int64], number: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The rows that have a code first, ascending, and for each row (n,) the place of its code's among them.

    Codes are below `number`; some may have no row.
    """
    rows = np.arange(len(codes))
    first = np.full(number, len(codes))
    first[codes[::-1]] = rows[::-1]  # of several writes the last stays: the first row
    by_first = np.argsort(first)[: np.count_nonzero(first < len(codes))]
    rank = np.full(number, -1, dtype=np.int32)
    rank[by_first] = np.arange(len(by_first), dtype=np.int32)
    return first[by_first], rank[codes]


def _groups_of_many(hashes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The same by 64-bit hashes: two of a million names share one once in tens of millions of draws."""
    by_hash = np.argsort(hashes)
    ordered = hashes[by_hash]
    new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    first = np.minimum.reduceat(by_hash, np.flatnonzero(new))
    rank = np.empty(len(first), dtype=np.int32)
    by_first = np.argsort(first)
    rank[by_first] = np.arange(len(first), dtype=np.int32)
    group = np.empty(len(hashes), dtype=np.int32)
    group[by_hash] = rank[np.cumsum(new) - 1]
    return first[by_first], group


class _Picked(Sequence[str]):
    """Some values of a column, taken out of its text only when somebody asks: of many names hardly any is looked at."""

    def __init__(self, text: str, rows: NDArray[np.int64]) -> None:
        self._text, self._rows = text, rows

    @cached_property
    def _values(self) -> list[str]:
        return self._text.split(_BETWEEN)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self._values[row] for row in self._rows[place].tolist()]
        return self._values[int(self._rows[place])]


def times(column: Packed, order: NDArray[np.int64]) -> Floats:
    """Seconds since 1970 UTC."""
    moments = np.array(column.split(), dtype="datetime64[us]")[order]
    return np.asarray(moments.astype(np.int64) / 1e6, dtype=np.float64)


def text_of_time(column: ColumnElement[Any], *, is_sqlite: bool) -> ColumnElement[Any]:
    """A time as text without a zone, in UTC, to the microsecond: what `times` reads."""
    if is_sqlite:
        return column
    return func.to_char(func.timezone(UTC.tzname(None), column), 'YYYY-MM-DD"T"HH24:MI:SS.US')
