"""What the pipeline remembers by."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from goldloop.codebook.lineage import Lineage, Since
from goldloop.codebook.schema import Codebook
from goldloop.ports.judging import JudgeStore
from goldloop.ports.outbox import OutboxStore
from goldloop.ports.servers import Window
from goldloop.ports.stored import Column, OpenTrace, QueueCounts, SignalColumns, TraceResolution
from goldloop.quality.yields import PolicyCount
from goldloop.records import (
    Annotation,
    Answer,
    Candidate,
    Draw,
    DrawRun,
    NamedSlice,
    Parked,
    Project,
    Signal,
    State,
    Task,
)
from goldloop.sampling.frame import Frame


class Store(JudgeStore, OutboxStore, Protocol):
    """goldloop's memory. Every method is one transaction; times come from the caller."""

    # -- codebooks and projects
    def save_codebook(self, codebook: Codebook, at: datetime, since: Since | None = None) -> None:
        """`CodebookError` where this version was saved before with other questions; its queue settings may change.

        A new version is saved with its lineage, and waits to be published. Without one all of its questions date from
        it, and it counts as published.
        """
        ...

    def codebook(self, queue: str, version: str) -> Codebook: ...
    def lineage(self, queue: str) -> Lineage:
        """Every version that was saved."""
        ...

    def publish_codebook(self, queue: str, version: str, since: Since, at: datetime, *, resolve_all: bool) -> None:
        """The version is what is asked from now on: traces without a task are asked by it.

        Answers to questions that do not mean in it what they meant are quarantined at once. With `resolve_all` every
        annotated trace is due for resolve.
        """
        ...

    def take_over(self, queue: str, version: str, since: Since) -> None:
        """Traces without a task are asked by this version: those too that lost it since the version was published.

        Answers that mean something else in it, and were never set aside, are: as if it was published now.
        """
        ...

    def quarantined(self, queue: str) -> dict[str, list[str]]:
        """Questions by trace id whose answers are quarantined."""
        ...

    def relabel(self, queue: str, trace_ids: Sequence[str], version: str) -> None:
        """These traces are drawn again, in this version; what was said of them stays. Parked ones stay parked."""
        ...

    def save_project(self, project: Project) -> None: ...
    def projects(self, queue: str) -> list[Project]: ...

    def score_config_ids(self, queue: str) -> dict[tuple[str, str], str]:
        """Ids of the score configs that the queue ever kept to, by name and digest."""
        ...

    def save_score_config(self, queue: str, name: str, digest: str, config_id: str, at: datetime) -> None: ...
    def score_config_queues(self, config_id: str) -> set[str]:
        """The queues that ever kept to it: codebooks with the same question share one."""
        ...

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
    def frame(
        self,
        queue: str,
        window: Window,
        *,
        columns: Collection[Column] = (),
        also: Sequence[str] = (),
        even: Sequence[str] = (),
        resolved_before: datetime | None = None,
        as_of: datetime | None = None,
    ) -> Frame:
        """Candidates with a timestamp in the window that this queue has never drawn; `also` those, however old.

        `even` are candidates of the window as if they had never been drawn. With `resolved_before` also this queue's
        traces that were resolved by then and never relabelled, with the time of it. The same candidates give the same
        frame, whatever the database. `as_of` gives the candidates that there were then.
        """
        ...

    def signal_names(self) -> list[str]: ...
    def signal_columns(self, window: Window, names: Sequence[str]) -> SignalColumns:
        """Signals of these names with a time in the window."""
        ...

    def slices(self, queue: str, at: datetime | None = None) -> list[NamedSlice]:
        """By name; with `at` only those that have not expired then."""
        ...

    def save_slice(self, part: NamedSlice) -> None: ...
    def remove_slice(self, queue: str, name: str) -> bool:
        """Whether there was one."""
        ...

    def unknown_traces(self, trace_ids: Sequence[str]) -> list[str]:
        """Those of them that were never pulled."""
        ...

    def open_traces(self, queue: str) -> list[OpenTrace]:
        """Drawn or queued traces that nobody has answered, in the annotators' order."""
        ...

    def set_aside(self, parked: Sequence[Parked]) -> None:
        """Park drawn traces that nobody came to; what is left of a run's draws of one policy stands for all of them.

        Their `kept` is worked out anew, for every run of the queues that ever lost a trace so.
        """
        ...

    def relabels(self, queue: str) -> list[Draw]:
        """What was drawn to be judged again and has no task for it yet, in the annotators' order."""
        ...

    def mark_relabels_queued(self, queue: str, trace_ids: Sequence[str], at: datetime) -> None: ...
    def draw_runs(self, queue: str) -> list[DrawRun]:
        """Oldest first."""
        ...

    def drawn_since(self, queue: str, since: datetime) -> int: ...
    def save_draw(self, run: DrawRun, draws: Sequence[Draw], overflow: Sequence[Parked] = ()) -> None:
        """All or nothing. Draws stamped `relabel` are kept apart: their traces have a draw. `overflow` is parked."""
        ...

    # -- enqueue
    def draws(self, queue: str, state: State) -> list[Draw]:
        """In the annotators' order (priority, then trace id)."""
        ...

    def draw(self, queue: str, trace_id: str) -> Draw: ...
    def drawn(self, queue: str, trace_ids: Sequence[str]) -> list[Draw]:
        """Those of the traces that the queue drew, whatever became of them."""
        ...

    def signals(self, trace_id: str) -> list[Signal]:
        """Oldest first."""
        ...

    def signals_of(self, trace_ids: Sequence[str]) -> dict[str, list[Signal]]:
        """As `signals`, of many traces, by trace id; a trace without any is left out."""
        ...

    def imports_begun(self, queue: str, trace_ids: Sequence[str]) -> dict[str, datetime]:
        """When an import of these was last begun, where one ever was: look them up before importing them.

        Long ago where it is known how that import ended.
        """
        ...

    def begin_import(self, queue: str, trace_ids: Sequence[str], at: datetime) -> None:
        """Note that these are about to be imported."""
        ...

    def end_import(self, queue: str, trace_ids: Sequence[str]) -> None:
        """Note that their import is over, and made nothing."""
        ...

    def save_tasks(self, tasks: Sequence[Task], at: datetime) -> None:
        """The tasks exist: their import is over, and their traces turn from drawn to queued."""
        ...

    # -- gather
    def task(self, project_id: int, task_id: int) -> Task | None: ...
    def tasks_of(self, project_id: int, task_ids: Sequence[int], *, standing: bool = False) -> dict[int, Task]:
        """As `task`, of many, by task id; those that the store does not know are left out.

        With `standing` those are left out too that it knows to be deleted.
        """
        ...

    def task_ids(self, project_id: int) -> set[int]:
        """Tasks that existed when last looked at."""
        ...

    def task_count(self, project_id: int) -> int:
        """How many these are."""
        ...

    def annotations_of(self, project_id: int, task_ids: Sequence[int]) -> dict[int, list[Annotation]]:
        """Those of these tasks that stand: not the deleted ones. By task id; tasks without any are left out."""
        ...

    def annotations(self, queue: str, trace_id: str, *, second: bool = False) -> list[Annotation]:
        """All of the trace's, deleted and skipped ones too, ordered by creation.

        Those of a trace that was drawn to be judged again stand apart, as `second`: they change no answer.
        """
        ...

    def annotations_by_trace(
        self, queue: str, trace_ids: Sequence[str], *, second: bool = False
    ) -> dict[str, list[Annotation]]:
        """As `annotations`, of many traces, by trace id; a trace without any is left out."""
        ...

    def save_annotations(self, annotations: Sequence[Annotation], at: datetime) -> None:
        """Upsert by key, append each to the history, and note their traces as due for resolve.

        So is the trace that an annotation was on before, where it was moved to another task.
        """
        ...

    def mark_tasks_deleted(self, project_id: int, task_ids: Sequence[int], at: datetime) -> list[str]:
        """Their annotations count as deleted, their traces as due for resolve. Gives their trace ids."""
        ...

    # -- resolve
    def environments(self, trace_ids: Sequence[str]) -> dict[str, str]:
        """By trace id, the Langfuse environments, which scores have to carry; a trace never pulled is left out."""
        ...

    def due_for_resolve(self, queue: str) -> list[str]:
        """Traces whose annotations changed, parked ones too: their scores may have to be taken back."""
        ...

    def save_resolutions(self, queue: str, resolutions: Sequence[TraceResolution], at: datetime) -> int:
        """Replace the traces' answers, set their states; put into the outbox what changed; count those changes.

        Each trace once. A score whose content changed is due again, with an `event_at` later than the one before; one
        that is no longer there is due for deletion. The same goes for the eval row, by its digest of the answers.
        """
        ...

    def answers(self, queue: str, trace_id: str) -> list[Answer]: ...
    def answers_of(self, queue: str, trace_ids: Sequence[str]) -> dict[str, list[Answer]]:
        """As `answers`, of many traces, by trace id; a trace without any is left out."""
        ...

    # -- report, parked, lock
    def counts(self, queue: str, today: datetime | None = None) -> QueueCounts:
        """`today` is when the day began of which annotations are counted by annotator."""
        ...

    def policy_counts(self, queue: str) -> list[PolicyCount]:
        """Of each policy's first draws, by its name: how many there are, how many are resolved, how many failed.

        Answers that a later version set aside do not count; a trace fails where one of its answers is a failure.
        """
        ...

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
