"""The candidates of one draw, as columns.

A frame holds a row for each candidate, in the order of the trace ids' UTF-8 bytes, so that neither a database's
collation nor the order in which rows arrive can change a draw. A million rows with every column take some 120 MB.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from goldloop.numeric import Bools, Floats, Ints


@dataclass(frozen=True)
class Names:
    """A column of few distinct names: `codes` (n,) int32 point into `table`; -1 where there is no name."""

    codes: NDArray[np.int32]
    table: Sequence[str]

    @classmethod
    def of(cls, values: Sequence[str | None]) -> Self:
        """From one name a row; None where there is none. Codes follow the order of the names, not of the rows."""
        table = sorted({value for value in values if value is not None})
        place = {name: code for code, name in enumerate(table)}
        return cls(np.array([-1 if v is None else place[v] for v in values], dtype=np.int32), tuple(table))

    @classmethod
    def none(cls, n: int) -> Self:
        return cls(np.broadcast_to(np.int32(-1), (n,)), ())

    def is_in(self, names: Sequence[str]) -> Bools:
        """(n,): whether the row has one of these names."""
        wanted = np.array([name in set(names) for name in self.table] + [False])
        return np.asarray(wanted[self.codes])

    def __len__(self) -> int:
        return len(self.codes)

    def at(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.table[code]

    def rows(self, index: NDArray[Any]) -> Self:
        return replace(self, codes=self.codes[index])


@dataclass(frozen=True)
class Frame:
    """n candidates; every column has shape (n,) and is read only by convention.

    | column | type | meaning | missing |
    |---|---|---|---|
    | trace_id | S, UTF-8 bytes | unique, ascending | never |
    | stratum | Names | category | -1: one more category |
    | user, session | Names | for caps | -1: see `sampling.units` |
    | time | float64, seconds since 1970 UTC | of the trace | never |
    | feedback | float64, log-odds | evidence of failure in users' signals, 0 is none (`signals.evidence`) | 0 |
    | edited | bool | a user edited the output | False |
    | risk | float64, 0..1 | the judge's probability of failure | NaN: no judge, or it abstained |
    | risk2 | float64, 0..1 | a second judge's | NaN |
    | sketch | int64 | 64-bit simhash of the text (`sampling.sketch`) | -1 |
    | model, release, prompt | Names | the app's model, release, prompt (name@version) | -1 |
    | tags | Names | the set of a trace's tags as one name, `TAG_JOIN`-joined | -1 |
    | cluster | Names | a topic or cluster named from outside | -1 |
    | resolved | float64, seconds since 1970 UTC | of its answer; only `relabel` can draw it | NaN: fresh |
    | must | bool | must-review: certain, as far as caps and budget allow | False |

    `Frame.of` makes one from the columns there are; `dataclasses.replace` changes columns of one that is.
    """

    trace_id: NDArray[np.bytes_]
    stratum: Names
    user: Names
    session: Names
    time: Floats
    feedback: Floats
    edited: Bools
    risk: Floats
    risk2: Floats
    sketch: Ints
    model: Names
    release: Names
    prompt: Names
    tags: Names
    cluster: Names
    resolved: Floats
    must: Bools

    def __post_init__(self) -> None:
        for column in fields(self):
            if len(getattr(self, column.name)) != len(self.trace_id):
                raise ValueError(f"the frame's column {column.name} has not the {len(self.trace_id)} rows of trace_id")
        if not (self.trace_id[:-1] < self.trace_id[1:]).all():
            raise ValueError("the frame's trace ids are not unique and ascending: make it with Frame.of")

    @classmethod
    def of(cls, trace_id: Sequence[str] | NDArray[np.bytes_], **columns: Names | ArrayLike | None) -> Self:
        """A frame of rows in any order, by the columns' names.

        Columns left out are missing for every row, at no memory; `stratum` defaults to one stratum, `time` to 0. The
        rows are sorted by trace id, unless they are; a trace id may come once only (ValueError).
        """
        key = trace_id if isinstance(trace_id, np.ndarray) else np.array([one.encode() for one in trace_id], dtype="S")
        n = len(key)
        given: dict[str, Any] = {
            name: Names.none(n) if missing is None else np.broadcast_to(np.asarray(missing), (n,))
            for name, missing in _MISSING.items()
        }
        given["stratum"] = Names(np.broadcast_to(np.int32(0), (n,)), ("",))
        for name, column in columns.items():
            if column is not None:
                given[name] = column if isinstance(column, Names) else np.asarray(column, dtype=_DTYPES[name])
        if not (key[:-1] < key[1:]).all():
            order = np.argsort(key, kind="stable")
            key = key[order]
            for name, column in given.items():
                given[name] = column.rows(order) if isinstance(column, Names) else column[order]
        return cls(trace_id=key, **given)

    def __len__(self) -> int:
        return len(self.trace_id)

    @property
    def fresh(self) -> Bools:
        """(n,): never resolved. Every policy but `relabel` draws from these."""
        return np.isnan(self.resolved)

    def ids(self, index: NDArray[Any] | slice = slice(None)) -> list[str]:
        """The trace ids of these rows, as text."""
        return [key.decode() for key in self.trace_id[index].tolist()]

    def rows(self, index: NDArray[Any]) -> Self:
        """The frame of these rows (ascending positions, or a mask)."""
        taken: dict[str, Any] = {}
        for column in fields(self):
            value = getattr(self, column.name)
            taken[column.name] = value.rows(index) if isinstance(value, Names) else value[index]
        return type(self)(**taken)


TAG_JOIN = "\x1f"
_MISSING: dict[str, float | int | bool | None] = {
    "user": None,
    "session": None,
    "time": 0.0,
    "feedback": 0.0,
    "edited": False,
    "risk": np.nan,
    "risk2": np.nan,
    "sketch": -1,
    "model": None,
    "release": None,
    "prompt": None,
    "tags": None,
    "cluster": None,
    "resolved": np.nan,
    "must": False,
}
_DTYPES: dict[str, type] = {
    "time": np.float64,
    "feedback": np.float64,
    "edited": np.bool_,
    "risk": np.float64,
    "risk2": np.float64,
    "sketch": np.int64,
    "resolved": np.float64,
    "must": np.bool_,
}


def seconds(moment: datetime) -> float:
    """A frame's time: seconds since 1970 UTC."""
    return moment.timestamp()
