"""Label Studio in memory. The contract suite holds it to what the real one does."""

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from pydantic import JsonValue, ValidationError

from fakes.label_config import choices_of, problem, still_fits
from goldloop.errors import RejectedError, RemoteError, RetryableError
from goldloop.ports import Clock, Page, Peek, ProjectDraft, ProjectSnapshot, TaskDraft
from goldloop.records import AnnotationSnapshot, TaskOrigin, TaskSnapshot

START = datetime(2026, 1, 1, tzinfo=UTC)
ANNOTATOR = "ann@example.org"

Result = list[dict[str, JsonValue]]


@dataclass
class _Task:
    task_id: int
    project_id: int
    draft: TaskDraft
    updated_at: datetime
    annotations: dict[int, AnnotationSnapshot] = field(default_factory=dict)
    annotators: int | None = None

    def __post_init__(self) -> None:
        self.created_at = self.updated_at


class FakeTaskQueue:
    """The port, and beside it what annotators do. Each write takes its time from `at`, or one millisecond on.

    Attributes:
        failing: raised by every method of the port while it is set.
        lose_next_answer: the next import makes its tasks and then fails, as when the connection breaks.
        unreadable: ids of tasks whose rows can't be read.

    `clock` is the server's own, of which `peek` tells; without one it stands at the last write.
    """

    def __init__(
        self, *, page_size: int = 500, url: str = "http://label-studio.test", clock: Clock | None = None
    ) -> None:
        self.failing: RemoteError | None = None
        self.lose_next_answer = False
        self.unreadable: set[int] = set()
        self.projects: dict[int, ProjectDraft] = {}
        self._tasks: dict[int, _Task] = {}
        self._page_size = page_size
        self._url = url
        self._ids = count(1)
        self._now = START
        self.clock = clock

    def with_pages(self, size: int) -> "FakeTaskQueue":
        """The same server, read in pages of this size."""
        other = copy(self)
        other._page_size = size
        return other

    # -- the port

    def check(self) -> str:
        self._fail()
        return "1.23.2"

    def ensure_project(self, draft: ProjectDraft, known: int | None) -> tuple[int, str]:
        self._fail()
        titled = (project_id for project_id, other in self.projects.items() if other.title == draft.title)
        found = known if known in self.projects else next(titled, None)
        if found is None:
            found = next(self._ids)
            self.projects[found] = draft
        return found, self.project_url(found)

    def find_project(self, title: str, known: int | None) -> ProjectSnapshot | None:
        self._fail()
        titled = (project_id for project_id, other in self.projects.items() if other.title == title)
        found = known if known in self.projects else next(titled, None)
        if found is None:
            return None
        fields = self.projects[found].model_dump(exclude={"model_version"})
        return ProjectSnapshot(project_id=found, url=self.project_url(found), **fields)

    def check_label_config(self, project_id: int, label_config: str) -> None:
        """As the real one: controls and choices that annotations use have to be there; skipped ones count too."""
        self._fail()
        there = choices_of(label_config)
        for task in self._of(project_id):
            for annotation in task.annotations.values():
                if any(not still_fits(there, part) for part in annotation.result):
                    raise RejectedError(
                        "Label Studio", "annotations would not fit: correct them", reason="label config does not fit"
                    )

    def update_project(self, project_id: int, draft: ProjectDraft) -> None:
        """As the real one: a label config that the annotations do not fit is refused.

        Another number of annotators becomes that of all tasks, whatever each was given before. (The real one spares
        some where the number grows.)
        """
        self.check_label_config(project_id, draft.label_config)
        if draft.annotations_per_task != self.projects[project_id].annotations_per_task:
            for task in self._of(project_id):
                task.annotators = None
        self.projects[project_id] = draft

    def project_url(self, project_id: int) -> str:
        return f"{self._url}/projects/{project_id}/data"

    def find_tasks(self, project_id: int, trace_ids: Sequence[str]) -> dict[str, int]:
        self._fail()
        wanted = set(trace_ids)
        found: dict[str, int] = {}
        for task in self._of(project_id):
            if task.draft.trace_id in wanted:
                found.setdefault(task.draft.trace_id, task.task_id)
        return found

    def invalid_predictions(self, label_config: str, drafts: Sequence[TaskDraft]) -> dict[str, str]:
        reasons = {draft.trace_id: problem(label_config, draft.prediction) for draft in drafts}
        return {trace_id: reason for trace_id, reason in reasons.items() if reason is not None}

    def import_tasks(self, project_id: int, drafts: Sequence[TaskDraft]) -> list[int]:
        self._fail()
        if project_id not in self.projects:
            raise RetryableError("Label Studio", f"there is no project {project_id} any more: run again")
        variables = re.findall(r'"\$(\w+)"', self.projects[project_id].label_config)
        if any(name not in draft.data for draft in drafts for name in variables):
            raise RejectedError("Label Studio", "the data of a task does not fit the label config: leave it out")
        made = []
        for draft in drafts:
            # As the real one: the id of a deleted task is given again, where it was the highest.
            task = _Task(max(self._tasks, default=0) + 1, project_id, draft, self._tick(None))
            self._tasks[task.task_id] = task
            made.append(task.task_id)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise RetryableError("Label Studio", "the connection broke off: look the tasks up")
        return made

    def want_annotators(self, task_ids: Sequence[int], annotators: int) -> None:
        self._fail()
        for task_id in task_ids:
            if task_id in self._tasks:
                self._tasks[task_id].annotators = annotators

    def changed_tasks(self, project_id: int, since: datetime | None) -> Iterator[Page[TaskSnapshot]]:
        """By a cursor, as the real one: what changes between two pages comes (again) on a later one."""
        cursor = (since, 0) if since is not None else (datetime.min.replace(tzinfo=UTC), 0)
        strictly_after = since
        while True:
            self._fail()
            later = sorted(
                (
                    task
                    for task in self._of(project_id)
                    if (strictly_after is None or task.updated_at > strictly_after)
                    and (task.updated_at, task.task_id) > cursor
                ),
                key=lambda task: (task.updated_at, task.task_id),
            )
            rows = later[: self._page_size]
            if not rows:
                return
            cursor = (rows[-1].updated_at, rows[-1].task_id)
            yield Page(
                rows=[_snapshot(task) for task in rows if task.task_id not in self.unreadable],
                rejected=[(str(task.task_id), "unreadable") for task in rows if task.task_id in self.unreadable],
            )

    def peek(self, project_id: int) -> Peek:
        self._fail()
        changes = [task.updated_at for task in self._of(project_id)]
        at = self.clock() if self.clock else self._now
        return Peek(count=len(changes), newest=max(changes, default=None), at=at)

    def task_count(self, project_id: int) -> int:
        self._fail()
        return len(self._of(project_id))

    def task_ids(self, project_id: int) -> set[int]:
        self._fail()
        return {task.task_id for task in self._of(project_id)}

    def all_projects(self) -> list[ProjectSnapshot]:
        found = (self.find_project("", project_id) for project_id in sorted(self.projects))
        return [one for one in found if one]

    def origins(self, project_id: int) -> Iterator[Page[TaskOrigin]]:
        self._fail()
        tasks = sorted(self._of(project_id), key=lambda task: task.task_id)
        for start in range(0, len(tasks), self._page_size):
            page: Page[TaskOrigin] = Page(rows=[], rejected=[])
            for task in tasks[start : start + self._page_size]:
                try:
                    found = _origin(task)
                except ValidationError:
                    page.rejected.append((str(task.task_id), "unreadable"))
                else:
                    page.rows.extend([found] if found else [])
            yield page

    def annotators_of(self, task_id: int) -> int:
        """How many people the server sends to the task."""
        task = self._tasks[task_id]
        return task.annotators or self.projects[task.project_id].annotations_per_task

    # -- what annotators do, and whoever may change a project

    def edit_label_config(self, project_id: int, label_config: str) -> None:
        """By hand, in the project's settings."""
        self.projects[project_id] = self.projects[project_id].model_copy(update={"label_config": label_config})

    def annotate(
        self,
        task_id: int,
        result: Result,
        *,
        annotator: str = ANNOTATOR,
        skipped: bool = False,
        from_prediction: bool = False,
        lead_time_s: float | None = None,
        at: datetime | None = None,
    ) -> int:
        """The new annotation's id."""
        moment = self._tick(at)
        annotation = AnnotationSnapshot(
            annotation_id=next(self._ids),
            annotator=annotator,
            result=result,
            skipped=skipped,
            created_at=moment,
            updated_at=moment,
            lead_time_s=lead_time_s,
            from_prediction=from_prediction
            or any(str(part.get("origin", "")).startswith("prediction") for part in result),
        )
        task = self._tasks[task_id]
        task.annotations[annotation.annotation_id] = annotation
        task.updated_at = moment
        return annotation.annotation_id

    def edit(self, annotation_id: int, result: Result, *, by: str | None = None, at: datetime | None = None) -> None:
        """By the annotator, or by somebody else."""
        self._change(annotation_id, {"result": result, "edited_by": by}, at)

    def skip(self, annotation_id: int, *, at: datetime | None = None) -> None:
        self._change(annotation_id, {"skipped": True}, at)

    def unskip(self, annotation_id: int, *, at: datetime | None = None) -> None:
        self._change(annotation_id, {"skipped": False}, at)

    def reassign(self, annotation_id: int, annotator: str, *, at: datetime | None = None) -> None:
        """Another `completed_by`."""
        self._change(annotation_id, {"annotator": annotator}, at)

    def touch(self, annotation_id: int, *, at: datetime | None = None) -> None:
        """Saved as it is: its time moves, and nothing that it says."""
        self._change(annotation_id, {}, at)

    def mark_ground_truth(self, annotation_id: int, *, by: str | None = None, at: datetime | None = None) -> None:
        self._change(annotation_id, {"ground_truth": True, "edited_by": by}, at)

    def move(self, annotation_id: int, task_id: int, *, at: datetime | None = None) -> None:
        """To another task: both of them change."""
        holder, moment = self._holder(annotation_id), self._tick(at)
        annotation = holder.annotations.pop(annotation_id)
        self._tasks[task_id].annotations[annotation_id] = annotation.model_copy(update={"updated_at": moment})
        holder.updated_at = self._tasks[task_id].updated_at = moment

    def delete_annotation(self, annotation_id: int, *, at: datetime | None = None) -> None:
        task = self._holder(annotation_id)
        del task.annotations[annotation_id]
        task.updated_at = self._tick(at)

    def clear(self, project_id: int, *, at: datetime | None = None) -> None:
        """Delete all annotations of a project at once: its annotated tasks get one and the same time."""
        moment = self._tick(at)
        for task in self._of(project_id):
            if task.annotations:
                task.annotations.clear()
                task.updated_at = moment

    def delete_task(self, task_id: int) -> None:
        del self._tasks[task_id]

    def delete_project(self, project_id: int) -> None:
        for task in self._of(project_id):
            del self._tasks[task.task_id]
        del self.projects[project_id]

    # -- inside

    def _fail(self) -> None:
        if self.failing is not None:
            raise self.failing

    def _of(self, project_id: int) -> list[_Task]:
        if project_id not in self.projects:
            raise RejectedError("Label Studio", f"there is no project {project_id}: make it anew", reason="not found")
        return [task for task in self._tasks.values() if task.project_id == project_id]

    def _tick(self, at: datetime | None) -> datetime:
        self._now = at if at is not None else self._now + timedelta(milliseconds=1)
        return self._now

    def _holder(self, annotation_id: int) -> _Task:
        return next(task for task in self._tasks.values() if annotation_id in task.annotations)

    def _change(self, annotation_id: int, update: dict[str, Any], at: datetime | None) -> None:
        task = self._holder(annotation_id)
        moment = self._tick(at)
        before = task.annotations[annotation_id]
        task.annotations[annotation_id] = before.model_copy(update={**update, "updated_at": moment})
        task.updated_at = moment


def _origin(task: _Task) -> TaskOrigin | None:
    data: dict[str, Any] = {**task.draft.data, "trace_id": task.draft.trace_id}
    if not str(data.get("format")).startswith("goldloop.task/"):
        return None
    told = {name: data[name] for name in TaskOrigin.model_fields if data.get(name) not in (None, "")}
    own = {"task_id": task.task_id, "project_id": task.project_id, "created_at": task.created_at}
    return TaskOrigin.model_validate(told | own)


def _snapshot(task: _Task) -> TaskSnapshot:
    output = task.draft.data.get("output")
    queue = task.draft.data.get("queue") if "format" in task.draft.data else None
    return TaskSnapshot(
        task_id=task.task_id,
        project_id=task.project_id,
        trace_id=task.draft.trace_id,
        queue=queue if isinstance(queue, str) else None,
        shown_output=output if isinstance(output, str) else "",
        updated_at=task.updated_at,
        annotations=tuple(task.annotations.values()),
        predictions=int(task.draft.prediction is not None),
    )
