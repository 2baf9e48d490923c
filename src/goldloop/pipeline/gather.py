"""Label Studio -> annotations in the store: new ones, edits, skips and deletions, by polling.

A task's `updated_at` moves with each of these, so the tasks that changed since the last poll tell everything; only a
task that was itself deleted is invisible to that, and is found by holding the ids against each other. The id of a
deleted task may be given to a new one: a task is ours only while it shows the trace that we made it for.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from goldloop.ahead import ahead
from goldloop.codebook.lineage import number
from goldloop.codebook.schema import Codebook
from goldloop.errors import RejectedError
from goldloop.pipeline.gather_aside import FOREIGN, Aside
from goldloop.pipeline.gather_read import by_newest
from goldloop.pipeline.parking import free_gone, park_deleted_tasks, polled_stream, task_stream
from goldloop.ports import Page, Peek, Progress, Store, TaskQueue
from goldloop.records import Annotation, Project, Record, Task, TaskSnapshot

_OVERLAP = timedelta(minutes=2)
"""Re-read below the watermark: transactions do not commit in the order of their `updated_at`."""
_TOLERANCE = timedelta(minutes=1)
"""By how much two servers behind one address may differ on the time, before it counts as a clock that was set back."""
_GONE = "not found"
"""The reason of a `RejectedError` for a project that is not there."""


class GatherSummary(Record):
    """`annotations` are the new and the changed ones, `deleted` the deleted annotations and tasks.

    `foreign` are the tasks in the queue's projects that goldloop did not make, `unknown` those that it met among them
    and that it did make, by their data: the store is not the one that it made them with. `unreadable` are the tasks
    and annotations that stand parked.
    """

    tasks_changed: int
    annotations: int
    deleted: int
    parked: int
    new: int = 0
    changed: int = 0
    annotations_deleted: int = 0
    tasks_gone: int = 0
    foreign: int = 0
    unknown: int = 0
    unreadable: int = 0


@dataclass
class _Tally:
    read: int = 0
    new: int = 0
    changed: int = 0
    deleted: int = 0
    gone: int = 0
    parked: int = 0
    foreign: int = 0
    unknown: int = 0
    unreadable: int = 0

    def summary(self) -> GatherSummary:
        return GatherSummary(
            tasks_changed=self.read,
            annotations=self.new + self.changed,
            deleted=self.deleted + self.gone,
            parked=self.parked,
            new=self.new,
            changed=self.changed,
            annotations_deleted=self.deleted,
            tasks_gone=self.gone,
            foreign=self.foreign,
            unknown=self.unknown,
            unreadable=self.unreadable,
        )


def gather(
    codebook: Codebook,
    tasks: TaskQueue,
    store: Store,
    now: datetime,
    progress: Progress,
    *,
    everything: bool = False,
    dry_run: bool = False,
) -> GatherSummary:
    """Bring the store's annotations of every project of this queue, of whatever version, up to date.

    Args:
        codebook: any version of the queue's.
        tasks: Label Studio.
        store: what is known.
        now: noted as the time at which a change was seen.
        progress: told how many tasks were read.
        everything: read all tasks, and not only those that changed, and hold all ids against each other.
        dry_run: count, and write nothing.
    """
    tally = _Tally()
    by_id: dict[int, Project] = {}
    asked: dict[int, list[str]] = {}
    for project in store.projects(codebook.name):
        by_id[project.project_id] = project
        asked.setdefault(project.project_id, []).append(project.codebook_version)
    for project_id, project in by_id.items():
        versions = sorted(asked[project_id], key=number, reverse=True)
        codebooks = [store.codebook(project.queue, version) for version in versions]
        _Poll(project, codebooks, tasks, store, now, tally, dry_run=dry_run).run(progress, everything=everything)
    return tally.summary()


class _Poll:
    """The poll of one project; `codebooks` are the versions that share it, newest first."""

    def __init__(
        self,
        project: Project,
        codebooks: Sequence[Codebook],
        tasks: TaskQueue,
        store: Store,
        now: datetime,
        tally: _Tally,
        *,
        dry_run: bool,
    ) -> None:
        self.project, self.codebooks, self.tasks, self.store = project, codebooks, tasks, store
        self.project_id, self.now, self.tally, self.dry_run = project.project_id, now, tally, dry_run
        self.aside = Aside(store, project, now, dry_run=dry_run)
        self.seen: set[int] = set()

    @cached_property
    def known(self) -> set[int]:
        """The tasks that stand, to the store; an idle poll counts them and needs no more."""
        return self.store.task_ids(self.project_id)

    def run(self, progress: Progress, *, everything: bool) -> None:
        peek = self._peek()
        if peek is None:
            self._deleted(self.known)
            if not self.dry_run:
                free_gone(self.store, self.project_id)
        else:
            watermark = self.store.watermark(task_stream(self.project_id))
            polled = self.store.watermark(polled_stream(self.project_id))
            if everything or not self._is_idle(peek, watermark, polled):
                self._catch_up(peek, None if everything or _was_set_back(peek, polled) else watermark, progress)
            if peek.at and not self.dry_run:
                self.store.set_watermark(polled_stream(self.project_id), peek.at)
        self.tally.parked += self.aside.parked
        self.tally.foreign += len(self._strangers())
        self.tally.unreadable += self.aside.unreadable

    def _peek(self) -> Peek | None:
        """None where the project is gone."""
        try:
            return self.tasks.peek(self.project_id)
        except RejectedError as error:
            if error.reason != _GONE:
                raise
            return None

    def _is_idle(self, peek: Peek, watermark: datetime | None, polled: datetime | None) -> bool:
        """Whether nothing changed since, and nothing can be committed any more that is older than the watermark."""
        count = self.store.task_count(self.project_id) + len(self._strangers())
        if peek.count != count or _was_set_back(peek, polled):
            return False
        if peek.newest is None:
            return True
        settled = watermark is not None and polled is not None and polled > watermark + _OVERLAP
        return settled and watermark is not None and peek.newest <= watermark

    def _catch_up(self, peek: Peek, watermark: datetime | None, progress: Progress) -> None:
        newest = self._read(watermark - _OVERLAP if watermark else None, progress)
        if self._miss_tasks(peek.count, all_read=watermark is None) and watermark:
            # "Remove duplicates" gives the annotations of the task that it deletes to another, and tells nobody.
            newest = self._read(None, progress) or newest
        if newest and peek.at:
            newest = min(newest, peek.at + _TOLERANCE)  # else changes before a time to come would be below it
        newest = newest or watermark
        if newest and newest != self.store.watermark(task_stream(self.project_id)) and not self.dry_run:
            self.store.set_watermark(task_stream(self.project_id), newest)

    def _read(self, since: datetime | None, progress: Progress) -> datetime | None:
        """The newest change of those that were read."""
        newest: datetime | None = None
        with closing(ahead(self.tasks.changed_tasks(self.project_id, since))) as pages:
            for page in pages:
                self._take(page)
                newest = max([*(row.updated_at for row in page.rows), *([newest] if newest else [])], default=None)
                progress(self.tally.read, None)
        return newest

    def _take(self, page: Page[TaskSnapshot]) -> None:
        """Save what the page says otherwise than the store."""
        self.tally.read += len(page.rows)
        task_ids = [snapshot.task_id for snapshot in page.rows]
        self.seen.update(task_ids, (int(task_id) for task_id, _ in page.rejected))
        tasks = self.store.tasks_of(self.project_id, task_ids)
        standing = self.store.annotations_of(self.project_id, task_ids)
        read: list[Annotation] = []
        known: dict[str, Annotation] = {}
        for snapshot in page.rows:
            task = tasks.get(snapshot.task_id)
            if task is None or task.trace_id != snapshot.trace_id:
                self._is_foreign(snapshot)
            else:
                before = {one.annotation_id: one for one in standing.get(task.task_id, ())}
                known.update((one.key, one) for one in before.values())
                read += self._readable(task, snapshot, before)
        for task_id, reason in page.rejected:
            self.aside.park(self.aside.task(int(task_id)), reason, "unreadable", None)
        self._save(known, read)

    def _save(self, known: Mapping[str, Annotation], read: Sequence[Annotation]) -> None:
        """What the store knows and the tasks lost is deleted; one that another task of the page has was only moved."""
        news = [one for one in read if one != known.get(one.key)]
        there = {one.key for one in read}
        gone = [one for key, one in known.items() if key not in there]
        self.tally.new += sum(one.key not in known for one in news)
        self.tally.changed += sum(one.key in known for one in news)
        self.tally.deleted += len(gone)
        if not self.dry_run:
            deleted = [one.model_copy(update={"deleted": True}) for one in gone]
            self.store.save_annotations([*news, *deleted], self.now)

    def _is_foreign(self, snapshot: TaskSnapshot) -> None:
        if snapshot.task_id in self.known:
            self._deleted({snapshot.task_id})
        ours, trace_id = snapshot.queue == self.project.queue, snapshot.trace_id
        self.tally.unknown += bool(ours and trace_id and not self.store.drawn(self.project.queue, [trace_id]))
        self.aside.park(self.aside.task(snapshot.task_id), "this task was not made by goldloop", FOREIGN, None)

    def _readable(self, task: Task, snapshot: TaskSnapshot, before: Mapping[int, Annotation]) -> list[Annotation]:
        """The task's annotations; those that are none by the codebook are parked, until they are mended or gone."""
        self.aside.heal(self.aside.task(task.task_id))
        read: list[Annotation] = []
        refused: set[str] = set()
        for one in snapshot.annotations:
            try:
                known = before.get(one.annotation_id)
                read.append(by_newest(self.codebooks, task, one, snapshot.shown_output, known))
            except RejectedError as error:
                subject = self.aside.annotation(task.task_id, one.annotation_id)
                refused.add(subject)
                self.aside.park(subject, str(error), error.reason, task.trace_id)
        self.aside.heal_annotations(task.task_id, refused)
        return read

    def _miss_tasks(self, count: int, *, all_read: bool) -> bool:
        """Find the tasks that were deleted; whether a stranger is among them.

        They are looked for where the number is not that of the known ones and of the strangers, or where all tasks
        were read and some did not come.
        """
        strangers = self._strangers()
        expected = self.known | strangers.keys()
        if count == len(expected) and not (all_read and expected - self.seen):
            return False
        there = self.tasks.task_ids(self.project_id)
        self._deleted(self.known - there)
        gone = strangers.keys() - there
        for task_id in gone:
            self.aside.heal(strangers[task_id])
        return bool(gone)

    def _strangers(self) -> dict[int, str]:
        """The subjects of what stands aside and is no task that the store knows, by task id."""
        return {task_id: subject for task_id, subject in self.aside.tasks().items() if task_id not in self.known}

    def _deleted(self, task_ids: Collection[int]) -> None:
        if not self.dry_run:
            park_deleted_tasks(self.store, self.project_id, task_ids, self.now)
        self.aside.forget(task_ids)
        self.known = self.known - set(task_ids)
        self.tally.gone += len(task_ids)
        self.tally.parked += len(task_ids)


def _was_set_back(peek: Peek, polled: datetime | None) -> bool:
    """Whether the server's clock is behind that of the last poll: changes since may be older than the watermark."""
    return peek.at is not None and polled is not None and peek.at < polled - _TOLERANCE
