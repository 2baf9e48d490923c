"""The verbs on fakes and a real store, with a clock that a test turns."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from builders import NOW, QUEUE, codebook, trace
from fakes.langfuse import FakeEvalSink, FakeScoreSink, FakeTraceSource
from fakes.task_queue import FakeTaskQueue, Result
from goldloop.adapters.evalfile import EvalFile
from goldloop.adapters.store import SqlStore
from goldloop.adapters.store.engine import Database
from goldloop.codebook.result import to_result
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.codebooks import PublishedCodebook, publish_codebook
from goldloop.pipeline.draw import DrawSummary, draw
from goldloop.pipeline.enqueue import EnqueueSummary, enqueue
from goldloop.pipeline.gather import GatherSummary, gather
from goldloop.pipeline.parking import retry
from goldloop.pipeline.prelabel import PAGE, PrelabelSummary, prelabel
from goldloop.pipeline.prelabel_pages import Meter, PageSummary, PrelabelPage, judge_page
from goldloop.pipeline.project_plans import ByHand
from goldloop.pipeline.publish import PublishSummary, publish
from goldloop.pipeline.pull import PullRange, PullSummary, pull
from goldloop.pipeline.read_back import ReadBack
from goldloop.pipeline.reconcile import ReconcileSummary, Sides, reconcile, rehearse
from goldloop.pipeline.resolve import ResolveSummary, resolve
from goldloop.pipeline.score_configs import ensure_score_configs
from goldloop.ports import EvalSink, Judge, Selection, Shelf
from goldloop.records import Judgement, Parked, Score, Signal, State, Trace, Unjudged, Value
from goldloop.signals.judges import SignalSettings

ADA, BEN, CLEO = "ada@example.org", "ben@example.org", "cleo@example.org"
MINUTE = timedelta(minutes=1)
LAG = timedelta(seconds=30)
SHIPPED = codebook()
REACH = PullRange(since=NOW - timedelta(days=14), overlap=timedelta(hours=1), lag=LAG)


class HandTurnedClock:
    """Stands still until it is turned; sleeping turns it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def turn(self, by: timedelta) -> None:
        self.now += by

    def sleep(self, seconds: float) -> None:
        self.turn(timedelta(seconds=seconds))


class FixedJudge:
    """Says fail of traces whose output has "wrong" in it, abstains where it has "unsure", else says pass."""

    name = "fixed"

    def __init__(self, version: str = "1") -> None:
        self._version = version
        self.judged: list[str] = []
        self.answers: dict[str, dict[str, Value]] = {}
        self.dies_at: int | None = None
        self.left: dict[str, Unjudged] = {}

    def version(self, codebook: Codebook) -> str:
        return self._version

    def judge(self, codebook: Codebook, traces: Sequence[Trace]) -> list[Judgement | Unjudged]:
        return [self.left.get(trace.trace_id) or self._judge(trace) for trace in traces]

    def _judge(self, trace: Trace) -> Judgement:
        if self.dies_at == len(self.judged):
            raise KeyboardInterrupt
        self.judged.append(trace.trace_id)
        stated: dict[str, Value] = {"verdict": "fail" if "wrong" in trace.output else "pass"}
        abstained = "not sure" if "unsure" in trace.output else None
        return Judgement(
            judge=self.name,
            judge_version=self._version,
            answers={} if abstained else self.answers.get(trace.trace_id, stated),
            probability=None if abstained else 0.75,
            risk=None if abstained else 0.75 if "wrong" in trace.output else 0.25,
            method="fixed",
            abstained=abstained,
        )


def opened(template: Path, file: Path) -> SqlStore:
    """A store whose tables are made already: copying them is much faster than migrating each time."""
    shutil.copyfile(template, file)
    return SqlStore(Database(f"sqlite:///{file}", wait_s=5))


@contextmanager
def killed_at(store: SqlStore, method: str) -> Iterator[None]:
    """What runs inside dies when it comes to this method of the store."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, method, die)
        with pytest.raises(KeyboardInterrupt):
            yield


def revised(**queue_settings: object) -> Codebook:
    """The codebook's next version, with other queue settings where given."""
    return codebook(**queue_settings).model_copy(update={"version": "1.1.0"})


def progress(_done: int, _total: int | None, _usd: float | None = None) -> None:
    pass


class Loop:
    """One queue's loop. Each verb is a method; what people and apps do has methods of its own."""

    def __init__(self, folder: Path, template: Path, asked: Codebook | None = SHIPPED) -> None:
        self.store = opened(template, folder / "store.db")
        self.clock = HandTurnedClock(NOW)
        self.scores = FakeScoreSink(self.clock)
        self.source = FakeTraceSource(self.scores)
        self.tasks = FakeTaskQueue(clock=self.clock)
        self.datasets = FakeEvalSink()
        self.file = EvalFile(folder / "evals")
        self.judge = FixedJudge()
        self.seed = 7
        self.signals = SignalSettings()
        if asked is not None:
            self.use(asked)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.store.close()

    def use(self, asked: Codebook) -> None:
        self.codebook = asked
        self.store.save_codebook(asked, self.clock())

    def publish_codebook(
        self, asked: Codebook, by_hand: ByHand = "refuse", *, dry_run: bool = False
    ) -> PublishedCodebook:
        """As the command does; from then on this version is the loop's."""
        now = self.clock()
        made = publish_codebook(
            asked,
            self.tasks,
            self.store,
            lambda: ensure_score_configs(asked, self.scores.configs, self.store, now),
            now,
            by_hand=by_hand,
            dry_run=dry_run,
        )
        if not dry_run:
            self.codebook = asked
        return made

    # -- the verbs

    def pull(self, reach: PullRange = REACH) -> PullSummary:
        return pull(self.source, self.store, reach, self.clock(), progress)

    def draw(self) -> DrawSummary:
        self.seed += 1
        return draw(self.codebook, self.store, self.seed, self.clock(), self.signals)

    def prelabel(self, page_size: int = PAGE, judge: Judge | None = None, **selected: object) -> PrelabelSummary:
        """Of what was drawn; `selected` are fields of `Selection`."""
        judge = judge or self.judge
        meter = Meter(self.store)

        def work(page: PrelabelPage) -> PageSummary:
            return judge_page(page, self.source, judge, self.store, self.clock, meter)

        selection = Selection.model_validate(selected)
        return prelabel(self.codebook, selection, judge, self.store, work, progress, page_size=page_size)

    def enqueue(self) -> EnqueueSummary:
        return enqueue(self.codebook, self.source, self.tasks, self.store, self.clock, progress)

    def gather(self) -> GatherSummary:
        return gather(self.codebook, self.tasks, self.store, self.clock(), progress)

    def resolve(self) -> ResolveSummary:
        return resolve(self.codebook, self.store, self.clock(), progress)

    def publish(self) -> PublishSummary:
        read_back = ReadBack(self.clock, self.clock.sleep)
        shelves = [Shelf(self.file, QUEUE), Shelf(self.datasets, self.codebook.dataset)]
        return publish(self.codebook, self.source, self.scores, shelves, self.store, read_back, progress)

    def _sides(self) -> Sides:
        shelves = [Shelf(self.file, QUEUE), Shelf(self.datasets, self.codebook.dataset)]
        return Sides(self.codebook, self.tasks, self.scores, shelves, self.store, lambda _verb: progress)

    def reconcile(self) -> ReconcileSummary:
        return reconcile(self._sides(), self.source, ReadBack(self.clock, self.clock.sleep))

    def rehearse_reconcile(self) -> ReconcileSummary:
        return rehearse(self._sides(), self.clock())

    def fetch_annotations(self) -> PublishSummary:
        """The way back: gather, resolve, publish."""
        self.gather()
        self.resolve()
        return self.publish()

    def run(self) -> None:
        for verb in (self.pull, self.draw, self.prelabel, self.enqueue, self.fetch_annotations):
            verb()

    @property
    def sinks(self) -> list[EvalSink]:
        return [self.file, self.datasets]

    # -- what apps do

    def log(self, *trace_ids: str, **fields: object) -> None:
        """Traces of an hour ago."""
        category = str(fields.pop("category", "returns"))
        for trace_id in trace_ids:
            made = trace(trace_id).model_copy(update={"timestamp": self.clock() - timedelta(hours=1)} | fields)
            self.source.log(made, category=category)

    def click(self, trace_id: str, name: str = "thumbs", value: float = 0.0) -> None:
        at = self.clock() - timedelta(hours=1)
        self.source.click(Signal(signal_id=f"{name}-{trace_id}", trace_id=trace_id, name=name, value=value, at=at))

    def queue(self, *trace_ids: str, **fields: object) -> None:
        """These traces are tasks."""
        self.log(*trace_ids, **fields)
        for verb in (self.pull, self.draw, self.prelabel, self.enqueue):
            verb()

    # -- what annotators do

    def answer(self, **answers: Value) -> Result:
        return to_result(self.codebook, answers)

    def annotate(self, trace_id: str, verdict: str | None = "pass", by: str = ADA, **answers: Value) -> int:
        """The new annotation's id; without a verdict it is a skip."""
        self.clock.turn(timedelta(seconds=1))
        result = [] if verdict is None else self.answer(verdict=verdict, **answers)
        return self.tasks.annotate(
            self.task_id(trace_id), result, annotator=by, skipped=verdict is None, at=self.clock()
        )

    def edit(self, annotation_id: int, verdict: str = "pass", **answers: Value) -> None:
        self.clock.turn(timedelta(seconds=1))
        self.tasks.edit(annotation_id, self.answer(verdict=verdict, **answers), at=self.clock())

    # -- what can be seen

    def task_id(self, trace_id: str) -> int:
        (found,) = [task.task_id for task in self.tasks._tasks.values() if task.draft.trace_id == trace_id]
        return found

    def traces_with_tasks(self) -> list[str]:
        return sorted(task.draft.trace_id for task in self.tasks._tasks.values())

    def state(self, trace_id: str) -> State:
        states = (state for state in State for one in self.store.draws(QUEUE, state) if one.trace_id == trace_id)
        return next(states)

    def parked(self) -> dict[str, str]:
        """Reasons by subject."""
        return {row.subject: row.reason for row in self.store.parked()}

    def retry(self, wanted: Callable[[Parked], bool] = lambda _row: True) -> int:
        return retry(self.store, [row for row in self.store.parked() if wanted(row)])

    def shown(self, prefix: str = "") -> list[Score]:
        """What Langfuse shows, by trace and name."""
        found: Iterable[Score] = self.scores.shown().values()
        return sorted(
            (score for score in found if score.name.startswith(prefix)),
            key=lambda score: (score.trace_id, score.name, str(score.value)),
        )

    def values(self, prefix: str = "") -> list[tuple[str, str, str | float]]:
        return [(score.trace_id, score.name, score.value) for score in self.shown(prefix)]

    def gold(self) -> set[str]:
        """Traces in the golden set, the same in every sink."""
        in_file, in_dataset = (sink.row_ids(QUEUE) for sink in self.sinks)
        assert in_file == in_dataset
        return {row.trace_id for row in self.datasets.rows(QUEUE).values()}
