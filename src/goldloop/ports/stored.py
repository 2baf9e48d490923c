"""What the store tells in shapes of its own: columns of candidates and signals, what waits, what stands where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from goldloop.numeric import Floats
from goldloop.records import Answer, Record, Score, State, Utc
from goldloop.sampling.frame import Names


class EvalDue(Record):
    """An eval row that waits to be written (or, with `remove`, taken out); `tried` where it was handed out before."""

    row_id: str
    queue: str
    codebook_version: str
    trace_id: str
    remove: bool
    tried: bool = False


@dataclass(frozen=True)
class TraceResolution:
    """What one trace was resolved to: its state, all of its answers and scores, and its eval row where it has one."""

    trace_id: str
    state: State
    answers: Sequence[Answer]
    scores: Sequence[Score]
    eval_row: EvalDue | None


Column = Literal["session", "time", "model", "release", "prompt", "tags", "cluster", "sketch"]
"""What a frame has only where it is asked for: most draws do without, and reading costs time."""


@dataclass(frozen=True)
class SignalColumns:
    """Signals, one a row, oldest first; every column has shape (m,).

    `value` is NaN where the signal has none; codes of `label` are -1 where it has none.
    """

    trace_id: NDArray[np.bytes_]
    name: Names
    value: Floats
    label: Names


class OpenTrace(Record):
    """A trace that waits for its first answer; `timestamp` is the trace's own."""

    trace_id: str
    run_id: str
    policy: str
    state: State
    timestamp: Utc


class QueueCounts(Record):
    """What the report shows of one queue."""

    queue: str
    by_state: dict[str, int]
    by_policy: dict[str, dict[str, int]]
    parked_by_reason: dict[str, int]
    scores_by_state: dict[str, int]
    eval_rows: int
    eval_rows_waiting: int = Field(default=0, description="to be written or taken out")
    oldest_open: Utc | None
    annotations: int
    skips: int
    predictions: int = Field(description="drawn traces that a judge has read, in the version that they are asked by")
    skips_by_reason: dict[str, int] = Field(default_factory=dict)
    quarantined: dict[str, int] = Field(default_factory=dict, description="answers set aside, by question")
    annotated_today: dict[str, int] = Field(
        default_factory=dict, description="annotations and skips by annotator, since the time that was asked for"
    )
