"""The servers and the files that the pipeline talks to."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from pydantic import JsonValue

from goldloop.codebook.result import MODEL_VERSION
from goldloop.errors import RejectedError
from goldloop.records import (
    Candidate,
    EvalRow,
    Receipt,
    Record,
    Score,
    ScoreConfig,
    ShownScore,
    Signal,
    TaskOrigin,
    TaskSnapshot,
    Trace,
    Utc,
    Value,
)

RowT = TypeVar("RowT")

Clock = Callable[[], datetime]


class Progress(Protocol):
    """Told how many are done, how many there are (None where nobody knows), and what was spent on them in USD."""

    def __call__(self, done: int, total: int | None, usd: float | None = None, /) -> None: ...


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
        """Scores on traces with a timestamp in the window, but for those that say that they are goldloop's own."""
        ...

    def trace(self, trace_id: str) -> Trace | None:
        """One trace with its payload; None where the server has no observation of it."""
        ...

    def payloads(self, trace_ids: Sequence[str]) -> Iterator[Trace | RejectedError | None]:
        """Each as `trace` gives it, in order; what `trace` raises of a single one comes as its place's value.

        Several are read side by side, and no more than these are held at once.
        """
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
    show_predictions: bool = True


class ProjectSnapshot(Record):
    """A Label Studio project as it is now; a label config as the server gives it, white space aside."""

    project_id: int
    url: str
    title: str
    description: str
    instruction: str
    label_config: str
    annotations_per_task: int
    show_predictions: bool


class TaskDraft(Record):
    """A task to be: the data that the screen shows, and the prelabel in Label Studio's own JSON (or None)."""

    trace_id: str
    data: dict[str, JsonValue]
    prediction: dict[str, JsonValue] | None = None


class Peek(Record):
    """A project at a glance: how many tasks, when one of them changed last, and the server's own time (if it tells)."""

    count: int
    newest: Utc | None
    at: Utc | None


class TaskQueue(Protocol):
    """Label Studio. A task's trace is `data.trace_id`.

    A project that is not there is a `RejectedError` with reason "not found" for whoever reads its tasks.
    """

    def check(self) -> str:
        """The server's version; `FatalError` where it is unsupported or the key is wrong."""
        ...

    def ensure_project(self, draft: ProjectDraft, known: int | None) -> tuple[int, str]:
        """(id, url) of the project `known` where it still exists, else of one with this title, else of a new one."""
        ...

    def find_project(self, title: str, known: int | None) -> ProjectSnapshot | None:
        """The project `known` where it still exists, else the one with this title."""
        ...

    def check_label_config(self, project_id: int, label_config: str) -> None:
        """`RejectedError` where annotations of the project would not fit it."""
        ...

    def update_project(self, project_id: int, draft: ProjectDraft) -> None:
        """Title, texts, label config, number of annotations and whether predictions are shown; its tasks stay."""
        ...

    def find_tasks(self, project_id: int, trace_ids: Sequence[str]) -> dict[str, int]:
        """Task ids, by trace id, of those of the traces that have a task already."""
        ...

    def invalid_predictions(self, label_config: str, drafts: Sequence[TaskDraft]) -> dict[str, str]:
        """The reason, by trace id, for each draft whose prediction the label config does not allow."""
        ...

    def import_tasks(self, project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
        """Task ids in the order of the drafts. One attempt: after an error, look up before trying again.

        `RejectedError` where it is the drafts' fault, and none was imported; a project that is gone is none of theirs.
        """
        ...

    def want_annotators(self, task_ids: Sequence[int], annotators: int) -> None:
        """So many people are to answer these tasks, whatever the project says. Tasks that are gone are passed over."""
        ...

    def changed_tasks(self, project_id: int, since: datetime | None) -> Iterator[Page[TaskSnapshot]]:
        """Tasks with `updated_at` after `since` (None: all), oldest change first, with all their annotations."""
        ...

    def peek(self, project_id: int) -> Peek:
        """One request: the cheap way to see that tasks changed, or that some were deleted."""
        ...

    def task_count(self, project_id: int) -> int:
        """How many tasks exist."""
        ...

    def task_ids(self, project_id: int) -> set[int]:
        """Every task that exists."""
        ...

    def all_projects(self) -> list[ProjectSnapshot]:
        """Every project that the key opens, oldest first, whoever made it."""
        ...

    def origins(self, project_id: int) -> Iterator[Page[TaskOrigin]]:
        """Where each task comes from, by ascending id; tasks that do not say so were not made by goldloop: left out."""
        ...


class ScoreSink(Protocol):
    """Langfuse, written to."""

    def send(self, scores: Sequence[Score]) -> list[Receipt]:
        """One receipt for each score in their order, whatever happened to the others of the batch."""
        ...

    def delete(self, score_ids: Sequence[str]) -> None:
        """Deleting what is not there is no error; after an error delete all again."""
        ...

    def read(self, score_ids: Sequence[str]) -> dict[str, ShownScore]:
        """What the server shows by now, by score id; a BOOLEAN's value as 1.0 or 0.0."""
        ...

    def listed(self, names: Sequence[str]) -> Iterator[list[ShownScore]]:
        """Every score of these names, newest first, a page at a time: goldloop's own and anybody else's."""
        ...


class ListedConfig(Record):
    """A score config as Langfuse has it; an archived one takes no new scores."""

    config_id: str
    config: ScoreConfig
    archived: bool
    created_at: Utc


class ScoreConfigs(Protocol):
    """Langfuse's score configs: they have no id of ours, their names need not be unique, and none can be deleted."""

    def listed(self) -> list[ListedConfig]:
        """All that hold numbers or categories, oldest first; those of other tools and archived ones too."""
        ...

    def ensure(self, config: ScoreConfig) -> str:
        """The id of the oldest one in use that holds this, else of a new one; after an error, call it again."""
        ...

    def archive(self, config_id: str, *, archived: bool = True) -> None:
        """Take it out of use, or back into it."""
        ...


class EvalSink(Protocol):
    """Where eval rows go: a file, a Langfuse dataset. `dataset` is what the rows of one queue are called there."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def put(self, dataset: str, rows: Sequence[EvalRow], new: Collection[str] = ()) -> list[Receipt]:
        """Insert or replace by row id; a row that is there as it is costs no write. Receipts come in the rows' order.

        Those whose ids are in `new` were never put before, as far as anybody knows, and need not be looked for.
        """
        ...

    def remove(self, dataset: str, row_ids: Sequence[str]) -> None:
        """Removing what is not there is no error."""
        ...

    def row_ids(self, dataset: str) -> set[str]:
        """Ids of the rows that count: removed ones do not."""
        ...

    def shown(self, dataset: str, queue: str) -> dict[str, dict[str, Value]]:
        """Labels, by row id, of the rows that goldloop wrote for this queue; rows of anybody else are left out."""
        ...


@dataclass(frozen=True)
class Shelf:
    """One sink, and what a queue's rows are called there: a file has the queue's name, a dataset may have another."""

    sink: EvalSink
    dataset: str
