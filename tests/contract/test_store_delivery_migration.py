"""A store of the first release, with all that it can hold, comes forward to where annotations say who saved them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData

from builders import QUEUE
from contract.test_store_judging_migration import _shaped
from goldloop.adapters.store import SqlStore, open_store
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.migrate import _config
from goldloop.adapters.store.tables import METADATA, annotation_history
from goldloop.records import Annotation, State
from pipeline.loop import ADA, BEN, MINUTE
from pipeline.test_first_release import KEY, THEN, rows

pytest_plugins = ["contract.store_fixtures"]

OLD = Annotation(
    key=KEY,
    queue=QUEUE,
    codebook_version="1.0.0",
    trace_id="t1",
    project_id=1,
    task_id=1,
    annotation_id=11,
    annotator=ADA,
    answers={"verdict": "fail", "error_type": ["tone"]},
    created_at=THEN,
    updated_at=THEN,
)


def fill(connection: Connection, *, zoned: bool) -> None:
    """`zoned`: the database keeps times with their zone."""
    tables = MetaData()
    tables.reflect(connection)
    held = {name: [*those] for name, those in rows(["1.0.0"]).items()}
    said = {"key", "annotator", "answers", "skipped", "deleted", "updated_at", "from_prediction"}
    held["annotation_history"] = [
        {name: value for name, value in row.items() if name in said} | {"seen_at": row["updated_at"]}
        for row in held["annotations"]
    ]

    def of_database(value: Any) -> Any:
        return value.replace(tzinfo=UTC) if zoned and isinstance(value, datetime) else value

    for name, those in held.items():
        given = [{field: of_database(value) for field, value in row.items()} for row in those]
        connection.execute(tables.tables[name].insert(), given)


@pytest.fixture(params=["0001", "0004"])
def old(empty_url: str, request: pytest.FixtureRequest) -> Iterator[SqlStore]:
    """Filled by the first release; brought forward by this one at once, or by the last one in between."""
    database = Database(empty_url, wait_s=5)
    config = _config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        fill(connection, zoned=not database.is_sqlite)
        command.upgrade(config, request.param)
    database.close()
    with open_store(empty_url) as store:
        yield store


def history(store: SqlStore) -> list[tuple[object, ...]]:
    with store._db.read() as connection:
        query = annotation_history.select().order_by(annotation_history.c.id)
        told = ("annotator", "edited_by", "ground_truth", "updated_at", "seen_at")
        return [tuple(row[name] for name in told) for row in connection.execute(query).mappings()]


def test_old_annotations_were_edited_by_nobody_and_are_no_ground_truth(old: SqlStore) -> None:
    assert old.annotations(QUEUE, "t1") == [OLD]
    assert old.annotations_of(1, [1]) == {1: [OLD]}
    assert history(old) == [(ADA, None, False, THEN, THEN)]
    assert (old.task_ids(1), old.due_for_resolve(QUEUE)) == ({1, 2}, [])
    states = {one.trace_id: state for state in State for one in old.draws(QUEUE, state)}
    assert states == {"t1": State.PUBLISHED, "t2": State.QUEUED, "t3": State.DRAWN}


def test_an_old_annotation_is_edited_by_another_and_made_the_ground_truth(old: SqlStore) -> None:
    edit = OLD.model_copy(update={"edited_by": BEN, "ground_truth": True, "updated_at": THEN + MINUTE})
    old.save_annotations([OLD, edit], THEN + MINUTE)
    assert old.annotations(QUEUE, "t1") == [edit]
    assert history(old) == [(ADA, None, False, THEN, THEN), (ADA, BEN, True, THEN + MINUTE, THEN + MINUTE)]
    assert old.due_for_resolve(QUEUE) == ["t1"]


def test_migrated_tables_are_in_everything_those_that_the_code_would_make(old: SqlStore) -> None:
    migrated = _shaped(old)
    with old._db.write() as connection:
        METADATA.drop_all(connection)
        METADATA.create_all(connection)
    assert migrated == _shaped(old)
