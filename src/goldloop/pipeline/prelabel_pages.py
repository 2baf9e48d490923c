"""A page of traces, judged: what one process does of a prelabel, here or on a worker of a cluster.

A page names its traces and holds nothing of them. Judging it twice judges, and pays, once: what is saved is passed by,
and what was answered and not yet saved comes from the ledger's cache.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Self

from pydantic import Field

from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.judge.features import trace_features
from goldloop.pipeline.parking import park
from goldloop.pipeline.payload import fetch_all
from goldloop.ports import Clock, Judge, Ledger, Limits, Reserved, Store, TraceSource
from goldloop.records import JudgeCall, Judgement, Prediction, Record, Spent, Trace, Unjudged

VERB = "prelabel"
PARKED_PRELABEL = "prediction:"
"""The subject of a trace whose prelabel is parked begins so; the trace itself goes on to annotators."""

_BATCH = 50
"""Traces fetched, judged and saved at once: what memory holds, and what a killed run has to look up again."""


class PrelabelPage(Record):
    """Traces that are judged by one version of a codebook; `history` where they need not have been drawn."""

    queue: str
    codebook_version: str
    trace_ids: tuple[str, ...]
    history: bool = False


class PageSummary(Record):
    """What became of a page's traces, and what it took."""

    traces: int = Field(default=0, description="that the page held, those that were judged before among them")
    judged: int = 0
    abstained: int = 0
    parked: int = Field(default=0, description="drawn traces that nobody can judge, and prelabels of no use")
    gone: int = Field(default=0, description="traces of history that have no payload any more")
    over_budget: int = Field(default=0, description="left, for what may be spent is spent")
    later: int = Field(default=0, description="left, for the judge's server is away")
    lost: int = Field(default=0, description="left, for their worker died, and the next one too")
    calls: int = 0
    cached: int = Field(default=0, description="answers that were there already, and cost nothing")
    usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Self) -> Self:
        return type(self)(**{name: value + getattr(other, name) for name, value in self})

    @property
    def stops(self) -> bool:
        """Whether another page would fare no better: the budget is spent, or the judge's server is away."""
        return self.over_budget > 0 or (self.later > 0 and self.judged + self.abstained == 0)


@dataclass
class Meter:
    """A ledger that counts what goes through it; it is read, and set back, by one page at a time.

    A judge may call it from several threads.
    """

    ledger: Ledger
    _used: PageSummary = field(default_factory=PageSummary)
    _lock: Lock = field(default_factory=Lock)

    def known_calls(self, keys: Collection[str]) -> dict[str, JudgeCall]:
        found = self.ledger.known_calls(keys)
        self._count(PageSummary(cached=len(found)))
        return found

    def reserve(self, run: str, calls: int, usd_each: float, limits: Limits, at: datetime) -> Reserved:
        return self.ledger.reserve(run, calls, usd_each, limits, at)

    def settle(self, reservation: str, calls: Sequence[JudgeCall], *, done: bool = True) -> None:
        self.ledger.settle(reservation, calls, done=done)
        self._count(
            PageSummary(
                calls=len(calls),
                usd=sum(call.usd or 0.0 for call in calls),
                input_tokens=sum(call.input_tokens for call in calls),
                output_tokens=sum(call.output_tokens for call in calls),
            )
        )

    def spent(self, since: datetime, run: str | None = None) -> Spent:
        return self.ledger.spent(since, run)

    def read(self) -> PageSummary:
        """What was used since it was last read."""
        with self._lock:
            used, self._used = self._used, PageSummary()
        return used

    def _count(self, more: PageSummary) -> None:
        with self._lock:
            self._used += more


Work = Callable[[PrelabelPage], PageSummary]


def judge_page(
    page: PrelabelPage, source: TraceSource, judge: Judge, store: Store, clock: Clock, meter: Meter | None = None
) -> PageSummary:
    """Judge what this judge, in this version, has not judged of the page; `meter` is the ledger that it goes by.

    Features of what was read are saved first, then the judgements, dated as they are saved: whoever reads the store
    as of an earlier time must not see them.

    Raises:
        RetryableError: Langfuse is away.
        FatalError: Langfuse, or the judge's server, refuses whatever it is asked.
    """
    codebook = store.codebook(page.queue, page.codebook_version)
    made = last = PageSummary()
    for start in range(0, len(page.trace_ids), _BATCH):
        if last.stops:
            left = len(page.trace_ids) - start
            return made + PageSummary(traces=left, **{"over_budget" if last.over_budget else "later": left})
        batch = page.model_copy(update={"trace_ids": page.trace_ids[start : start + _BATCH]})
        last = _judge_batch(batch, codebook, source, judge, store, clock)
        made += last + (meter.read() if meter else PageSummary())
    return made


def _judge_batch(
    page: PrelabelPage, codebook: Codebook, source: TraceSource, judge: Judge, store: Store, clock: Clock
) -> PageSummary:
    this = (judge.name, judge.version(codebook))
    newest = store.predictions(page.queue, page.codebook_version, page.trace_ids)
    known = {name for name, one in newest.items() if (one.judgement.judge, one.judgement.judge_version) == this}
    wanted = [trace_id for trace_id in page.trace_ids if trace_id not in known]
    made = PageSummary(traces=len(page.trace_ids))
    traces: list[Trace] = []
    for trace_id, found in zip(wanted, fetch_all(source, wanted, pairwise=codebook.pairwise), strict=True):
        if isinstance(found, Trace):
            traces.append(found)
        elif page.history:
            made += PageSummary(gone=1)
        else:
            park(store, VERB, f"trace:{trace_id}", found, clock(), queue=page.queue, trace_id=trace_id)
            made += PageSummary(parked=1)
    # Of all that were read: a trace that no member could judge may get a label to learn from all the same.
    store.save_features([trace_features(trace) for trace in traces])
    outcomes = list(zip(traces, judge.judge(codebook, traces) if traces else [], strict=True))
    _save(page, [(trace, one) for trace, one in outcomes if isinstance(one, Judgement)], store, clock)
    for trace, outcome in outcomes:
        if isinstance(outcome, Unjudged) and outcome.cause == "unusable":
            why = RejectedError(judge.name, outcome.detail or outcome.reason, reason=outcome.reason)
            subject = f"{PARKED_PRELABEL}{trace.trace_id}"
            park(store, VERB, subject, why, clock(), queue=page.queue, trace_id=trace.trace_id)
        made += _counted(outcome)
    return made


def _save(page: PrelabelPage, judged: Sequence[tuple[Trace, Judgement]], store: Store, clock: Clock) -> None:
    if not judged:
        return
    now = clock()
    store.save_predictions(
        [
            Prediction(
                queue=page.queue,
                codebook_version=page.codebook_version,
                trace_id=trace.trace_id,
                judged_at=now,
                judgement=judgement,
            )
            for trace, judgement in judged
        ]
    )


def _counted(outcome: Judgement | Unjudged) -> PageSummary:
    if isinstance(outcome, Judgement):
        return PageSummary(judged=1) if outcome.abstained is None else PageSummary(abstained=1)
    match outcome.cause:
        case "budget":
            return PageSummary(over_budget=1)
        case "later":
            return PageSummary(later=1)
        case "unusable":
            return PageSummary(parked=1)
