"""What the pipeline needs from the world. Every adapter, and every hand-written fake, has one of these shapes.

Adapters translate their vendor's errors: `RetryableError` (later it may work), `RejectedError` (this record never
will), `FatalError` (nothing will until a person acts). Nothing else of a vendor's leaves an adapter.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from goldloop.codebook.result import MODEL_VERSION
from goldloop.codebook.schema import Codebook
from goldloop.records import (
    Annotation,
    Answer,
    Candidate,
    Draw,
    DrawRun,
    EvalRow,
    Judgement,
    Parked,
    Prediction,
    Project,
    Receipt,
    Record,
    Score,
    Signal,
    State,
    Task,
    TaskSnapshot,
    Trace,
    Utc,
)

RowT = TypeVar("RowT")

Clock = Callable[[], datetime]
Progress = Callable[[int, int | None], None]
"""Called with how many are done and how many there are (None where nobody knows)."""


class Window(Record):
    """Half open: `start` is in it, `end` is not."""

    start: Utc
    end: Utc


@dataclass(frozen=True)
class Page(Generic[RowT]):
    """What one request brought: the rows that could be read, and for each other one its id and the reason."""

    rows: list[RowT]
    rejected: list[tuple[str, str]]


class TraceSource(Protocol):
    """Langfuse, read. Pages hold 1,000 rows at most and no payload, so memory is bounded by a page."""

    def check(self) -> str:
        """The server's version; `FatalError` where it is unsupported or the key is wrong."""
        ...

    def candidates(self, window: Window) -> Iterator[Page[Candidate]]:
        """Traces by the observations that started in the window: first roots, then those that show no root.

        A trace with several roots comes once a root: the store merges. One that shows no root comes with `roots=0`.
        """
        ...

    def signals(self, window: Window) -> Iterator[Page[Signal]]:
        """Scores on traces with a timestamp in the window, goldloop's own among them: the caller knows their ids."""
        ...

    def trace(self, trace_id: str) -> Trace | None:
        """One trace with its payload; None where the server has no observation of it."""
        ...

    def trace_url(self, trace_id: str) -> str:
        """Where a person can look at it."""
        ...


class ProjectDraft(Record):
    """A Label Studio project to be."""

    title: str
    description: str
    instruction: str
    label_config: str
    annotations_per_task: int
    model_version: str = MODEL_VERSION


class TaskDraft(Record):
    """A task to be: the data that the screen shows, and the prelabel in Label Studio's own JSON (or None)."""

    trace_id: str
    data: dict[str, JsonValue]
    prediction: dict[str, JsonValue] | None = None


class TaskQueue(Protocol):
    """Label Studio. A task's trace is `data.trace_id`."""

    def check(self) -> str:
        """The server's version; `FatalError` where it is unsupported or the key is wrong."""
        ...

    def ensure_project(self, draft: ProjectDraft, known: int | None) -> tuple[int, str]:
        """(id, url) of the project `known` where it still exists, else of one with this title, else of a new one."""
        ...

    def find_tasks(self, project_id: int, trace_ids: Sequence[str]) -> dict[str, int]:
        """Task ids, by trace id, of those of the traces that have a task already."""
        ...

    def invalid_predictions(self, label_config: str, drafts: Sequence[TaskDraft]) -> dict[str, str]:
        """The reason, by trace id, for each draft whose prediction the label config does not allow."""
        ...

    def import_tasks(self, project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
        """Task ids in the order of the drafts. One attempt: after an error, look up before trying again."""
        ...

    def changed_tasks(self, project_id: int, since: datetime | None) -> Iterator[Page[TaskSnapshot]]:
        """Tasks with `updated_at` after `since` (None: all), oldest change first, with all their annotations."""
        ...

    def task_count(self, project_id: int) -> int:
        """How many tasks exist: the cheap way to see that some were deleted."""
        ...

    def task_ids(self, project_id: int) -> set[int]:
        """Every task that exists."""
        ...


class Judge(Protocol):
    """Judges one trace by one codebook. It never raises for a trace: it abstains, and says why."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Changes when the same trace could get another answer."""
        ...

    def judge(self, codebook: Codebook, trace: Trace) -> Judgement: ...


class ScoreSink(Protocol):
    """Langfuse, written to."""

    def send(self, scores: Sequence[Score]) -> list[Receipt]:
        """One receipt for each score in their order, whatever happened to the others of the batch."""
        ...

    def delete(self, score_id: str) -> None:
        """Deleting what is not there is no error."""
        ...

    def read(self, score_ids: Sequence[str]) -> dict[str, str | float]:
        """The values that the server shows by now, by score id; BOOLEAN as 1.0 or 0.0."""
        ...


class EvalSink(Protocol):
    """Where eval rows go: a file, a Langfuse dataset."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def put(self, dataset: str, rows: Sequence[EvalRow]) -> list[Receipt]:
        """Insert or replace by row id, in order; a row that is there as it is costs no write."""
        ...

    def remove(self, dataset: str, row_ids: Sequence[str]) -> None:
        """Removing what is not there is no error."""
        ...

    def row_ids(self, dataset: str) -> set[str]:
        """Ids of the rows that count: removed ones do not."""
        ...


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
        """`CodebookError` where this name and version were saved before with another content."""
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

    def due_for_resolve(self, queue: str) -> list[str]: ...
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
    def due_scores(self, queue: str, limit: int) -> list[Score]: ...
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
