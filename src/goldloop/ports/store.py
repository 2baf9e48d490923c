"""What the pipeline remembers by."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from goldloop.codebook.schema import Codebook
from goldloop.ports.servers import Window
from goldloop.records import (
    Annotation,
    Answer,
    Candidate,
    Draw,
    DrawRun,
    Parked,
    Prediction,
    Project,
    Record,
    Score,
    Signal,
    State,
    Task,
    Utc,
)


class EvalDue(Record):
    """An eval row that waits to be written (or, with `remove`, taken out)."""

    row_id: str
    queue: str
    codebook_version: str
    trace_id: str
    remove: bool


class FrameRow(Record):
    """A candidate as the draw sees it. `unit` is the user, or the trace itself where no user is known."""

    trace_id: str
    stratum: str
    unit: str


class QueueCounts(Record):
    """What the report shows of one queue."""

    queue: str
    by_state: dict[str, int]
    by_policy: dict[str, dict[str, int]]
    parked_by_reason: dict[str, int]
    scores_by_state: dict[str, int]
    eval_rows: int
    oldest_open: Utc | None
    annotations: int
    skips: int
    predictions: int


class Store(Protocol):
    """goldloop's memory. Every method is one transaction; times come from the caller."""

    # -- codebooks and projects
    def save_codebook(self, codebook: Codebook, at: datetime) -> None:
        """`CodebookError` where this version was saved before with other questions; its queue settings may change."""
        ...

    def codebook(self, queue: str, version: str) -> Codebook: ...
    def save_project(self, project: Project) -> None: ...
    def projects(self, queue: str) -> list[Project]: ...

    # -- pull
    def watermark(self, stream: str) -> datetime | None: ...
    def set_watermark(self, stream: str, at: datetime) -> None: ...
    def save_candidates(self, candidates: Sequence[Candidate], seen_at: datetime) -> None:
        """Upsert by trace id. Without a root a candidate never replaces one with a root; the earliest root wins."""
        ...

    def save_signals(self, signals: Sequence[Signal]) -> None:
        """Upsert by signal id; ids in the score outbox are goldloop's own and are left out."""
        ...

    def candidate_count(self) -> int: ...

    # -- draw
    def frame(self, queue: str, window: Window) -> list[FrameRow]:
        """Candidates with a timestamp in the window that this queue has never drawn, ordered by trace id."""
        ...

    def drawn_since(self, queue: str, since: datetime) -> int: ...
    def save_draw(self, run: DrawRun, draws: Sequence[Draw]) -> None: ...

    # -- prelabel and enqueue
    def draws(self, queue: str, state: State) -> list[Draw]:
        """In the annotators' order (priority, then trace id)."""
        ...

    def draw(self, queue: str, trace_id: str) -> Draw: ...
    def unjudged(self, queue: str, judge: str, judge_version: str) -> list[Draw]:
        """Draws in state drawn without a prediction by this judge in this version."""
        ...

    def save_predictions(self, predictions: Sequence[Prediction]) -> None: ...
    def prediction(self, queue: str, codebook_version: str, trace_id: str) -> Prediction | None:
        """The newest one."""
        ...

    def signals(self, trace_id: str) -> list[Signal]: ...
    def begin_import(self, queue: str, trace_ids: Sequence[str], at: datetime) -> set[str]:
        """Note that these are about to be imported. Those that were noted before come back: look them up first."""
        ...

    def save_tasks(self, tasks: Sequence[Task], at: datetime) -> None:
        """The tasks exist: their traces turn from drawn to queued."""
        ...

    # -- gather
    def task(self, project_id: int, task_id: int) -> Task | None: ...
    def task_ids(self, project_id: int) -> set[int]:
        """Tasks that existed when last looked at."""
        ...

    def annotations(self, queue: str, trace_id: str) -> list[Annotation]:
        """All of the trace's, deleted and skipped ones too, ordered by creation."""
        ...

    def save_annotations(self, annotations: Sequence[Annotation], at: datetime) -> None:
        """Upsert by key, append each to the history, and note their traces as due for resolve."""
        ...

    def mark_tasks_deleted(self, project_id: int, task_ids: Sequence[int], at: datetime) -> list[str]:
        """Their annotations count as deleted, their traces as due for resolve. Gives their trace ids."""
        ...

    # -- resolve
    def environment(self, trace_id: str) -> str:
        """The trace's Langfuse environment, which its scores have to carry."""
        ...

    def due_for_resolve(self, queue: str) -> list[str]:
        """Traces whose annotations changed, parked ones too: their scores may have to be taken back."""
        ...

    def save_resolution(
        self,
        queue: str,
        trace_id: str,
        *,
        state: State,
        answers: Sequence[Answer],
        scores: Sequence[Score],
        eval_row: EvalDue | None,
        at: datetime,
    ) -> int:
        """Replace the trace's answers and set its state; put into the outbox what changed; count those changes.

        A score whose content changed is due again, with an `event_at` later than the one before; one that is no
        longer there is due for deletion. The same goes for the eval row, by its digest of the answers.
        """
        ...

    def answers(self, queue: str, trace_id: str) -> list[Answer]: ...

    # -- publish
    def due_scores(self, queue: str, limit: int) -> list[Score]:
        """What to send next. Being handed out is counted: a score that may have been sent is never just dropped."""
        ...

    def due_deletions(self, queue: str, limit: int) -> list[str]: ...
    def mark_scores_sent(self, score_ids: Sequence[str], at: datetime) -> None: ...
    def mark_scores_deleted(self, score_ids: Sequence[str]) -> None: ...
    def unconfirmed_scores(self, queue: str) -> list[tuple[Score, datetime]]:
        """Scores that were sent, and when, but not yet read back."""
        ...

    def mark_scores_confirmed(self, score_ids: Sequence[str]) -> None: ...
    def score_ids(self, queue: str) -> list[str]:
        """Scores that should stand in Langfuse: sent or confirmed."""
        ...

    def due_eval_rows(self, queue: str, limit: int) -> list[EvalDue]: ...
    def mark_eval_rows_done(self, row_ids: Sequence[str]) -> None: ...
    def mark_published(self, queue: str) -> int:
        """Resolved traces with nothing left in the outbox turn to published; how many did."""
        ...

    # -- report, parked, lock
    def counts(self, queue: str) -> QueueCounts: ...
    def park(self, parked: Parked) -> None:
        """Keep it aside. A subject `trace:` turns its draw to parked, `score:` and `eval-row:` their outbox row."""
        ...

    def unpark(self, parked_ids: Sequence[str]) -> int:
        """Back to where it was before it was parked, due to be tried again; how many there were."""
        ...

    def parked(self, queue: str | None = None) -> list[Parked]: ...
    def lock(self, name: str, owner: str, ttl: timedelta) -> AbstractContextManager[None]:
        """Held while inside, renewed by itself, free at the latest `ttl` after the holder died.

        `LockedError` where another owner has it; the same owner, started again, takes it over.
        """
        ...
