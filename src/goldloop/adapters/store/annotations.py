"""Annotations as they stand now, and everything that they ever said."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, exists, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, found, note_due, record_of
from goldloop.adapters.store.tables import annotation_history
from goldloop.records import Annotation

_REMEMBERED = [column.name for column in annotation_history.columns if column.name not in {"id", "seen_at"}]


def add_history(connection: Connection, rows: Sequence[Mapping[str, Any]], at: datetime) -> None:
    if rows:
        history = [{**{name: row[name] for name in _REMEMBERED}, "seen_at": at} for row in rows]
        connection.execute(annotation_history.insert(), history)


def _is_news(known: Annotation | None, new: Annotation) -> bool:
    """Whether `new` says something else, and not something that was true before `known`."""
    if known is None:
        return True
    if known == new:
        return False
    # A deletion does not move `updated_at`.
    return new.updated_at >= known.updated_at or new.deleted != known.deleted


class Annotations(StorePart):
    def annotations(self, queue: str, trace_id: str, *, second: bool = False) -> list[Annotation]:
        annotations, projects = tables.annotations.c, tables.projects.c
        again = exists().where(
            projects.queue == queue, projects.purpose == "relabel", projects.project_id == annotations.project_id
        )
        query = (
            select(tables.annotations)
            .where(annotations.queue == queue, annotations.trace_id == trace_id, again if second else ~again)
            .order_by(annotations.created_at, annotations.key)
        )
        with self._db.read() as connection:
            return [record_of(Annotation, row) for row in connection.execute(query).mappings()]

    def save_annotations(self, annotations: Sequence[Annotation], at: datetime) -> None:
        """An annotation that is known as it is, or known in a later version, changes nothing.

        `RejectedError`, and none is saved, where the queue never drew one of the traces.
        """
        keys = [annotation.key for annotation in annotations]
        with self._db.write() as connection:
            rows = found(connection, tables.annotations, "key", keys)
            current = {key: record_of(Annotation, row) for key, row in rows.items()}
            news: list[Annotation] = []
            for annotation in annotations:
                if _is_news(current.get(annotation.key), annotation):
                    current[annotation.key] = annotation
                    news.append(annotation)
            self._db.upsert(connection, tables.annotations, [dict(annotation) for annotation in news])
            add_history(connection, [dict(annotation) for annotation in news], at)
            note_due(connection, [(annotation.queue, annotation.trace_id) for annotation in news])
