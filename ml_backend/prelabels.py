"""Label Studio's tasks in, one prediction each out: in order, valid, or empty.

Fewer predictions than tasks make Label Studio drop all of them, so whatever happens to a task, it gets one. An empty
one is `{"result": [], "score": 0.0}` with the model version: nothing selected.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from pydantic import JsonValue

from goldloop.codebook.controls import swapped
from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import FORMAT
from goldloop.ports import Prelabel
from ml_backend.live import Answer, Asked, Outcome, answer_of
from ml_backend.project_model import ProjectModel
from ml_backend.sent import Tasks
from ml_backend.task_trace import read_task_data

_log = logging.getLogger(__name__)
_NOT_STORED: Final = Answer(Outcome.OFF)


class Remembered(Protocol):
    """What is known of tasks."""

    def codebook(self, ref: str) -> Codebook | None: ...
    def prelabels(self, codebook: Codebook, trace_ids: Sequence[str]) -> dict[str, Prelabel]: ...
    def shows_predictions(self, project_id: int | None, queue: str) -> bool: ...


class Judging(Protocol):
    """Who judges what has no stored prediction."""

    def answers(self, asked: Sequence[Asked], model: ProjectModel, begun: float) -> list[Answer]: ...
    def who(self, codebook: Codebook) -> tuple[str, str] | None: ...


class _Shown(NamedTuple):
    """A task of goldloop's that may get a prediction."""

    codebook: str
    trace_id: str


class Prelabels:
    """The judge's predictions for tasks: the ones in the store, else made live. Threads may share it."""

    def __init__(self, memory: Remembered, live: Judging) -> None:
        self._memory, self._live = memory, live
        self._counting = threading.Lock()
        self.outcomes: Counter[Outcome] = Counter()

    def predict(self, tasks: Sequence[object], model: ProjectModel) -> list[dict[str, JsonValue]]:
        """One prediction for each task, in order."""
        begun = time.monotonic()
        answers = self._answers(tasks, model, begun)
        counted = Counter(answer.outcome for answer in answers)
        with self._counting:
            self.outcomes += counted
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counted.items()))
        _log.info("predict: project %s, %d tasks (%s)", model.project_id, len(tasks), counts or "none")
        return [_prediction(answer) for answer in answers]

    def _answers(self, tasks: Sequence[object], model: ProjectModel, begun: float) -> list[Answer]:
        known: dict[str, Codebook | Outcome] = {}
        read = [self._read(task, model, known) for task in tasks]
        codebooks = {ref: codebook for ref, codebook in known.items() if isinstance(codebook, Codebook)}
        stored = self._stored([one for one in read if isinstance(one, _Shown)], codebooks, model)
        answers = [one if isinstance(one, Answer) else stored.get(one, _NOT_STORED) for one in read]
        if model.params.live and _NOT_STORED in answers:
            whole = tasks.whole() if isinstance(tasks, Tasks) else tasks
            asked: dict[int, Asked] = {}
            for place, one in enumerate(read):
                if isinstance(one, _Shown) and answers[place] is _NOT_STORED:
                    data = read_task_data(whole[place])
                    answers[place] = Answer(Outcome.FOREIGN)
                    if data is not None:
                        asked[place] = Asked(codebooks[one.codebook], data)
            for place, answer in zip(asked, self._live.answers([*asked.values()], model, begun), strict=True):
                answers[place] = answer
        return answers

    def _read(self, task: object, model: ProjectModel, known: dict[str, Codebook | Outcome]) -> _Shown | Answer:
        """By the few fields that a stored prediction needs: reading all of a task costs more than the rest."""
        data = task.get("data") if isinstance(task, dict) else None
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            return Answer(Outcome.FOREIGN)
        ref, queue, trace_id = data.get("codebook"), data.get("queue"), data.get("trace_id")
        if not (isinstance(ref, str) and isinstance(queue, str) and isinstance(trace_id, str)):
            return Answer(Outcome.FOREIGN)
        if ref not in known:
            known[ref] = self._asked_in(ref, model)
        codebook = known[ref]
        if isinstance(codebook, Outcome):
            return Answer(codebook)
        if codebook.name != queue:
            return Answer(Outcome.FOREIGN)
        return Answer(Outcome.BLIND) if data.get("blind", False) is not False else _Shown(ref, trace_id)

    def _asked_in(self, ref: str, model: ProjectModel) -> Codebook | Outcome:
        """The codebook of a request's tasks, or why none of them gets anything to see."""
        codebook = self._memory.codebook(ref)
        if codebook is None:
            return Outcome.FOREIGN
        if model.config.blind or not self._memory.shows_predictions(model.project_id, codebook.name):
            return Outcome.BLIND
        return codebook if codebook.verdict.name in model.config.controls else Outcome.REFUSED

    def _stored(
        self, shown: Sequence[_Shown], codebooks: Mapping[str, Codebook], model: ProjectModel
    ) -> Mapping[tuple[str, str], Answer]:
        """What the store has. One query; one more a further codebook.

        An abstention counts while its judge would say the same: one that has learned since may know by now.
        """
        found: dict[tuple[str, str], Answer] = {}
        for ref, codebook in codebooks.items():
            trace_ids = [one.trace_id for one in shown if one.codebook == ref and _can_be_stored(one.trace_id)]
            sided = codebook.pairwise
            said_of = self._memory.prelabels(codebook, trace_ids) if trace_ids else {}
            abstaining = {said[-2:] for said in said_of.values() if said.abstained is not None}
            outdated = abstaining - {self._live.who(codebook)} if abstaining and model.params.live else ()
            for trace_id, said in said_of.items():
                if said.abstained is not None and said[-2:] in outdated:
                    continue
                swap = sided and swapped(codebook.name, trace_id)
                found[ref, trace_id] = answer_of(model, codebook, said, Outcome.STORED, swap=swap)
        return found


def _can_be_stored(trace_id: str) -> bool:
    """An id that no row can have would cost all tasks of the request their query."""
    try:
        return b"\x00" not in trace_id.encode()
    except UnicodeEncodeError:
        return False


def _prediction(answer: Answer) -> dict[str, JsonValue]:
    if answer.result is None:
        return {"result": [], "score": 0.0, "model_version": MODEL_VERSION}
    return {"result": answer.result, "score": answer.score, "model_version": MODEL_VERSION}
