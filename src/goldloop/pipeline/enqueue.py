"""Drawn traces -> tasks with prelabels in Label Studio. A trace is never two tasks.

Before a batch is imported the store notes that it is about to be. A batch that was noted and never confirmed (the
process died, the answer got lost) is looked up in Label Studio first, and only what is not there is imported. Label
Studio works an import off even where nobody waits for its answer any more, and shows nothing of it before its end: so
what is not there is imported again only when the first import has had its time.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from datetime import datetime, timedelta
from itertools import groupby

from goldloop.ahead import ahead
from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.pipeline.drafts import Batch, Drafts
from goldloop.pipeline.parking import park, park_deleted_tasks, poll_from_the_beginning
from goldloop.pipeline.projects import Purpose, ensure_project
from goldloop.ports import Clock, Progress, Store, TaskDraft, TaskQueue, TraceSource
from goldloop.records import Draw, Project, Record, State, Task

_SETTLED = timedelta(minutes=2)
"""An import that was begun so long ago is over, whatever became of it: no answer is waited for any longer."""
_AT_ONCE = 50
"""Tasks that are saved together where each takes a request of its own: so many are done again after a failure."""
_NO_PRELABEL = "invalid_prelabel"


class EnqueueSummary(Record):
    """`waiting` are traces whose import broke off so lately that it may still be under way: the next run sees."""

    queued: int
    with_prelabel: int
    already_there: int
    parked: int
    project_urls: list[str]
    waiting: int = 0


class _Enqueue:
    """The state of one run: what each batch needs and what it adds to."""

    def __init__(self, tasks: TaskQueue, store: Store, clock: Clock) -> None:
        self.tasks, self.store, self.clock, self.now = tasks, store, clock, clock()
        self.queued = self.with_prelabel = self.already_there = self.parked = self.waiting = 0
        self.subject = "trace"
        self.given: dict[int, int | None] = {}

    def batch(self, codebook: Codebook, project: Project, batch: Batch) -> None:
        # What has an answer already must not be parked for want of a second one.
        self.subject = "relabel" if project.purpose == "relabel" else "trace"
        begun = self.store.imports_begun(codebook.name, [draw.trace_id for draw in batch.draws])
        waiting = self._may_be_under_way(codebook, begun)  # before they are looked up: what ends meanwhile is found
        found = self.tasks.find_tasks(project.project_id, sorted(begun)) if begun else {}
        waiting -= found.keys()
        self.waiting += len(waiting)
        if found:
            # They may have been annotated, and passed by, before anyone knew that they are ours.
            poll_from_the_beginning(self.store, project.project_id)
        wanted = {draw.trace_id: draw.annotators for draw in batch.draws}
        self._save(codebook, project, list(found.items()), wanted)
        self.already_there += len(found)
        drafts = self._drafts(codebook, batch, found.keys() | waiting)
        for task_ids, imported in self._import(codebook, project, drafts):
            pairs = [(draft.trace_id, task_id) for draft, task_id in zip(imported, task_ids, strict=True)]
            self._save(codebook, project, pairs, wanted)
            self.with_prelabel += sum(draft.prediction is not None for draft in imported)

    def _may_be_under_way(self, codebook: Codebook, begun: Mapping[str, datetime]) -> set[str]:
        now = self.clock()
        to_come = [trace_id for trace_id, at in begun.items() if at > now]
        if to_come:  # the clock was set back since: from now on, then
            self.store.begin_import(codebook.name, to_come, now)
        return {trace_id for trace_id, at in begun.items() if now - at < _SETTLED}

    def _drafts(self, codebook: Codebook, batch: Batch, but: AbstractSet[str]) -> list[TaskDraft]:
        """What of the batch is to be imported now; whatever is amiss with the rest of it is parked."""
        for trace_id, error in batch.refused.items():
            if trace_id not in but:
                self._park_trace(codebook, trace_id, error)
        drafts = [draft for trace_id, draft in batch.drafts.items() if trace_id not in but]
        for trace_id in (draft.trace_id for draft in drafts if draft.trace_id in batch.invalid):
            why = f"the prelabel was left out: {batch.invalid[trace_id]}"
            self._park(
                codebook, f"prediction:{trace_id}", trace_id, RejectedError("Label Studio", why, reason=_NO_PRELABEL)
            )
        return drafts

    def _import(
        self, codebook: Codebook, project: Project, drafts: Sequence[TaskDraft]
    ) -> Iterator[tuple[list[int], Sequence[TaskDraft]]]:
        """Import all, or halve until the ones that are refused stand alone and can be parked."""
        if not drafts:
            return
        trace_ids = [draft.trace_id for draft in drafts]
        self.store.begin_import(codebook.name, trace_ids, self.clock())
        try:
            yield self.tasks.import_tasks(project.project_id, drafts), drafts
        except RejectedError as error:
            self.store.end_import(codebook.name, trace_ids)
            if len(drafts) == 1:
                self._park_trace(codebook, drafts[0].trace_id, error)
                return
            half = len(drafts) // 2
            yield from self._import(codebook, project, drafts[:half])
            yield from self._import(codebook, project, drafts[half:])

    def _save(
        self, codebook: Codebook, project: Project, pairs: Sequence[tuple[str, int]], wanted: Mapping[str, int | None]
    ) -> None:
        tasks = [
            Task(
                queue=codebook.name,
                codebook_version=codebook.version,
                trace_id=trace_id,
                project_id=project.project_id,
                task_id=task_id,
            )
            for trace_id, task_id in pairs
        ]
        if not tasks:
            return
        self._give_up_taken_ids(tasks)
        usual = codebook.queue.annotations_per_trace
        given = self._given(project.project_id)
        by_number: dict[int, list[Task]] = {}
        for task in tasks:
            by_number.setdefault(wanted[task.trace_id] or usual, []).append(task)
        self._keep(codebook, project, by_number.pop(given, []) if given is not None else [])
        # Those that want another number than the project gives: doubles, and all where the setting changed since.
        for number, those in by_number.items():
            for start in range(0, len(those), _AT_ONCE):
                some = those[start : start + _AT_ONCE]
                # Said before they are saved: what is not saved is done again.
                self.tasks.want_annotators([task.task_id for task in some], number)
                self._keep(codebook, project, some)

    def _keep(self, codebook: Codebook, project: Project, tasks: Sequence[Task]) -> None:
        if tasks:
            self.store.save_tasks(tasks, self.now)
            if project.purpose == "relabel":
                self.store.mark_relabels_queued(codebook.name, [task.trace_id for task in tasks], self.now)
        self.queued += len(tasks)

    def _given(self, project_id: int) -> int | None:
        """How many annotators the project sends to a task that says nothing else."""
        if project_id not in self.given:
            there = self.tasks.find_project("", project_id)
            self.given[project_id] = there.annotations_per_task if there else None
        return self.given[project_id]

    def _give_up_taken_ids(self, tasks: Sequence[Task]) -> None:
        """Label Studio gives the id of a deleted task again: the trace that had it has no task any more."""
        project_id = tasks[0].project_id
        known = self.store.tasks_of(project_id, [task.task_id for task in tasks], standing=True)
        before = {task: known.get(task.task_id) for task in tasks}
        taken = [new.task_id for new, old in before.items() if old and old.trace_id != new.trace_id]
        park_deleted_tasks(self.store, project_id, taken, self.now)

    def _park_trace(self, codebook: Codebook, trace_id: str, error: RejectedError) -> None:
        self._park(codebook, f"{self.subject}:{trace_id}", trace_id, error)

    def _park(self, codebook: Codebook, subject: str, trace_id: str, error: RejectedError) -> None:
        self.parked += 1
        park(self.store, "enqueue", subject, error, self.now, queue=codebook.name, trace_id=trace_id)


def enqueue(
    codebook: Codebook, source: TraceSource, tasks: TaskQueue, store: Store, clock: Clock, progress: Progress
) -> EnqueueSummary:
    """Make a task of every drawn trace, in the project of the codebook version that it is asked by."""
    run = _Enqueue(tasks, store, clock)
    lineage = store.lineage(codebook.name)
    drawn = store.draws(codebook.name, State.DRAWN) + store.relabels(codebook.name)
    urls = []
    done = 0
    by_project = sorted(drawn, key=_project_of)  # stable: the annotators' order is kept
    for (version, purpose), group in groupby(by_project, key=_project_of):
        asked = store.codebook(codebook.name, version)
        project = ensure_project(asked, purpose, tasks, store, run.now)
        if project.url not in urls:
            urls.append(project.url)
        drafts = Drafts(asked, project, source, tasks, store, lineage.since(asked.version))
        with closing(ahead(drafts.batches(list(group)))) as batches:
            for batch in batches:
                run.batch(asked, project, batch)
                done += len(batch.draws)
                progress(done, len(drawn))
    return EnqueueSummary(
        queued=run.queued,
        with_prelabel=run.with_prelabel,
        already_there=run.already_there,
        parked=run.parked,
        project_urls=urls,
        waiting=run.waiting,
    )


def _project_of(draw: Draw) -> tuple[str, Purpose]:
    """A trace that is judged a second time needs a project apart: none holds a trace twice."""
    return draw.codebook_version, "relabel" if draw.policy == "relabel" else "blind" if draw.blind else "review"
