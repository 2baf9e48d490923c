"""Judging a task while its page opens: within a deadline, and whatever the judge does."""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple

from pydantic import ValidationError

from goldloop.codebook.controls import swapped
from goldloop.codebook.schema import Codebook
from goldloop.codebook.task import TaskData
from goldloop.ports import Prelabel
from goldloop.records import Judgement, Prediction, Trace, Unjudged
from ml_backend.judges import QueueJudges
from ml_backend.project_model import ProjectModel, Result
from ml_backend.task_trace import is_whole, trace_of
from ml_backend.threads import Threads

THREADS: Final = 16
"""Judgements under way at once, those too that nobody waits for any more."""
WAITING: Final = 6
"""Requests that may wait for live judgements at once: the others' threads stay free for what is stored."""
ADMISSION_SECONDS: Final = 0.25

_log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """Where a task's prediction came from, or why it is empty."""

    STORED = "stored"
    LIVE = "live"
    ABSTAINED = "abstained"
    BLIND = "blind"
    FOREIGN = "not goldloop's"
    CUT = "cut for the screen"
    REFUSED = "refused"
    UNJUDGED = "unjudged"
    OFF = "not stored, and live judging is off"
    LATE = "late"
    FAILED = "failed"


class Answer(NamedTuple):
    """What becomes of one task; without a result nothing is selected."""

    outcome: Outcome
    result: Result | None = None
    score: float | None = None


class Asked(NamedTuple):
    """A task without a stored prediction."""

    codebook: Codebook
    data: TaskData


@dataclass(frozen=True)
class Limits:
    """Seconds: for one judgement, and for a request with several. The annotator's page waits meanwhile."""

    judgement: float = 1.5
    request: float = 30.0


class Live:
    """Threads may share it.

    Args:
        judges: who judges.
        keep: takes what was judged, to be saved; it must not wait.
        clock: aware UTC.
    """

    def __init__(
        self,
        judges: QueueJudges,
        keep: Callable[[Prediction], None],
        clock: Callable[[], datetime],
        limits: Limits = Limits(),
        threads: int = THREADS,
    ) -> None:
        self._judges, self._keep, self._clock, self._limits = judges, keep, clock, limits
        self.threads = Threads("judge", threads)
        self._admitted = threading.BoundedSemaphore(WAITING)

    def answers(self, asked: Sequence[Asked], model: ProjectModel, begun: float) -> list[Answer]:
        """One for each, in order. `begun` is when the request came, on the monotonic clock: its wait counts."""
        each = model.params.deadline_seconds or self._limits.judgement
        until = begun + (each if len(asked) == 1 else max(each, self._limits.request))
        if not self._admitted.acquire(timeout=max(0.0, min(ADMISSION_SECONDS, until - time.monotonic()))):
            return [Answer(Outcome.LATE) for _ in asked]
        try:
            calls = [partial(self._judge, one, model) for one in asked]
            outcomes = self.threads.all_within(calls, each=each, until=until)
        finally:
            self._admitted.release()
        failed = Counter(type(one).__name__ for one in outcomes if not isinstance(one, Answer | TimeoutError))
        for name, count in failed.items():
            _log.warning("%d tasks got no prediction: %s", count, name)
        return [_answer(one) for one in outcomes]

    def who(self, codebook: Codebook) -> tuple[str, str] | None:
        """Name and version of who would judge; None where nobody can say without making a judge: a page waits."""
        judge = self._judges.made(codebook.name)
        if judge is None:
            return None
        try:
            return judge.name, judge.version(codebook)
        except Exception as error:  # noqa: BLE001 - whatever ails the judge, what is stored is given
            _log.warning("the judge of %s cannot say its version: %s", codebook.name, type(error).__name__)
            return None

    def _judge(self, asked: Asked, model: ProjectModel) -> Answer:
        """On a thread of its own: what it says too late for the page is still kept."""
        codebook, data = asked.codebook, asked.data
        if not is_whole(data):
            return Answer(Outcome.CUT)
        try:
            trace = trace_of(data)
        except ValueError:
            return Answer(Outcome.FOREIGN)
        try:
            said = self._said(codebook, trace)
        except ValidationError:
            return Answer(Outcome.REFUSED)
        if isinstance(said, Unjudged):
            return Answer(Outcome.UNJUDGED)
        if said is None:
            return Answer(Outcome.REFUSED)
        swap = codebook.pairwise and swapped(codebook.name, trace.trace_id)
        answers = json.dumps(said.answers)
        shown = Prelabel(answers, said.probability, said.abstained, said.judge, said.judge_version)
        answer = answer_of(model, codebook, shown, Outcome.LIVE, swap=swap)
        if answer.outcome is not Outcome.REFUSED:
            self._keep(
                Prediction(
                    queue=codebook.name,
                    codebook_version=codebook.version,
                    trace_id=trace.trace_id,
                    judged_at=self._clock(),
                    judgement=said,
                )
            )
        return answer

    def _said(self, codebook: Codebook, trace: Trace) -> Judgement | Unjudged | None:
        """What the judge gives for the one trace; None where that is none of what a judge may give.

        `ValidationError` for a judgement that is none.
        """
        said: object = self._judges.of(codebook.name).judge(codebook, [trace])
        if not isinstance(said, list) or len(said) != 1:
            return None
        if isinstance(said[0], Judgement):
            return Judgement.model_validate(dict(said[0]))  # again: a record can be made without being checked
        return said[0] if isinstance(said[0], Unjudged) else None


def answer_of(model: ProjectModel, codebook: Codebook, said: Prelabel, outcome: Outcome, *, swap: bool) -> Answer:
    """What Label Studio is to show of what a judge said; `outcome` is where that came from."""
    if said.abstained is not None:
        return Answer(Outcome.ABSTAINED)
    result = model.result(codebook, said.answers, swap=swap)
    return Answer(Outcome.REFUSED) if result is None else Answer(outcome, result, said.probability)


def _answer(outcome: Answer | BaseException) -> Answer:
    if isinstance(outcome, Answer):
        return outcome
    return Answer(Outcome.LATE if isinstance(outcome, TimeoutError) else Outcome.FAILED)
