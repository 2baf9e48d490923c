"""What stands behind the routes: wired, kept fresh in the background, and ended in order."""

import logging
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from goldloop.bootstrap import Goldloop
from goldloop.pipeline.learn import current_fits
from goldloop.ports import Judge
from goldloop.records import JudgeFit
from ml_backend.fitting import Debounce, Fitting
from ml_backend.judges import QueueJudges, describe
from ml_backend.live import THREADS, Limits, Live
from ml_backend.memory import Memory
from ml_backend.prelabels import Prelabels
from ml_backend.saving import Saving
from ml_backend.threads import Threads

LOOK_SECONDS: Final = 30.0
"""How often other fits, another day and the store's health are looked for."""
STOP_SECONDS: Final = 3.0
"""What a fit that is under way has left when the server ends, what was judged to be saved, and judges to be closed."""
TRAINING: Final = frozenset({"START_TRAINING"})
ANNOTATING: Final = frozenset(
    {
        "ANNOTATION_CREATED",
        "ANNOTATION_UPDATED",
        "ANNOTATION_DELETED",
        "ANNOTATIONS_CREATED",
        "ANNOTATIONS_UPDATED",
        "ANNOTATIONS_DELETED",
    }
)

_log = logging.getLogger(__name__)


class Service:
    """Threads share it.

    `judge` (queue, run) and `learn` (queue) take the place of goldloop's own in tests. Making it makes a judge for each
    codebook, so that a wrong setting shows at the start: `ConfigError`, or `RetryableError` where the store is away.
    """

    def __init__(
        self,
        goldloop: Goldloop,
        *,
        judge: Callable[[str, str], Judge] | None = None,
        learn: Callable[[str], object] | None = None,
        debounce: Debounce | None = None,
    ) -> None:
        self._goldloop = goldloop
        store, settings = goldloop.store, goldloop.settings.judge
        self._learn = learn or goldloop.learn
        self.judges = QueueJudges(judge or goldloop.judge, self._fits, goldloop.clock)
        for queue in goldloop.codebooks:
            self.judges.of(queue)
        near = goldloop.settings.store_url.startswith("sqlite")
        self.memory = Memory(store, goldloop.codebooks, near=near)
        self.saving = Saving(store)
        self.live = Live(
            self.judges,
            self.saving.keep,
            goldloop.clock,
            Limits(judgement=settings.live_seconds),
            threads=min(THREADS, settings.concurrency),
        )
        self.prelabels = Prelabels(self.memory, self.live)
        self.fitting = Fitting(self._fit, self.memory.queue_of, goldloop.clock, debounce)
        self.webhooks: Counter[str] = Counter()
        self._queues: dict[str, dict[str, object]] = {}
        self._ended = threading.Event()
        threading.Thread(target=self._look, name="looking", daemon=True).start()

    def heard(self, action: str, project_id: int | None) -> int:
        """Label Studio told of something; the number of things that it told of by now. Returns at once."""
        known = action in TRAINING | ANNOTATING
        self.webhooks[action if known else "other"] += 1
        if known and project_id is not None:
            self.fitting.ask(project_id, at_once=action in TRAINING)
        return self.webhooks.total()

    def health(self) -> dict[str, object]:
        """What is known without asking anybody: for who has the credentials, and without any."""
        last = self.fitting.last
        return {
            "store": "reachable" if self.memory.reachable else "away",
            "queues": dict(self._queues),
            "fit": {"waiting": self.fitting.waiting, "last": _shown(asdict(last)) if last else None},
            "judging": self.live.threads.busy,
            "predictions": dict(self.prelabels.outcomes),
            "webhooks": dict(self.webhooks),
        }

    def stop(self) -> None:
        """Begin nothing more in the background; save what was judged, and send what was traced."""
        self._ended.set()
        if not self.fitting.stop(STOP_SECONDS):
            _log.warning("a fit was left unfinished: the next one makes up for it")
        self.saving.stop(STOP_SECONDS)
        with suppress(TimeoutError):  # Langfuse, where calls are traced to, may be away
            Threads("closing", 1).within(STOP_SECONDS, self.judges.close)

    def _fits(self, queue: str) -> list[JudgeFit]:
        """Those that hold now."""
        return current_fits(self._goldloop.store, queue, self._goldloop.settings.judge.floor)

    def _fit(self, queue: str) -> None:
        self._learn(queue)
        self.judges.check()
        self._describe(queue)

    def _look(self) -> None:
        """Every so often; a failure waits for the next time."""
        while True:
            try:
                if self.memory.look():
                    self.judges.check()
                    for queue in self.judges.known():
                        self._describe(queue)
            except BaseException as error:  # noqa: BLE001 - a judge can raise anything while it is made
                _log.warning("the judges could not be looked after: %s", type(error).__name__)
            if self._ended.wait(LOOK_SECONDS):
                return

    def _describe(self, queue: str) -> None:
        codebook = self._goldloop.codebooks.get(queue)
        if codebook is None:
            return
        store, verdict = self._goldloop.store, codebook.verdict.name
        fits = [fit for fit in self._fits(queue) if fit.question == verdict]
        blind = Counter(str(label.value) for label in store.blind_labels(queue) if label.question == verdict)
        self._queues[queue] = {
            **describe(self.judges.of(queue), codebook),
            "state": "calibrated" if fits else "uncalibrated",
            "blind_labels": dict(blind),
            "fits": [
                {
                    "judge": fit.judge,
                    "version": fit.version,
                    "labels": fit.quality.labels,
                    "auroc": fit.quality.auroc,
                    "ece": fit.quality.ece,
                    "fitted_at": fit.fitted_at.isoformat(),
                }
                for fit in fits
            ],
        }


def _shown(last: dict[str, object]) -> dict[str, object]:
    return {**last, "begun": str(last["begun"])}
