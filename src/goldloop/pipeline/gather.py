"""Label Studio -> annotations in the store: new ones, edits, skips and deletions, by polling.

A task's `updated_at` moves with each of these, so the tasks that changed since the last poll tell everything; only a
task that was itself deleted is invisible to that, and is found by holding the ids against each other.
"""

from datetime import datetime, timedelta

from goldloop import ids
from goldloop.codebook.result import from_result
from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.pipeline.parking import park
from goldloop.ports import Progress, Store, TaskQueue
from goldloop.records import Annotation, AnnotationSnapshot, Project, Record, Task, TaskSnapshot

_OVERLAP = timedelta(minutes=2)
"""Re-read below the watermark: transactions do not commit in the order of their `updated_at`."""


class GatherSummary(Record):
    tasks_changed: int
    annotations: int
    deleted: int
    parked: int


def gather(codebook: Codebook, tasks: TaskQueue, store: Store, now: datetime, progress: Progress) -> GatherSummary:
    """Bring the store's annotations of every project of this queue, of whatever version, up to date."""
    run = _Gather(tasks, store, now)
    for project in store.projects(codebook.name):
        run.project(project, store.codebook(project.queue, project.codebook_version), progress)
    return GatherSummary(tasks_changed=run.changed, annotations=run.annotations, deleted=run.deleted, parked=run.parked)


class _Gather:
    def __init__(self, tasks: TaskQueue, store: Store, now: datetime) -> None:
        self.tasks, self.store, self.now = tasks, store, now
        self.changed = self.annotations = self.deleted = self.parked = 0

    def project(self, project: Project, codebook: Codebook, progress: Progress) -> None:
        stream = f"tasks:{project.project_id}"
        watermark = self.store.watermark(stream)
        known_parked = {row.subject: row.parked_id for row in self.store.parked(project.queue)}
        newest = watermark
        for page in self.tasks.changed_tasks(project.project_id, watermark - _OVERLAP if watermark else None):
            found: list[Annotation] = []
            for snapshot in page.rows:
                found += self._annotations(project, codebook, snapshot, known_parked)
                newest = max(newest, snapshot.updated_at) if newest else snapshot.updated_at
            self.store.save_annotations(found, self.now)
            for task_id, reason in page.rejected:
                self._park(project, f"task:{project.project_id}/{task_id}", reason, "unreadable", None)
            self.changed += len(page.rows)
            progress(self.changed, None)
        self._deleted_tasks(project)
        if newest and newest != watermark:
            self.store.set_watermark(stream, newest)

    def _annotations(
        self, project: Project, codebook: Codebook, snapshot: TaskSnapshot, known_parked: dict[str, str]
    ) -> list[Annotation]:
        """What the task's annotations are now; one that the store knows and the task lost comes back as deleted."""
        task = self.store.task(project.project_id, snapshot.task_id)
        if task is None:
            if snapshot.annotations:
                subject = f"task:{project.project_id}/{snapshot.task_id}"
                self._park(project, subject, "this task was not made by goldloop", "foreign_task", None)
            return []
        known = {
            annotation.key: annotation
            for annotation in self.store.annotations(task.queue, task.trace_id)
            if annotation.task_id == task.task_id and not annotation.deleted
        }
        read: list[Annotation] = []
        for one in snapshot.annotations:
            subject = f"annotation:{project.project_id}/{snapshot.task_id}/{one.annotation_id}"
            try:
                annotation = _read(codebook, task, one, snapshot.shown_output)
            except RejectedError as error:
                self._park(project, subject, str(error), error.reason, task.trace_id)
                continue
            if subject in known_parked:
                self.store.unpark([known_parked[subject]])
            self.annotations += annotation != known.get(annotation.key)
            read.append(annotation)
        gone = known.keys() - {annotation.key for annotation in read}
        self.deleted += len(gone)
        return read + [known[key].model_copy(update={"deleted": True}) for key in sorted(gone)]

    def _deleted_tasks(self, project: Project) -> None:
        known = self.store.task_ids(project.project_id)
        if self.tasks.task_count(project.project_id) == len(known):
            return
        gone = sorted(known - self.tasks.task_ids(project.project_id))
        for trace_id in self.store.mark_tasks_deleted(project.project_id, gone, self.now):
            self._park(project, f"trace:{trace_id}", "its task was deleted in Label Studio", "task_deleted", trace_id)
        self.deleted += len(gone)

    def _park(self, project: Project, subject: str, detail: str, reason: str, trace_id: str | None) -> None:
        error = RejectedError("Label Studio", detail, reason=reason)
        park(self.store, "gather", subject, error, self.now, queue=project.queue, trace_id=trace_id)
        self.parked += 1


def _read(codebook: Codebook, task: Task, one: AnnotationSnapshot, shown_output: str) -> Annotation:
    """The annotation parsed; a skip has no answers, and a correction that changes nothing is none."""
    answers = {} if one.skipped else from_result(codebook, one.result)
    for question in codebook.questions:
        if question.kind == "correction" and answers.get(question.name) == shown_output.strip():
            del answers[question.name]
    return Annotation(
        key=ids.annotation_key(task.project_id, one.annotation_id),
        queue=task.queue,
        codebook_version=task.codebook_version,
        trace_id=task.trace_id,
        project_id=task.project_id,
        task_id=task.task_id,
        annotation_id=one.annotation_id,
        annotator=one.annotator,
        answers=answers,
        skipped=one.skipped,
        created_at=one.created_at,
        updated_at=one.updated_at,
        lead_time_s=one.lead_time_s,
        from_prediction=one.from_prediction,
    )
