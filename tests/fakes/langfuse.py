"""Langfuse in memory: traces to read, scores and eval rows to write. The contract suite's own tests hold it to account.

Beside the ports stands what apps and people do there: `log`, `delete`, a server that refuses, drops or is away.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from goldloop.codebook.sampling import WRITTEN
from goldloop.codebook.score_configs import digest, unfit
from goldloop.errors import RejectedError, RemoteError, RetryableError
from goldloop.ports import Clock, ListedConfig, Page, Window
from goldloop.records import (
    MARK,
    Candidate,
    EvalRow,
    Receipt,
    Record,
    Score,
    ScoreConfig,
    ScoreType,
    ShownScore,
    Signal,
    Trace,
    Value,
)

TEXT_LENGTH = 500
_LISTED = 100
RowT = TypeVar("RowT", bound=Record)


def _now() -> datetime:
    return datetime.now(UTC)


def _ms(moment: datetime) -> datetime:
    """The server keeps whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def as_shown(score: Score) -> ShownScore:
    """As the adapter reads back what it sent."""
    return ShownScore(
        score_id=score.score_id,
        trace_id=score.trace_id,
        name=score.name,
        value=score.value,
        comment=score.comment or None,
        metadata=score.metadata,
        event_at=_ms(score.event_at),
    )


@dataclass
class _Stored:
    """A score as the server holds it: the newest event's content, the first event's time."""

    score: Score
    first_at: datetime


@dataclass
class _Event:
    visible_at: datetime
    score_id: str
    score: Score | None  # None deletes


class FakeScoreConfigs:
    """`ScoreConfigs` by what they hold; nothing is ever deleted.

    Attributes:
        failing: raised by every method while it is set.
        lose_next_answer: the next config is made and then the call fails, as when the connection breaks.
    """

    def __init__(self, clock: Clock = _now) -> None:
        self.clock = clock
        self.failing: RemoteError | None = None
        self.lose_next_answer = False
        self.rows: dict[str, ListedConfig] = {}

    def listed(self) -> list[ListedConfig]:
        self._fail()
        return sorted(self.rows.values(), key=lambda one: (one.created_at, one.config_id))

    def ensure(self, config: ScoreConfig) -> str:
        same = [one for one in self.listed() if not one.archived and digest(one.config) == digest(config)]
        return same[0].config_id if same else self.make(config)

    def archive(self, config_id: str, *, archived: bool = True) -> None:
        self._change(config_id, archived=archived)

    # -- what people do

    def make(self, config: ScoreConfig) -> str:
        """A new one, whatever is there."""
        self._fail()
        config_id = f"config-{len(self.rows) + 1:04}"
        self.rows[config_id] = ListedConfig(config_id=config_id, config=config, archived=False, created_at=self.clock())
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise RetryableError("Langfuse", "the connection broke off: try again")
        return config_id

    def rename(self, config_id: str, name: str) -> None:
        self._change(config_id, config=self.rows[config_id].config.model_copy(update={"name": name}))

    def _change(self, config_id: str, **fields: object) -> None:
        self._fail()
        if config_id not in self.rows:
            raise RejectedError("Langfuse", "there is no such score config", reason="404 LangfuseNotFoundError")
        self.rows[config_id] = self.rows[config_id].model_copy(update=fields)

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing


class FakeScoreSink:
    """A `ScoreSink` by event time: a newer event replaces, an equal one is ignored, an older one loses.

    Attributes:
        lag: what was written shows this much later, by the clock.
        refuses: the reason for a score that the server will not have, else "".
        drops: whether the server takes a score and then forgets it.
        failing: raised by every method while it is set.
        lose_next_answer: the next send arrives and then fails, as when the connection breaks.
        sent: every score that ever arrived, in order.
        reads: how often it was asked for scores by their ids.
        configs: the score configs that scores may keep to.
    """

    def __init__(
        self, clock: Clock = _now, lag: timedelta = timedelta(0), configs: FakeScoreConfigs | None = None
    ) -> None:
        self.clock, self.lag = clock, lag
        self.configs = configs or FakeScoreConfigs(clock)
        self.refuses: Callable[[Score], str] = lambda _score: ""
        self.drops: Callable[[Score], bool] = lambda _score: False
        self.failing: RemoteError | None = None
        self.lose_next_answer = False
        self.sent: list[Score] = []
        self.reads = 0
        self.deleted: list[str] = []
        self._events: list[_Event] = []
        self._stored: dict[str, _Stored] = {}

    def send(self, scores: Sequence[Score]) -> list[Receipt]:
        self._fail()
        receipts = []
        for score in scores:
            reason = _fault(score) or self._config_fault(score) or self.refuses(score)
            receipts.append(Receipt(key=score.score_id, accepted=not reason, reason=reason))
            if not reason:
                self.sent.append(score)
                if not self.drops(score):
                    self._events.append(_Event(self.clock() + self.lag, score.score_id, score))
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise RetryableError("Langfuse", "the connection broke off: send again")
        return receipts

    def delete(self, score_ids: Sequence[str]) -> None:
        self._fail()
        for score_id in score_ids:
            self.deleted.append(score_id)
            self._events.append(_Event(self.clock() + self.lag, score_id, None))

    def read(self, score_ids: Sequence[str]) -> dict[str, ShownScore]:
        self._fail()
        self.reads += 1
        shown = self.shown()
        return {score_id: as_shown(shown[score_id]) for score_id in score_ids if score_id in shown}

    def listed(self, names: Sequence[str]) -> Iterator[list[ShownScore]]:
        self._fail()
        found = [as_shown(score) for score in self.shown().values() if score.name in names]
        for start in range(0, len(found), _LISTED):
            yield found[start : start + _LISTED]

    # -- what servers, networks and people do

    def arrives_late(self, score: Score, at: datetime) -> None:
        """A request that was held up on its way: the server works it off at `at`, after what it took meanwhile."""
        self._events.append(_Event(at, score.score_id, score))

    def lose(self, score_id: str) -> None:
        """Gone, and nobody was told."""
        self._settled().pop(score_id)

    def write(self, score: Score) -> None:
        """What stands now, whatever was there."""
        self._settled()[score.score_id] = _Stored(score, score.event_at)

    def shown(self) -> dict[str, Score]:
        """What the server shows by now, by score id."""
        return {score_id: stored.score for score_id, stored in self._settled().items()}

    def signals(self) -> list[Signal]:
        """Every score as `v3/scores` lists it: a text stays away, a score's time is that of its first event."""
        return [
            Signal(
                signal_id=stored.score.score_id,
                trace_id=stored.score.trace_id,
                name=stored.score.name,
                value=_number(stored.score),
                label=_label(stored.score),
                at=stored.first_at,
            )
            for stored in self._settled().values()
        ]

    def _config_fault(self, score: Score) -> str:
        if score.config_id is None:
            return ""
        listed = self.configs.rows.get(score.config_id)
        return unfit(listed.config, score) if listed else "its score config is not in Langfuse"

    def _settled(self) -> dict[str, _Stored]:
        now = self.clock()
        waiting = []
        for event in sorted(self._events, key=lambda event: event.visible_at):
            if event.visible_at > now:
                waiting.append(event)
            elif event.score is None:
                self._stored.pop(event.score_id, None)
            else:
                self._take(event.score)
        self._events = waiting
        return self._stored

    def _take(self, score: Score) -> None:
        before = self._stored.get(score.score_id)
        if before is None:
            self._stored[score.score_id] = _Stored(score, score.event_at)
            return
        before.first_at = min(before.first_at, score.event_at)
        if _ms(score.event_at) > _ms(before.score.event_at):
            comment = score.comment if score.comment is not None else before.score.comment
            before.score = score.model_copy(update={"comment": comment})

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing


def _fault(score: Score) -> str:
    if score.environment.startswith("langfuse"):
        return "400 environment"
    if score.data_type is ScoreType.TEXT and len(str(score.value)) > TEXT_LENGTH:
        return f"the text has {len(str(score.value))} characters, of {TEXT_LENGTH} allowed"
    return ""


def _number(score: Score) -> float | None:
    return None if score.data_type in {ScoreType.TEXT, ScoreType.CATEGORICAL} else float(score.value)


def _label(score: Score) -> str | None:
    match score.data_type:
        case ScoreType.TEXT:
            return WRITTEN
        case ScoreType.CATEGORICAL:
            return str(score.value)
        case _:
            return None


class FakeTraceSource:
    """A `TraceSource` over what apps logged; the scores of `scores` come as signals, as they do in Langfuse.

    Attributes:
        failing: raised by every method while it is set.
        fail_after: pages that a listing gives before it raises `failing` (None: it raises at once).
        unreadable: ids of traces and signals whose rows cannot be read.
    """

    def __init__(self, scores: FakeScoreSink | None = None, *, page_size: int = 1000) -> None:
        self.scores = scores
        self.failing: RemoteError | None = None
        self.fail_after: int | None = None
        self.unreadable: set[str] = set()
        self.traces: dict[str, Trace] = {}
        self.clicks: list[Signal] = []
        self._roots: list[Candidate] = []
        self._rootless: list[Candidate] = []
        self._page_size = page_size

    # -- the port

    def check(self) -> str:
        self._fail()
        return "4.16.0"

    def candidates(self, window: Window) -> Iterator[Page[Candidate]]:
        rooted = {root.trace_id for root in self._roots}
        orphans = [one for one in self._rootless if one.trace_id not in rooted]
        roots = [one for one in self._roots if window.start <= one.timestamp < window.end]
        return self._pages(roots + [one for one in orphans if window.start <= one.timestamp < window.end], "trace_id")

    def signals(self, window: Window) -> Iterator[Page[Signal]]:
        shown = self.scores.shown() if self.scores else {}
        scores = self.scores.signals() if self.scores else []
        rows = self.clicks + [one for one in scores if MARK not in shown[one.signal_id].metadata]
        return self._pages([one for one in rows if window.start <= one.at < window.end], "signal_id")

    def trace(self, trace_id: str) -> Trace | None:
        if self.fail_after is None:
            self._fail()
        return self.traces.get(trace_id)

    def payloads(self, trace_ids: Sequence[str]) -> Iterator[Trace | RejectedError | None]:
        return map(self.trace, trace_ids)

    def trace_url(self, trace_id: str) -> str:
        return f"http://langfuse.test/project/p/traces/{trace_id}"

    # -- what apps do

    def log(self, trace: Trace, *, category: str = "returns", user: str | None = None, rooted: bool = True) -> None:
        """One more observation of a trace, its root or one below it that shows no root; the payload is the newest."""
        self.traces[trace.trace_id] = trace
        candidate = Candidate(
            trace_id=trace.trace_id,
            environment=trace.environment,
            name=trace.name,
            category=category,
            timestamp=trace.timestamp,
            user_id=user or trace.user_id,
            session_id=trace.session_id,
            model=trace.model,
            release=trace.release,
            tags=trace.tags,
            roots=int(rooted),
        )
        (self._roots if rooted else self._rootless).append(candidate)

    def click(self, signal: Signal) -> None:
        self.clicks.append(signal)

    def delete(self, trace_id: str) -> None:
        self.traces.pop(trace_id, None)
        self._roots = [one for one in self._roots if one.trace_id != trace_id]
        self._rootless = [one for one in self._rootless if one.trace_id != trace_id]

    # -- inside

    def _pages(self, rows: Sequence[RowT], id_field: str) -> Iterator[Page[RowT]]:
        for number, start in enumerate(range(0, max(len(rows), 1), self._page_size)):
            if self.fail_after is None or number >= self.fail_after:
                self._fail()
            page: Page[RowT] = Page(rows=[], rejected=[])
            for row in rows[start : start + self._page_size]:
                row_id = str(getattr(row, id_field))
                if row_id in self.unreadable:
                    page.rejected.append((row_id, "startTime: it is no time"))
                else:
                    page.rows.append(row)
            if page.rows or page.rejected:
                yield page

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing


class FakeEvalSink:
    """An `EvalSink` as Langfuse's datasets are one: a row id belongs to one dataset, a removed row is only archived.

    Attributes:
        refuses: the reason for a row that the sink will not have, else "".
        failing: raised by every method while it is set.
        writes: how often a row was really written, archiving it included.
    """

    name = "fake dataset"

    def __init__(self) -> None:
        self.refuses: Callable[[EvalRow], str] = lambda _row: ""
        self.failing: RemoteError | None = None
        self.writes = 0
        self.looked_for: list[str] = []
        self._rows: dict[str, dict[str, EvalRow]] = {}
        self._archived: set[str] = set()

    def put(self, dataset: str, rows: Sequence[EvalRow], new: Collection[str] = ()) -> list[Receipt]:
        self._fail()
        self.looked_for += [row.row_id for row in rows if row.row_id not in new]
        return [self._put(dataset, row, new=row.row_id in new) for row in rows]

    def remove(self, dataset: str, row_ids: Sequence[str]) -> None:
        self._fail()
        gone = self.row_ids(dataset) & set(row_ids)
        self._archived |= gone
        self.writes += len(gone)

    def row_ids(self, dataset: str) -> set[str]:
        self._fail()
        return self._rows.get(dataset, {}).keys() - self._archived

    def shown(self, dataset: str, queue: str) -> dict[str, dict[str, Value]]:
        self._fail()
        ours = {row_id: row for row_id, row in self.rows(dataset).items() if row.provenance.get("queue") == queue}
        return {row_id: row.labels for row_id, row in ours.items()}

    # -- what people do

    def lose(self, dataset: str, row_id: str) -> None:
        del self._rows[dataset][row_id]

    def write(self, dataset: str, row: EvalRow) -> None:
        self._rows.setdefault(dataset, {})[row.row_id] = row
        self._archived.discard(row.row_id)

    def rows(self, dataset: str) -> dict[str, EvalRow]:
        return {row_id: self._rows[dataset][row_id] for row_id in self.row_ids(dataset)}

    def _put(self, dataset: str, row: EvalRow, *, new: bool) -> Receipt:
        elsewhere = any(row.row_id in rows for name, rows in self._rows.items() if name != dataset)
        reason = "409: its id stands in another dataset" if elsewhere else self.refuses(row)
        if reason:
            return Receipt(key=row.row_id, accepted=False, reason=reason)
        here = self._rows.setdefault(dataset, {})
        if new or here.get(row.row_id) != row or row.row_id in self._archived:
            here[row.row_id] = row
            self._archived.discard(row.row_id)
            self.writes += 1
        return Receipt(key=row.row_id, accepted=True)

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing


@dataclass
class FakeLangfuse:
    """All of it at once, shaped as the adapter is."""

    scores: FakeScoreSink = field(default_factory=FakeScoreSink)
    datasets: FakeEvalSink = field(default_factory=FakeEvalSink)

    def __post_init__(self) -> None:
        self.source = FakeTraceSource(self.scores)
        self.score_configs = self.scores.configs
