"""A store made anew from Label Studio and Langfuse, as far as they hold it; or one of before brought up to date.

It only adds: tasks and the draws that they tell of, candidates, annotations, answers. So it can be repeated, and a run
that dies in it is made good by the next one. A draw comes back as queued, so that nobody makes a second task of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from goldloop import ids
from goldloop.codebook.lineage import number
from goldloop.codebook.schema import Codebook
from goldloop.pipeline.gather import gather
from goldloop.pipeline.parking import park_deleted_tasks, poll_from_the_beginning
from goldloop.pipeline.projects import leave_project
from goldloop.pipeline.pull import PullRange, pull
from goldloop.pipeline.rebuild_draws import candidate_of, run_of, task_of, why_not
from goldloop.pipeline.rebuild_scores import Standing, hold_rows, hold_scores, withdraw_rows, withdraw_scores
from goldloop.pipeline.rebuild_tasks import LeftAlone, Sorted, held, is_second, sort_out
from goldloop.pipeline.rebuild_versions import Versions, versions
from goldloop.pipeline.resolve import resolve
from goldloop.ports import Progress, RebuildStore, ScoreSink, Shelf, TaskQueue, TraceSource
from goldloop.records import Candidate, Draw, DrawRun, Record, Task, TaskOrigin, Trace

NOT_HELD: Final = (
    "what judges said before now and what it cost, their fits and the approved examples",
    "how each draw came about: its seed, its plan, its candidates, what it passed by",
    "traces that were drawn and were no task yet: they are candidates again",
    "candidates from before the lookback that were never drawn",
    "what annotations said before their last edit, and those that were deleted",
    "parked rows, slices, and which traces were put up to be labelled again",
)
"""What is in neither server, in words."""
_BATCH: Final = 100
_NAMED: Final = 3
"""Traces that are named where many are left alone for one reason."""


class RebuildSummary(Record):
    """What was brought back; by a dry run, what would be, as far as Label Studio alone tells."""

    queue: str
    dry_run: bool
    codebook_versions: list[str]
    projects: int
    draw_runs: int
    draws: int
    tasks: int
    candidates: int
    annotations: int = 0
    resolved: int = 0
    scores_confirmed: int = 0
    scores_due: int = 0
    scores_withdrawn: int = 0
    eval_rows_withdrawn: int = 0
    left_alone: list[LeftAlone]
    not_held: tuple[str, ...] = NOT_HELD


@dataclass(frozen=True)
class Sides:
    """The servers and sinks that a rebuild reads. `ensure_configs` makes score configs where they are missing."""

    source: TraceSource
    tasks: TaskQueue
    scores: ScoreSink
    shelves: Sequence[Shelf]
    ensure_configs: Callable[[Codebook], object]


def rebuild(
    asked: Codebook,
    older: Sequence[Codebook],
    sides: Sides,
    store: RebuildStore,
    reach: PullRange,
    now: datetime,
    progress: Callable[[str], Progress],
    *,
    dry_run: bool = False,
) -> RebuildSummary:
    """Add to the store what the servers hold of this queue and it lacks.

    Args:
        asked: the codebook file.
        older: files of versions before it, for the tasks that were made from them.
        sides: the servers.
        store: a new one, or one that was restored.
        reach: how far back candidates are read that have no task.
        now: when.
        progress: a progress bar by name.
        dry_run: read Label Studio, say what would be added, and write nothing.

    Raises:
        ConfigError: Label Studio has tasks of a newer version than the file.
        CodebookError: a file is of another queue, or is not what was saved under its version.
    """
    rows = store.projects(asked.name)
    found = held(asked, sides.tasks, {row.project_id for row in rows}, progress("tasks"))
    origins = [origin for one in found for origin in one.origins]
    titles = [one.version for one in found if one.version]
    known = versions(asked, older, origins, titles, store, now)
    standing = store.standing_tasks(asked.name)
    there = sort_out(found, known.lineage, known.missing, rows, standing)
    run = _Rebuild(asked.name, sides, store, now, known, there, standing)
    if not dry_run:
        known.save(store, now)
        if known.lineage.get(asked.version):
            store.save_codebook(asked, now)  # the queue's settings are those of today
        pull(sides.source, store, reach, now, progress("pull"))
        run.candidates(progress("traces"))
    run.sort_draws()
    told = RebuildSummary(
        queue=asked.name,
        dry_run=dry_run,
        codebook_versions=[one.codebook.version for one in known.brought],
        projects=len({row.project_id for row in there.projects}),
        draw_runs=len(run.runs),
        draws=sum(len(draws) for _, draws in run.runs),
        tasks=len(run.tasks),
        candidates=run.fetched,
        left_alone=there.left,
    )
    if dry_run or not (known.lineage.versions and (origins or rows)):
        return told
    run.save()
    newest = known.lineage.newest.codebook
    sides.ensure_configs(newest)
    gathered = gather(newest, sides.tasks, store, now, progress("gather"), everything=True)
    resolved = resolve(newest, store, now, progress("resolve"))
    stands = run.stand(progress("scores"))
    return told.model_copy(
        update={
            "annotations": gathered.annotations,
            "resolved": resolved.decided,
            "scores_confirmed": stands.confirmed,
            "scores_due": stands.due,
            "scores_withdrawn": stands.withdrawn,
            "eval_rows_withdrawn": stands.rows_withdrawn,
        }
    )


class _Rebuild:
    """What is added: `runs` with their draws, and `tasks`, both only what the store lacks."""

    def __init__(
        self,
        queue: str,
        sides: Sides,
        store: RebuildStore,
        now: datetime,
        known: Versions,
        there: Sorted,
        standing: Sequence[Task],
    ) -> None:
        self.queue, self.sides, self.store, self.now = queue, sides, store, now
        self.known, self.there = known, there
        self.standing = {(task.project_id, task.task_id): task for task in standing}
        self.drawn = {one.trace_id: one for one in store.drawn(queue, sorted({trace for trace, _, _ in there.tasks}))}
        self.fetched = 0
        self.runs: list[tuple[DrawRun, list[Draw]]] = []
        self.tasks: list[TaskOrigin] = []

    def candidates(self, progress: Progress) -> None:
        """Traces that `pull` did not bring are read one by one; what can't be read has its tasks left alone."""
        strata = {origin.trace_id: origin.stratum for origin in self.there.tasks.values()}
        unknown = self.store.unknown_traces(sorted(strata))
        gone: dict[str, str] = {}
        for start in range(0, len(unknown), _BATCH):
            batch = unknown[start : start + _BATCH]
            made: list[Candidate] = []
            for trace_id, trace in zip(batch, self.sides.source.payloads(batch), strict=True):
                if isinstance(trace, Trace):
                    made.append(candidate_of(trace, strata[trace_id]))
                else:
                    gone[trace_id] = why_not(trace)
            self.store.save_candidates(made, self.now)
            self.fetched += len(made)
            progress(start + len(batch), len(unknown))
        for why in sorted({*gone.values()}):
            self._leave([trace_id for trace_id, one in gone.items() if one == why], why)

    def sort_draws(self) -> None:
        """A draw a trace, by its newest task; a second look only where the first is known."""
        newest: dict[tuple[str, bool], TaskOrigin] = {}
        for (trace_id, version, second), origin in self.there.tasks.items():
            before = newest.get((trace_id, second))
            if before is None or number(before.version) < number(version):
                newest[trace_id, second] = origin
        known = self.drawn.keys() | {trace_id for trace_id, second in newest if not second}
        alone = sorted({trace_id for trace_id, second in newest if second} - known)
        self._leave(alone, "drawn to be judged a second time, and of the first nothing is left")
        by_run: dict[str, list[TaskOrigin]] = {}
        for (trace_id, second), origin in newest.items():
            place = (origin.project_id, origin.task_id)
            lacking = place not in self.standing if second else trace_id not in self.drawn
            if lacking and trace_id in known:
                by_run.setdefault(origin.draw_run, []).append(origin)
        self.runs = [run_of(origins) for _, origins in sorted(by_run.items())]
        self.tasks = [origin for origin in self.there.tasks.values() if self._is_new(origin)]

    def save(self) -> None:
        store = self.store
        rows = {(row.codebook_version, row.purpose): row for row in store.projects(self.queue)}
        for project in self.there.projects:
            before = rows.get((project.codebook_version, project.purpose))
            if before is not None and before.project_id != project.project_id:
                leave_project(store, before, project, self.now)
            store.save_project(project)
        for task in self.there.stale:
            park_deleted_tasks(store, task.project_id, [task.task_id], self.now)
        # First: what is saved after it is read by the next gather, whatever becomes of this run.
        for project_id in sorted({origin.project_id for origin in self.tasks}):
            poll_from_the_beginning(store, project_id)
        # First draws before second looks, which rest on them.
        oldest_last = sorted(self.tasks, key=lambda origin: origin.created_at, reverse=True)
        queued = {origin.trace_id: origin.created_at for origin in oldest_last}
        for relabel in (False, True):
            for run, draws in self.runs:
                these = [one for one in draws if (one.policy == "relabel") == relabel]
                if these:
                    store.bring_back(run, these, queued)
        self._ask_by_the_newest()
        self._save_tasks()

    def stand(self, progress: Progress) -> Standing:
        confirmed, due = hold_scores(self.queue, self.sides.scores, self.store, self.now, progress)
        rows = hold_rows(self.queue, self.sides.shelves, self.store)
        if self.there.left or self.known.missing:
            return Standing(confirmed=confirmed, due=due)
        traces = {trace_id for trace_id, _, _ in self.there.tasks}
        lineage = self.known.lineage
        return Standing(
            confirmed=confirmed,
            due=due,
            withdrawn=withdraw_scores(self.queue, lineage, traces, self.sides.scores, self.store, self.now),
            rows_withdrawn=withdraw_rows(self.queue, lineage, traces, rows, self.store),
        )

    def _is_new(self, origin: TaskOrigin) -> bool:
        before = self.standing.get((origin.project_id, origin.task_id))
        return before is None or before.trace_id != origin.trace_id

    def _ask_by_the_newest(self) -> None:
        """A trace that was drawn in an older version, and has a task of a later one since, was put up again."""
        later: dict[str, set[str]] = {}
        for origin in self.tasks:
            before = self.drawn.get(origin.trace_id)
            if before and not is_second(origin) and number(before.codebook_version) < number(origin.version):
                later.setdefault(origin.version, set()).add(origin.trace_id)
        for version in sorted(later, key=number):
            self.store.relabel(self.queue, sorted(later[version]), version)

    def _save_tasks(self) -> None:
        """The id of a deleted task is given again: the trace that had it has no task any more."""
        store = self.store
        for origin in self.tasks:
            if (origin.project_id, origin.task_id) in self.standing:
                park_deleted_tasks(store, origin.project_id, [origin.task_id], self.now)
        for start in range(0, len(self.tasks), _BATCH):
            batch = self.tasks[start : start + _BATCH]
            store.save_tasks([task_of(origin) for origin in batch], self.now)
            second = [origin.trace_id for origin in batch if is_second(origin)]
            store.mark_relabels_queued(self.queue, second, self.now)
        # A trace that was parked because its task was deleted has one again.
        traces = [origin.trace_id for origin in self.tasks if not is_second(origin)]
        store.unpark([ids.parked_id("gather", f"{self.queue}|trace:{trace_id}") for trace_id in traces])

    def _leave(self, traces: Sequence[str], why: str) -> None:
        """All of their tasks; a few of them are named."""
        gone = {*traces}
        keys = [key for key in self.there.tasks if key[0] in gone]
        for key in keys:
            del self.there.tasks[key]
        more = "" if len(traces) <= _NAMED else f" and {len(traces) - _NAMED:,} more"
        what = f"trace{'' if len(traces) == 1 else 's'} {', '.join(traces[:_NAMED])}{more}"
        self.there.left += [LeftAlone(what=what, tasks=len(keys), why=why)] if keys else []
