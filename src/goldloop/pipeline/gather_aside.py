"""What gather sets aside of one project: tasks that are not ours, tasks and annotations that can't be read."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from goldloop.errors import RejectedError
from goldloop.pipeline.parking import is_of_tasks, parked_row
from goldloop.ports import Store
from goldloop.records import Parked, Project

FOREIGN: Final = "foreign_task"


class Aside:
    """Parked rows by subject, `task:PROJECT/TASK` and `annotation:PROJECT/TASK/ANNOTATION`.

    `parked` counts those of this run; with `dry_run` none is written.
    """

    def __init__(self, store: Store, project: Project, now: datetime, *, dry_run: bool) -> None:
        self._store, self._project, self._now, self._dry_run = store, project, now, dry_run
        self._rows: dict[str, Parked] = {}
        self._annotations: dict[str, set[str]] = {}  # their subjects, by that of their task
        self.parked = 0
        for row in store.parked(project.queue):
            if row.verb == "gather" and is_of_tasks(row.subject, project.project_id, None):
                self._note(row)

    def task(self, task_id: int) -> str:
        return f"task:{self._project.project_id}/{task_id}"

    def annotation(self, task_id: int, annotation_id: int) -> str:
        return f"annotation:{self._project.project_id}/{task_id}/{annotation_id}"

    def park(self, subject: str, detail: str, reason: str, trace_id: str | None) -> None:
        """Once for one reason, however often a poll passes it."""
        said = str(RejectedError("Label Studio", detail, reason=reason))
        before = self._rows.get(subject)
        if before is not None and (before.reason, before.detail) == (reason, said):
            return
        row = parked_row("gather", subject, reason, said, self._now, queue=self._project.queue, trace_id=trace_id)
        self._note(row)
        self.parked += 1
        if not self._dry_run:
            self._store.park(row)

    def heal(self, subject: str) -> None:
        row = self._rows.pop(subject, None)
        if row is not None and not self._dry_run:
            self._store.unpark([row.parked_id])

    def heal_annotations(self, task_id: int, but: Collection[str]) -> None:
        """Those of the task, but for these."""
        for subject in self._annotations.get(self.task(task_id), set()) - set(but):
            self.heal(subject)

    def forget(self, task_ids: Collection[int]) -> None:
        """The tasks are gone, and whoever said so took their rows away."""
        for task_id in task_ids:
            for subject in (self.task(task_id), *self._annotations.get(self.task(task_id), ())):
                self._rows.pop(subject, None)

    def tasks(self) -> dict[int, str]:
        """The subjects of tasks, by task id."""
        prefix = self.task(0).removesuffix("0")
        return {int(one.removeprefix(prefix)): one for one in self._rows if one.startswith(prefix)}

    @property
    def unreadable(self) -> int:
        return sum(row.reason != FOREIGN for row in self._rows.values())

    def _note(self, row: Parked) -> None:
        self._rows[row.subject] = row
        kind, _, place = row.subject.partition(":")
        if kind == "annotation":
            task = f"task:{place.rpartition('/')[0]}"
            self._annotations.setdefault(task, set()).add(row.subject)
