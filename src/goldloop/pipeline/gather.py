"""Label Studio -> annotations in the store: new ones, edits, skips and deletions, by polling.

A task's `updated_at` moves with each of these, so the tasks that changed since the last poll tell everything; only a
task that was itself deleted is invisible to that, and is found by holding the ids against each other. The id of a
deleted task may be given to a new one: a task is ours only while it shows the trace that we made it for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from goldloop import ids
from goldloop.codebook.controls import swapped
from goldloop.codebook.lineage import number
from goldloop.codebook.result import from_result, skip_reason
from goldloop.codebook.schema import Codebook
from goldloop.codebook.text import clean
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import free_gone, is_of_tasks, park, park_deleted_tasks, task_stream
from goldloop.ports import Progress, Store, TaskQueue
from goldloop.records import Annotation, AnnotationSnapshot, Project, Record, Task, TaskSnapshot

_OVERLAP = timedelta(minutes=2)
"""Re-read below the watermark: transactions do not commit in the order of their `updated_at`."""
_FOREIGN = "foreign_task"
_GONE = "not found"
"""The reason of a `RejectedError` for a project that is not there."""


class GatherSummary(Record):
    tasks_changed: int
    annotations: int
    deleted: int
    parked: int


@dataclass
class _Tally:
    tasks_changed: int = 0
    annotations: int = 0
    deleted: int = 0
    parked: int = 0


def gather(codebook: Codebook, tasks: TaskQueue, store: Store, now: datetime, progress: Progress) -> GatherSummary:
    """Bring the store's annotations of every project of this queue, of whatever version, up to date."""
    tally = _Tally()
    by_id: dict[int, Project] = {}
    asked: dict[int, list[str]] = {}
    for project in store.projects(codebook.name):
        by_id[project.project_id] = project
        asked.setdefault(project.project_id, []).append(project.codebook_version)
    for project_id, project in by_id.items():
        versions = sorted(asked[project_id], key=number, reverse=True)
        codebooks = [store.codebook(project.queue, version) for version in versions]
        _Gather(project, codebooks, tasks, store, now, tally).poll(progress)
    return GatherSummary(
        tasks_changed=tally.tasks_changed, annotations=tally.annotations, deleted=tally.deleted, parked=tally.parked
    )


class _Gather:
    """The poll of one project; `aside` are the rows that this verb has parked, by subject.

    `codebooks` are the versions that share the project, newest first.
    """

    def __init__(
        self,
        project: Project,
        codebooks: Sequence[Codebook],
        tasks: TaskQueue,
        store: Store,
        now: datetime,
        tally: _Tally,
    ) -> None:
        self.project, self.codebooks, self.tasks, self.store = project, codebooks, tasks, store
        self.project_id, self.now, self.tally = project.project_id, now, tally
        self.aside = {row.subject: row for row in store.parked(project.queue) if row.verb == "gather"}
        self.known = store.task_ids(project.project_id)

    def poll(self, progress: Progress) -> None:
        stream = task_stream(self.project_id)
        watermark = newest = self.store.watermark(stream)
        if self._is_gone():
            self._deleted(self.known)
            free_gone(self.store, self.project_id)
            return
        for page in self.tasks.changed_tasks(self.project_id, watermark - _OVERLAP if watermark else None):
            found: list[Annotation] = []
            for snapshot in page.rows:
                found += self._annotations(snapshot)
                newest = max(newest, snapshot.updated_at) if newest else snapshot.updated_at
            self.store.save_annotations(found, self.now)
            for task_id, reason in page.rejected:
                self._park(f"task:{self.project_id}/{task_id}", reason, "unreadable", None)
            self.tally.tasks_changed += len(page.rows)
            progress(self.tally.tasks_changed, None)
        self._missing_tasks()
        if newest and newest != watermark:
            self.store.set_watermark(stream, newest)

    def _is_gone(self) -> bool:
        try:
            self.tasks.task_count(self.project_id)
        except RejectedError as error:
            if error.reason != _GONE:
                raise
            return True
        return False

    def _annotations(self, snapshot: TaskSnapshot) -> list[Annotation]:
        """What the task's annotations are now; one that the store knows and the task lost comes back as deleted."""
        subject = f"task:{self.project_id}/{snapshot.task_id}"
        task = self.store.task(self.project_id, snapshot.task_id)
        if task is None or task.trace_id != snapshot.trace_id:
            if snapshot.task_id in self.known:
                self._deleted({snapshot.task_id})
            self._park(subject, "this task was not made by goldloop", _FOREIGN, None)
            return []
        self._heal(subject)
        known = {
            annotation.key: annotation
            for annotation in self.store.annotations(
                task.queue, task.trace_id, second=self.project.purpose == "relabel"
            )
            if (annotation.project_id, annotation.task_id) == (task.project_id, task.task_id) and not annotation.deleted
        }
        read = self._readable(task, snapshot, known)
        self.tally.annotations += sum(annotation != known.get(annotation.key) for annotation in read)
        gone = known.keys() - {annotation.key for annotation in read}
        self.tally.deleted += len(gone)
        return read + [known[key].model_copy(update={"deleted": True}) for key in sorted(gone)]

    def _readable(self, task: Task, snapshot: TaskSnapshot, known: Mapping[str, Annotation]) -> list[Annotation]:
        """The task's annotations; those that are none by the codebook are parked, until they are mended or gone."""
        prefix = f"annotation:{task.project_id}/{task.task_id}/"
        read: list[Annotation] = []
        refused: set[str] = set()
        for one in snapshot.annotations:
            try:
                before = known.get(ids.annotation_key(task.project_id, one.annotation_id))
                read.append(self._by_newest(task, one, snapshot.shown_output, before))
            except RejectedError as error:
                refused.add(f"{prefix}{one.annotation_id}")
                self._park(f"{prefix}{one.annotation_id}", str(error), error.reason, task.trace_id)
        for subject in [parked for parked in self.aside if parked.startswith(prefix) and parked not in refused]:
            self._heal(subject)
        return read

    def _by_newest(
        self, task: Task, one: AnnotationSnapshot, shown_output: str, before: Annotation | None
    ) -> Annotation:
        """Read by the newest version that it satisfies, or as it was before where it did not change since.

        Versions that share a project differ by what was added, so that the older reading is never another one. Where
        none can read it, the newest says why.
        """
        codebooks = list(self.codebooks)
        if before is not None and before.updated_at == one.updated_at:
            codebooks.sort(key=lambda codebook: codebook.version != before.codebook_version)  # stable
        refusal: RejectedError | None = None
        for codebook in codebooks:
            try:
                return _read(codebook, task, one, shown_output)
            except RejectedError as error:
                refusal = refusal or error
        assert refusal is not None
        raise refusal

    def _missing_tasks(self) -> None:
        """Tasks that were deleted: ids are compared where the number is not that of the known and the foreign ones."""
        prefix = f"task:{self.project_id}/"
        foreign = {
            int(subject.removeprefix(prefix)): subject
            for subject, row in self.aside.items()
            if subject.startswith(prefix) and row.reason == _FOREIGN
        }
        if self.tasks.task_count(self.project_id) == len(self.known) + len(foreign):
            return
        there = self.tasks.task_ids(self.project_id)
        self._deleted(self.known - there)
        for task_id in foreign.keys() - there:
            self._heal(foreign[task_id])

    def _deleted(self, task_ids: set[int]) -> None:
        park_deleted_tasks(self.store, self.project_id, task_ids, self.now)
        gone = {str(task_id) for task_id in task_ids}
        self.aside = {key: row for key, row in self.aside.items() if not is_of_tasks(key, self.project_id, gone)}
        self.known = self.known - task_ids
        self.tally.deleted += len(task_ids)
        self.tally.parked += len(task_ids)

    def _park(self, subject: str, detail: str, reason: str, trace_id: str | None) -> None:
        """Once for one reason, however often a poll passes it."""
        before = self.aside.get(subject)
        if before is not None and (before.reason, before.detail) == (reason, detail):
            return
        error = RejectedError("Label Studio", detail, reason=reason)
        self.aside[subject] = park(
            self.store, "gather", subject, error, self.now, queue=self.project.queue, trace_id=trace_id
        )
        self.tally.parked += 1

    def _heal(self, subject: str) -> None:
        row = self.aside.pop(subject, None)
        if row is not None:
            self.store.unpark([row.parked_id])


def _read(codebook: Codebook, task: Task, one: AnnotationSnapshot, shown_output: str) -> Annotation:
    """The annotation parsed; a skip has a reason and no answers, and a correction that changes nothing is none."""
    swap = codebook.pairwise and swapped(task.queue, task.trace_id)
    read = {} if one.skipped else from_result(codebook, one.result, swap=swap)
    answers = {name: clean(value) if isinstance(value, str) else value for name, value in read.items()}
    for question in codebook.questions:
        if question.kind == "correction" and answers.get(question.name) == shown_output.strip():
            del answers[question.name]
    return Annotation(
        key=ids.annotation_key(task.project_id, one.annotation_id),
        queue=task.queue,
        codebook_version=codebook.version,
        trace_id=task.trace_id,
        project_id=task.project_id,
        task_id=task.task_id,
        annotation_id=one.annotation_id,
        annotator=one.annotator,
        answers=answers,
        skipped=one.skipped,
        skip_reason=skip_reason(codebook, one.result) if one.skipped else None,
        created_at=one.created_at,
        updated_at=one.updated_at,
        lead_time_s=one.lead_time_s,
        from_prediction=one.from_prediction,
    )
