"""What the store's parts share: the database they stand on, and the way between records and rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import JSON, Column, ColumnElement, Connection, RowMapping, Table, func, literal, select, update

from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.tables import draws, parked
from goldloop.records import Record

BATCH = 1000
"""Ids in one statement at most: both databases limit a statement's parameters."""

RecordT = TypeVar("RecordT", bound=Record)
EntryT = TypeVar("EntryT")


class StorePart:
    """A part of the store: some of its methods, over the one database."""

    def __init__(self, database: Database) -> None:
        self._db = database


def batches(entries: Sequence[EntryT]) -> Iterator[Sequence[EntryT]]:
    for start in range(0, len(entries), BATCH):
        yield entries[start : start + BATCH]


def record_of(kind: type[RecordT], row: RowMapping | Mapping[str, Any]) -> RecordT:
    """The record whose fields have the names of the row's columns; other columns are left."""
    return kind.model_validate({name: row[name] for name in kind.model_fields})


def found(connection: Connection, table: Table, column: str, ids: Sequence[str]) -> dict[str, RowMapping]:
    """Rows by one of their columns, for those of the ids that are there."""
    rows: dict[str, RowMapping] = {}
    for batch in batches(ids):
        query = select(table).where(table.c[column].in_(batch))
        rows.update((row[column], row) for row in connection.execute(query).mappings())
    return rows


def set_where(connection: Connection, table: Table, ids: Sequence[str], states: Sequence[str], **values: Any) -> None:
    """Change those rows of an outbox, named by primary key, that are in one of these states."""
    (column,) = table.primary_key
    connection.execute(update(table).where(among(connection, column, ids), table.c.state.in_(states)).values(**values))


def among(connection: Connection, column: Column[Any], ids: Sequence[str]) -> ColumnElement[bool]:
    """Whether the column holds one of these ids: any number of them, as one parameter."""
    each = func.json_each if connection.dialect.name == "sqlite" else func.json_array_elements_text
    return column.in_(select(each(literal(ids, JSON)).table_valued("value").c.value))


def note_due(connection: Connection, traces: Sequence[tuple[str, str]]) -> None:
    """Each (queue, trace id) is to be resolved again."""
    by_queue: dict[str, list[str]] = {}
    for queue, trace_id in dict.fromkeys(traces):
        by_queue.setdefault(queue, []).append(trace_id)
    for queue, trace_ids in by_queue.items():
        for batch in batches(trace_ids):
            connection.execute(
                update(draws).where(draws.c.queue == queue, draws.c.trace_id.in_(batch)).values(resolve_due=True)
            )


def clear_parked(connection: Connection, subjects: Sequence[str]) -> None:
    """What was parked under these subjects came through after all."""
    for batch in batches(subjects):
        connection.execute(
            update(parked).where(parked.c.subject.in_(batch), parked.c.cleared.is_(False)).values(cleared=True)
        )
