"""Label Studio's tasks in, one prediction each out: in order, valid, or empty.

Fewer predictions than tasks make Label Studio drop all of them, so whatever happens to a task, it gets one. An empty
one is `{"result": [], "score": 0.0}` with the model version: nothing selected.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from pydantic import JsonValue

from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import TaskData
from goldloop.errors import CodebookError, RejectedError, RemoteError
from goldloop.pipeline.enqueue import prelabel_of
from goldloop.ports import Judge
from goldloop.records import Prediction, Project
from ml_backend.label_config import LabelConfig, read_label_config
from ml_backend.task_trace import is_whole, read_task_data, trace_of
from ml_backend.timed_judge import TimedJudge

FoundT = TypeVar("FoundT")

_log = logging.getLogger(__name__)


class Memory(Protocol):
    """What is read of goldloop's store."""

    def codebook(self, queue: str, version: str) -> Codebook: ...
    def prediction(self, queue: str, codebook_version: str, trace_id: str) -> Prediction | None: ...
    def projects(self, queue: str) -> list[Project]: ...


class Outcome(StrEnum):
    """Where a task's prediction came from, or why it is empty."""

    STORED = "stored"
    LIVE = "live"
    ABSTAINED = "abstained"
    BLIND = "blind"
    FOREIGN = "not goldloop's"
    CUT = "cut for the screen"
    REFUSED = "refused"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True)
class Limits:
    """Seconds: for one judgement, and for all judgements of one request. The annotator's page waits meanwhile."""

    judgement: float = 2.0
    request: float = 30.0


class Prelabels:
    """The judge's predictions for tasks: the ones in the store, else made live. Threads may share it."""

    def __init__(
        self,
        judge: Judge,
        memory: Memory,
        codebooks: Mapping[str, Codebook],
        clock: Callable[[], datetime],
        limits: Limits = Limits(),
    ) -> None:
        self.judge, self.memory, self.codebooks, self.clock, self.limits = judge, memory, codebooks, clock, limits
        self.timed = TimedJudge(judge)

    def predict(self, tasks: Sequence[object], label_config: str, project_id: int | None) -> list[dict[str, JsonValue]]:
        """One prediction for each task, in order. `label_config` is XML; a broken one allows nothing."""
        try:
            config = read_label_config(label_config)
        except ValueError:
            config = LabelConfig({}, blind=True)
        request = _Request(self, config, project_id)
        predictions = [request.answer(task) for task in tasks]
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(request.outcomes.items()))
        _log.info("predict: project %s, %d tasks (%s)", project_id, len(tasks), counts or "none")
        return predictions


class _Request:
    """One request's state: what it has read, what time is left, what became of its tasks."""

    def __init__(self, prelabels: Prelabels, config: LabelConfig, project_id: int | None) -> None:
        self.prelabels, self.config, self.project_id = prelabels, config, project_id
        self.outcomes: Counter[Outcome] = Counter()
        self._judging_s = 0.0
        self._codebooks: dict[tuple[str, str], Codebook | None] = {}
        self._blind: dict[str, bool] = {}
        self._store_answers = True

    def answer(self, task: object) -> dict[str, JsonValue]:
        try:
            outcome, prediction = self._answer(task)
        except Exception as error:  # noqa: BLE001 - one task must never cost the others their predictions
            _log.warning("a task got no prediction: %s", type(error).__name__)
            outcome, prediction = Outcome.FAILED, None
        self.outcomes[outcome] += 1
        return prediction or {"result": [], "score": 0.0, "model_version": MODEL_VERSION}

    def _answer(self, task: object) -> tuple[Outcome, dict[str, JsonValue] | None]:
        data = read_task_data(task)
        codebook = self._codebook(data.codebook) if data else None
        if data is None or codebook is None or codebook.name != data.queue:
            return Outcome.FOREIGN, None
        if self.config.blind or self._is_blind(data.queue):
            return Outcome.BLIND, None
        if codebook.verdict.name not in self.config.controls:
            return Outcome.REFUSED, None
        outcome, found = self._stored(codebook, data.trace_id) or self._live(codebook, data)
        prediction = prelabel_of(codebook, found)
        if prediction is None or found is None:
            return (Outcome.ABSTAINED if found else outcome), None
        result = prediction["result"]
        fits = isinstance(result, list) and self.config.allows([part for part in result if isinstance(part, dict)])
        return (outcome, prediction) if fits and self._is_by_the_judge(found) else (Outcome.REFUSED, None)

    def _stored(self, codebook: Codebook, trace_id: str) -> tuple[Outcome, Prediction] | None:
        """The store's prediction, an abstention too, where it is of this judge in this version."""
        memory = self.prelabels.memory
        found = self._from_store(lambda: memory.prediction(codebook.name, codebook.version, trace_id))
        return (Outcome.STORED, found) if found and self._is_by_the_judge(found) else None

    def _is_by_the_judge(self, found: Prediction) -> bool:
        judge = self.prelabels.judge
        return (found.judgement.judge, found.judgement.judge_version) == (judge.name, judge.version)

    def _live(self, codebook: Codebook, data: TaskData) -> tuple[Outcome, Prediction | None]:
        if not is_whole(data):
            return Outcome.CUT, None
        try:
            trace = trace_of(data)
        except ValueError:
            return Outcome.FOREIGN, None
        limits = self.prelabels.limits
        seconds = min(limits.judgement, limits.request - self._judging_s)
        if seconds <= 0:
            return Outcome.LATE, None
        begun = time.monotonic()
        try:
            judgement = self.prelabels.timed.judge(codebook, trace, seconds)
        except TimeoutError:
            return Outcome.LATE, None
        finally:
            self._judging_s += time.monotonic() - begun
        return Outcome.LIVE, Prediction(
            queue=codebook.name,
            codebook_version=codebook.version,
            trace_id=data.trace_id,
            judged_at=self.prelabels.clock(),
            judgement=judgement,
        )

    def _codebook(self, ref: str) -> Codebook | None:
        """The codebook of a task: of the store, which keeps all versions, else of the folder; None for an unknown."""
        name, _, version = ref.partition("@")
        if (name, version) not in self._codebooks:
            of_folder = self.prelabels.codebooks.get(name)
            known = self._from_store(lambda: self._stored_codebook(name, version))
            if known is None and of_folder is not None and of_folder.version == version:
                known = of_folder
            self._codebooks[name, version] = known
        return self._codebooks[name, version]

    def _stored_codebook(self, name: str, version: str) -> Codebook | None:
        try:
            return self.prelabels.memory.codebook(name, version)
        except CodebookError:
            return None

    def _is_blind(self, queue: str) -> bool:
        """Whether the store knows the project as a blind one: its label config can be edited by any member."""
        if queue not in self._blind:
            projects = self._from_store(lambda: self.prelabels.memory.projects(queue)) or []
            self._blind[queue] = any(
                project.project_id == self.project_id and project.purpose == "blind" for project in projects
            )
        return self._blind[queue]

    def _from_store(self, read: Callable[[], FoundT | None]) -> FoundT | None:
        """What the store has; after its first failure it is not asked again in this request."""
        if not self._store_answers:
            return None
        try:
            return read()
        except RejectedError:  # an id that no row can have: the store itself is well
            return None
        except RemoteError as error:
            self._store_answers = False
            _log.warning("the store does not answer, so predictions are made live: %s", error)
            return None
