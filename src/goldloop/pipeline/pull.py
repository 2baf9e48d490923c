"""Langfuse -> candidates and signals in the store. Incremental, without payload, a page at a time."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from goldloop.errors import RejectedError
from goldloop.pipeline.parking import NO_QUEUE, park
from goldloop.ports import Page, Progress, Store, TraceSource, Window
from goldloop.records import Candidate, Record, Utc

RowT = TypeVar("RowT")


class PullRange(Record):
    """How far back and how close to now a pull looks.

    Langfuse lists by the time at which an observation started, and shows it only after it ended: the overlap has to
    be longer than the longest trace, and the lag longer than the server takes to show what it was sent.
    """

    since: Utc
    overlap: timedelta
    lag: timedelta


class PullSummary(Record):
    new_traces: int
    signals: int
    parked: int
    window: Window


def pull(source: TraceSource, store: Store, reach: PullRange, now: datetime, progress: Progress) -> PullSummary:
    """Read what is new of both streams, each from its own watermark; a row that cannot be read is parked."""
    window = _window(store, "traces", reach, now)

    def save_candidates(rows: list[Candidate]) -> None:
        store.save_candidates(rows, now)

    known = store.candidate_count()
    _, bad_traces = _read("traces", source.candidates(window), save_candidates, store, now, progress)
    new = store.candidate_count() - known
    store.set_watermark("traces", window.end)

    signal_window = _window(store, "signals", reach, now)
    signals, bad_signals = _read("signals", source.signals(signal_window), store.save_signals, store, now, progress)
    store.set_watermark("signals", signal_window.end)
    return PullSummary(new_traces=new, signals=signals, parked=bad_traces + bad_signals, window=window)


def _window(store: Store, stream: str, reach: PullRange, now: datetime) -> Window:
    """From the watermark less the overlap, or from the very beginning, to now less the lag."""
    end = now - reach.lag
    watermark = store.watermark(stream)
    start = reach.since if watermark is None else max(reach.since, watermark - reach.overlap)
    return Window(start=min(start, end), end=end)


def _read(
    stream: str,
    pages: Iterator[Page[RowT]],
    save: Callable[[list[RowT]], None],
    store: Store,
    now: datetime,
    progress: Progress,
) -> tuple[int, int]:
    done = bad = 0
    for page in pages:
        save(page.rows)
        for row_id, reason in page.rejected:
            error = RejectedError("Langfuse", reason, reason="unreadable")
            park(store, "pull", f"{stream}:{row_id}", error, now, queue=NO_QUEUE, trace_id=None)
        done += len(page.rows)
        bad += len(page.rejected)
        progress(done, None)
    return done, bad
