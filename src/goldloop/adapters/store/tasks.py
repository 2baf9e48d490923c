"""Tasks: noted before they are imported, saved once they exist, marked when they are gone."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import and_, func, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.annotations import add_history
from goldloop.adapters.store.rows import StorePart, batches, note_due, record_of
from goldloop.records import State, Task

ENDED = datetime(1970, 1, 1, tzinfo=UTC)
"""When the import of a trace was begun, where it is known how it ended: there is nothing to wait for."""


class Tasks(StorePart):
    def imports_begun(self, queue: str, trace_ids: Sequence[str]) -> dict[str, datetime]:
        draws = tables.draws.c
        begun: dict[str, datetime] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                these = and_(draws.queue == queue, draws.trace_id.in_(batch), draws.import_begun_at.is_not(None))
                query = select(draws.trace_id, draws.import_begun_at).where(these)
                begun.update(connection.execute(query).tuples().all())
        return begun

    def begin_import(self, queue: str, trace_ids: Sequence[str], at: datetime) -> None:
        draws = tables.draws.c
        with self._db.write() as connection:
            for batch in batches(trace_ids):
                these = and_(draws.queue == queue, draws.trace_id.in_(batch))
                connection.execute(update(tables.draws).where(these).values(import_begun_at=at))

    def end_import(self, queue: str, trace_ids: Sequence[str]) -> None:
        self.begin_import(queue, trace_ids, ENDED)

    def save_tasks(self, tasks: Sequence[Task], at: datetime) -> None:
        """Saving a task again changes nothing, and leaves a trace alone that went on since."""
        draws = tables.draws.c
        with self._db.write() as connection:
            rows = [{**dict(task), "saved_at": at, "deleted_at": None} for task in tasks]
            self._db.upsert(connection, tables.tasks, rows)
            for batch in batches(tasks):
                for queue in {task.queue for task in batch}:
                    trace_ids = [task.trace_id for task in batch if task.queue == queue]
                    connection.execute(
                        update(tables.draws)
                        .where(draws.queue == queue, draws.trace_id.in_(trace_ids), draws.state == State.DRAWN.value)
                        .values(state=State.QUEUED.value, queued_at=at, import_begun_at=ENDED)
                    )

    def task(self, project_id: int, task_id: int) -> Task | None:
        """Also one that was deleted since."""
        tasks = tables.tasks.c
        query = select(tables.tasks).where(tasks.project_id == project_id, tasks.task_id == task_id)
        with self._db.read() as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else record_of(Task, row)

    def tasks_of(self, project_id: int, task_ids: Sequence[int], *, standing: bool = False) -> dict[int, Task]:
        tasks = tables.tasks.c
        known: dict[int, Task] = {}
        with self._db.read() as connection:
            for batch in batches(task_ids):
                query = select(tables.tasks).where(tasks.project_id == project_id, tasks.task_id.in_(batch))
                if standing:
                    query = query.where(tasks.deleted_at.is_(None))
                rows = connection.execute(query).mappings()
                known.update((row["task_id"], record_of(Task, row)) for row in rows)
        return known

    def task_ids(self, project_id: int) -> set[int]:
        tasks = tables.tasks.c
        query = select(tasks.task_id).where(tasks.project_id == project_id, tasks.deleted_at.is_(None))
        with self._db.read() as connection:
            return set(connection.execute(query).scalars())

    def task_count(self, project_id: int) -> int:
        tasks = tables.tasks.c
        query = select(func.count()).where(tasks.project_id == project_id, tasks.deleted_at.is_(None))
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()

    def mark_tasks_deleted(self, project_id: int, task_ids: Sequence[int], at: datetime) -> list[str]:
        """Tasks that were marked before count no more: their trace ids are not among those given back."""
        tasks, annotations = tables.tasks.c, tables.annotations.c
        traces: list[tuple[str, str]] = []
        with self._db.write() as connection:
            for batch in batches(task_ids):
                gone = and_(tasks.project_id == project_id, tasks.task_id.in_(batch), tasks.deleted_at.is_(None))
                traces += [
                    (queue, trace_id)
                    for queue, trace_id in connection.execute(select(tasks.queue, tasks.trace_id).where(gone))
                ]
                connection.execute(update(tables.tasks).where(gone).values(deleted_at=at))
                theirs = and_(
                    annotations.project_id == project_id, annotations.task_id.in_(batch), annotations.deleted.is_(False)
                )
                deleted = connection.execute(select(tables.annotations).where(theirs)).mappings().all()
                connection.execute(update(tables.annotations).where(theirs).values(deleted=True))
                add_history(connection, [{**row, "deleted": True} for row in deleted], at)
                traces += [(row["queue"], row["trace_id"]) for row in deleted]
            note_due(connection, traces)
        return list(dict.fromkeys(trace_id for _, trace_id in traces))
