"""Annotations as they stand now, and everything that they ever said."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, batches, found, note_due, record_of
from goldloop.adapters.store.tables import annotation_history
from goldloop.records import Annotation

_REMEMBERED = [column.name for column in annotation_history.columns if column.name not in {"id", "seen_at"}]


def add_history(connection: Connection, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    if rows:
        history = [{**{name: row[name] for name in _REMEMBERED}, "seen_at": at} for row in rows]
        connection.execute(annotation_history.insert(), history)


class Annotations(StorePart):
    def annotations(self, queue: str, trace_id: str, *, second: bool = False) -> list[Annotation]:
        return self.annotations_by_trace(queue, [trace_id], second=second).get(trace_id, [])

    def annotations_by_trace(
        self, queue: str, trace_ids: Sequence[str], *, second: bool = False
    ) -> dict[str, list[Annotation]]:
        annotations, projects = tables.annotations.c, tables.projects.c
        again = exists().where(
            projects.queue == queue, projects.purpose == "relabel", projects.project_id == annotations.project_id
        )
        query = (
            select(tables.annotations)
            .where(annotations.queue == queue, again if second else ~again)
            .order_by(annotations.created_at, annotations.key)
        )
        by_trace: dict[str, list[Annotation]] = {}
        with self._db.read() as connection:
            for batch in batches(trace_ids):
                for row in connection.execute(query.where(annotations.trace_id.in_(batch))).mappings():
                    by_trace.setdefault(row["trace_id"], []).append(record_of(Annotation, row))
        return by_trace

    def annotations_of(self, project_id: int, task_ids: Sequence[int]) -> dict[int, list[Annotation]]:
        annotations = tables.annotations.c
        standing: dict[int, list[Annotation]] = {}
        with self._db.read() as connection:
            for batch in batches(task_ids):
                query = (
                    select(tables.annotations)
                    .where(
                        annotations.project_id == project_id,
                        annotations.task_id.in_(batch),
                        annotations.deleted.is_(False),
                    )
                    .order_by(annotations.created_at, annotations.key)
                )
                for row in connection.execute(query).mappings():
                    standing.setdefault(row["task_id"], []).append(record_of(Annotation, row))
        return standing

    def save_annotations(self, annotations: Sequence[Annotation], at: datetime) -> None:
        """An annotation that is known as it is changes nothing; otherwise what is said last counts, however old.

        Of two edits at once the one with the earlier `updated_at` may be the one that stands, and a server that was
        restored from a backup says what it said before. One run at a time reads a queue, so that no reading overtakes
        another. `RejectedError`, and none is saved, where the queue never drew one of the traces.
        """
        if not annotations:
            return
        keys = [annotation.key for annotation in annotations]
        with self._db.write() as connection:
            rows = found(connection, tables.annotations, "key", keys)
            current = {key: record_of(Annotation, row) for key, row in rows.items()}
            before = {key: (one.queue, one.trace_id) for key, one in current.items()}
            news: list[Annotation] = []
            for annotation in annotations:
                if current.get(annotation.key) != annotation:
                    current[annotation.key] = annotation
                    news.append(annotation)
            self._db.upsert(connection, tables.annotations, [dict(annotation) for annotation in news])
            add_history(connection, [dict(annotation) for annotation in news], at)
            due = [(annotation.queue, annotation.trace_id) for annotation in news]
            note_due(connection, due + [before[one.key] for one in news if one.key in before])
