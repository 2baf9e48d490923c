"""What a prelabel would take, before anything is asked: by a small sample of payloads, and by what past calls took."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice
from math import ceil

from pydantic import Field

from goldloop.codebook.schema import Codebook
from goldloop.judge.protocol import Estimating
from goldloop.pipeline.payload import fetch_all
from goldloop.pipeline.prelabel import PAGE, wanted_of
from goldloop.ports import Judge, Limits, Selection, Store, TraceSource
from goldloop.records import Estimate, Record, Trace

SAMPLE = 20
_AMONG = 1000
"""The sample is taken evenly from so many of the first."""
_PAST = timedelta(days=30)


class PrelabelEstimate(Record):
    """Numbers for all traces, scaled up from the sample."""

    judge: str
    traces: int
    pages: int
    sampled: int = Field(description="payloads that were read for it")
    unread: bool = Field(default=False, description="whether there was a sample and none of its payloads could be read")
    calls: int = 0
    cached: int = Field(default=0, description="answers that are there already, and cost nothing")
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = Field(default=0.0, description="None: no price is known")
    calls_left: int | None = Field(default=None, description="what the budget leaves; None: no limit")
    usd_left: float | None = None
    seconds: float | None = Field(default=None, description="by the latency of past calls; None: there are none")

    @property
    def within_budget(self) -> bool:
        calls = self.calls_left is None or self.calls <= self.calls_left
        return calls and (self.usd_left is None or self.usd is None or self.usd <= self.usd_left)


def estimate(  # noqa: PLR0913 - what it takes to judge, and to count
    codebook: Codebook,
    selection: Selection,
    judge: Judge,
    source: TraceSource,
    store: Store,
    limits: Limits,
    now: datetime,
    *,
    at_once: int,
    page_size: int = PAGE,
) -> PrelabelEstimate:
    """Nothing is judged and nothing written; at most `SAMPLE` payloads are read. `at_once` calls go side by side."""
    wanted = wanted_of(codebook, selection, judge, store)
    first = [(version, trace_id) for version, some in islice(wanted.lists, _AMONG) for trace_id in some]
    step = max(1, ceil(len(first) / SAMPLE))
    sampled, found = _sample(codebook, first[::step], judge, source, store)
    scale = wanted.total / sampled if sampled else 0.0
    calls_left, usd_left = _left(store, limits, now)
    past = store.spent(now - _PAST)
    calls = round(found.calls * scale)
    return PrelabelEstimate(
        judge=judge.name,
        traces=wanted.total,
        pages=ceil(wanted.total / page_size),
        sampled=sampled,
        unread=bool(first) and not sampled and _asks_a_model(judge),
        calls=calls,
        cached=round(found.cached * scale),
        input_tokens=round(found.input_tokens * scale),
        output_tokens=round(found.output_tokens * scale),
        usd=None if found.usd is None else round(found.usd * scale, 6),
        calls_left=calls_left,
        usd_left=usd_left,
        seconds=calls * past.seconds / past.calls / at_once if past.calls else None,
    )


def _sample(
    codebook: Codebook, some: Sequence[tuple[str, str]], judge: Judge, source: TraceSource, store: Store
) -> tuple[int, Estimate]:
    """How many payloads could be read, and what judging them would take."""
    if not isinstance(judge, Estimating) or not _asks_a_model(judge):
        return 0, Estimate()
    sampled, total = 0, Estimate()
    for version, group in groupby(some, key=lambda one: one[0]):
        asked = codebook if version == codebook.version else store.codebook(codebook.name, version)
        found = fetch_all(source, [trace_id for _, trace_id in group], pairwise=asked.pairwise)
        traces = [one for one in found if isinstance(one, Trace)]
        sampled += len(traces)
        total += judge.estimate(asked, traces)
    return sampled, total


def _asks_a_model(judge: Judge) -> bool:
    """A panel can always tell: what its members ask of nobody costs nothing."""
    return any(isinstance(member, Estimating) for member in getattr(judge, "members", (judge,)))


def _left(store: Store, limits: Limits, now: datetime) -> tuple[int | None, float | None]:
    """Calls and USD that a run begun now may still spend."""
    today = store.spent(now.replace(hour=0, minute=0, second=0, microsecond=0))
    calls = [limits.calls_per_run, None if limits.calls_per_day is None else limits.calls_per_day - today.calls]
    usd = [limits.usd_per_run, None if limits.usd_per_day is None else limits.usd_per_day - today.usd]
    return (
        min((max(0, one) for one in calls if one is not None), default=None),
        min((max(0.0, round(one, 9)) for one in usd if one is not None), default=None),
    )
