"""The one place where ports meet adapters: settings in, a ready `Goldloop` out.

The command line, the flows, the ML backend and the dev stack all go through here.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Self

from goldloop.adapters.evalfile import EvalFile
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.langfuse import Langfuse
from goldloop.adapters.spread import as_they_come
from goldloop.adapters.store import SqlStore, open_store
from goldloop.bootstrap.judges import judge_of
from goldloop.bootstrap.memory import unwatched
from goldloop.bootstrap.prelabels import HandOut, Prelabelling, estimate_prelabel, run_prelabel
from goldloop.bootstrap.reconciling import run_reconcile
from goldloop.bootstrap.servers import label_studio_of, langfuse_of
from goldloop.bootstrap.webhooks import connect_new
from goldloop.codebook.load import load_folder
from goldloop.codebook.schema import Codebook
from goldloop.errors import ConfigError
from goldloop.judge.panel import Panel
from goldloop.pipeline.codebooks import PublishedCodebook, admit, publish_codebook
from goldloop.pipeline.draw import DrawSummary, draw
from goldloop.pipeline.enqueue import enqueue
from goldloop.pipeline.gather import gather
from goldloop.pipeline.learn import LearnSummary, learn
from goldloop.pipeline.prelabel_estimate import PrelabelEstimate
from goldloop.pipeline.project_plans import ByHand
from goldloop.pipeline.publish import publish
from goldloop.pipeline.pull import PullRange, pull
from goldloop.pipeline.read_back import ReadBack
from goldloop.pipeline.reconcile import ReconcileSummary
from goldloop.pipeline.report import Report, report
from goldloop.pipeline.resolve import resolve
from goldloop.pipeline.score_configs import ensure_score_configs
from goldloop.pipeline.worklist import ToRelabel, relabel, worklist
from goldloop.ports import Clock, Ledger, Progress, Shelf
from goldloop.records import Project, Record, State
from goldloop.settings import Settings

VERBS = ("pull", "draw", "prelabel", "enqueue", "gather", "resolve", "publish", "report")
"""In the order of a trace's way: `goldloop run` runs them so. Beside them there is `reconcile`."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def _silent(_verb: str) -> Progress:
    return lambda _done, _total, _usd=None: None


@dataclass(frozen=True)
class Run:
    """One run of verbs on a queue.

    `owner` is who holds the lock: a run that died and is started again under the same name takes it over. `seed` is
    what the draw's randomness starts from; `progress` gives each verb its progress bar. `prelabelling` is what prelabel
    judges, `hand_out` who has its pages worked on.
    """

    owner: str = field(default_factory=lambda: secrets.token_hex(8))
    seed: int = field(default_factory=lambda: secrets.randbits(62))
    progress: Callable[[str], Progress] = _silent
    prelabelling: Prelabelling = field(default_factory=Prelabelling)
    hand_out: HandOut = as_they_come


class Goldloop:
    """Everything wired by the settings; a server is reached when it is first needed. A context manager."""

    def __init__(
        self, settings: Settings, *, clock: Clock = utc_now, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("langfuse", "label_studio", "store"):
            if name in self.__dict__:  # only what a cached_property has opened
                getattr(self, name).close()

    @cached_property
    def store(self) -> SqlStore:
        return open_store(self.settings.store_url)

    @cached_property
    def langfuse(self) -> Langfuse:
        return langfuse_of(self.settings)

    @cached_property
    def label_studio(self) -> LabelStudio:
        return label_studio_of(self.settings)

    def judge(self, queue: str, run: str, ledger: Ledger | None = None) -> Panel:
        """Who judges the queue now; `run` is what its calls are counted by, in the ledger (None: the store's)."""
        return judge_of(
            self.settings,
            self.store,
            queue,
            run=run,
            clock=self.clock,
            ledger=ledger,
            source=lambda: self.langfuse.source,
        )

    def learn(self, queue: str | None) -> LearnSummary:
        """Fit the queue's judges to its blind labels; it needs no lock, for the same labels give the same rows."""
        return learn(self.codebook(queue), self.store, self.settings.judge, self.clock())

    @cached_property
    def codebooks(self) -> dict[str, Codebook]:
        return load_folder(self.settings.codebooks)

    def codebook(self, queue: str | None) -> Codebook:
        """The codebook of the queue; without a name that of GOLDLOOP_QUEUE, or the only one there is."""
        queue = queue or self.settings.queue
        if queue is None and len(self.codebooks) == 1:
            return next(iter(self.codebooks.values()))
        if queue in self.codebooks:
            return self.codebooks[queue]
        names = ", ".join(self.codebooks)
        what = "name the queue, or set GOLDLOOP_QUEUE" if queue is None else f"there is no queue {queue!r}"
        raise ConfigError(f"{what}: {self.settings.codebooks} holds {names}")

    def run(self, verbs: Iterable[str], queue: str | None, run: Run) -> Iterator[tuple[str, Record]]:
        """Run these verbs in order under the queue's lock; each verb's name and summary as it ends.

        `LockedError` where another run holds the queue. A prelabel of history takes hours and touches nothing that the
        other verbs do: it has a lock of its own, and the loop goes on beside it.
        """
        codebook, verbs = self.codebook(queue), list(verbs)
        history = run.prelabelling.selection.history
        if history and verbs != ["prelabel"]:
            raise ConfigError("history is judged by prelabel alone: run the other verbs without it")
        with self.hold(codebook, run.owner, history=history), unwatched():
            published = admit(codebook, self.store, self.clock())
            for verb in verbs:
                if verb in {"enqueue", "gather", "reconcile"}:
                    self.on_its_own_server(codebook)
                if verb == "enqueue" and not published and self.store.draws(codebook.name, State.DRAWN):
                    self._publish_codebook(codebook)  # the first version: there is nothing that it could change
                    published = True
                yield verb, self._verb(verb, codebook, run)
                if verb == "enqueue":
                    connect_new(self.settings.webhook, lambda: self.label_studio, self.store, codebook)

    def publish_codebook(
        self, codebook: Codebook, *, by_hand: ByHand = "refuse", dry_run: bool = False, owner: str | None = None
    ) -> PublishedCodebook:
        """Make this version what is asked, under the queue's lock: see `goldloop.pipeline.codebooks`."""
        with self.hold(codebook, owner or secrets.token_hex(8)):
            self.on_its_own_server(codebook)
            return self._publish_codebook(codebook, by_hand=by_hand, dry_run=dry_run)

    def reconcile(self, queue: str | None, run: Run) -> ReconcileSummary:
        """Compare all sides and mend what differs, under the queue's lock."""
        return next(made for _, made in self.run(["reconcile"], queue, run) if isinstance(made, ReconcileSummary))

    def worklist(self, queue: str | None) -> list[ToRelabel]:
        """What a breaking version left to be labelled again, from the store alone."""
        return worklist(self.codebook(queue).name, self.store)

    def relabel(self, queue: str | None, limit: int | None = None) -> list[ToRelabel]:
        """Put the first of the worklist up again, under the queue's lock."""
        codebook = self.codebook(queue)
        with self.hold(codebook, secrets.token_hex(8)):
            return relabel(codebook.name, self.store, limit)

    def _publish_codebook(
        self, codebook: Codebook, *, by_hand: ByHand = "refuse", dry_run: bool = False
    ) -> PublishedCodebook:
        now = self.clock()
        return publish_codebook(
            codebook,
            self.label_studio,
            self.store,
            lambda: ensure_score_configs(codebook, self.langfuse.score_configs, self.store, now),
            now,
            by_hand=by_hand,
            dry_run=dry_run,
        )

    def rehearse(self, queue: str | None, seed: int) -> DrawSummary:
        """What a draw would do now, without a lock, without asking any server, and without leaving anything."""
        codebook = self.codebook(queue)
        return draw(codebook, self.store, seed, self.clock(), self.settings.signals, dry_run=True)

    def estimate(self, queue: str | None, asked: Prelabelling) -> PrelabelEstimate:
        """What this prelabel would take, without a lock, and without judging or leaving anything."""
        return estimate_prelabel(self, self.codebook(queue), asked)

    def peek(self, queue: str | None) -> Report:
        """The queue's report, without a lock and without asking any server."""
        return report(self.codebook(queue), self.store, self.clock())

    def shelves(self, codebook: Codebook) -> list[Shelf]:
        """Where the queue's eval rows go."""
        return [Shelf(EvalFile(self.settings.evals), codebook.name), Shelf(self.langfuse.datasets, codebook.dataset)]

    @property
    def read_back(self) -> ReadBack:
        return ReadBack(self.clock, self.sleep, timedelta(seconds=self.settings.confirm_seconds))

    def on_its_own_server(self, codebook: Codebook, *, dry_run: bool = False) -> None:
        """Numbers of projects and tasks mean something on their own server only.

        On another every task would seem deleted, and every score that rests on one would be taken back.
        """
        for project, url in self.elsewhere(codebook):
            if not self.settings.label_studio_moved:
                raise ConfigError(
                    f"the tasks of {codebook.name} are at {project.url}, and LABEL_STUDIO_URL leads to {url}: set it "
                    "back, or, if that server has moved there, set GOLDLOOP_LABEL_STUDIO_MOVED=true for one run"
                )
            if not dry_run:
                self.store.save_project(project.model_copy(update={"url": url}))

    def elsewhere(self, codebook: Codebook) -> list[tuple[Project, str]]:
        """The queue's projects that are on another server than the one that is set, each with its address there."""
        projects = self.store.projects(codebook.name)
        here = ((project, self.label_studio.project_url(project.project_id)) for project in projects)
        return [(project, url) for project, url in here if project.url != url]

    def hold(self, codebook: Codebook, owner: str, *, history: bool = False) -> AbstractContextManager[None]:
        """The queue's lock; whoever holds it may take it again under the same name. `LockedError` for others.

        With `history` that of judging the queue's history.
        """
        name = f"{'history' if history else 'queue'}:{codebook.name}"
        return self.store.lock(name, owner, timedelta(seconds=self.settings.lock_seconds))

    def _verb(self, verb: str, codebook: Codebook, run: Run) -> Record:
        now = self.clock()
        progress = run.progress(verb)
        store = self.store
        steps: dict[str, Callable[[], Record]] = {
            "pull": lambda: pull(self.langfuse.source, store, self.reach(now), now, progress),
            "draw": lambda: draw(codebook, store, run.seed, now, self.settings.signals),
            "prelabel": lambda: run_prelabel(self, codebook, run),
            "enqueue": lambda: enqueue(codebook, self.langfuse.source, self.label_studio, store, self.clock, progress),
            "gather": lambda: gather(codebook, self.label_studio, store, now, progress),
            "resolve": lambda: resolve(codebook, store, now, progress),
            "publish": lambda: publish(
                codebook,
                self.langfuse.source,
                self.langfuse.scores,
                self.shelves(codebook),
                store,
                self.read_back,
                progress,
            ),
            "report": lambda: report(codebook, store, now),
            "reconcile": lambda: run_reconcile(self, codebook, run),
        }
        if verb not in steps:
            raise ConfigError(f"there is no verb {verb!r}: the verbs are {', '.join(VERBS)}")
        return steps[verb]()

    def reach(self, now: datetime) -> PullRange:
        """How far back and how close to now a pull looks."""
        pull_settings = self.settings.pull
        return PullRange(
            since=pull_settings.since or now - timedelta(days=pull_settings.lookback_days),
            overlap=timedelta(minutes=pull_settings.overlap_minutes),
            lag=timedelta(seconds=pull_settings.lag_seconds),
        )
