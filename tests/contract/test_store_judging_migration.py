"""Predictions from before judges had votes, prices and a history of their own read on as they were."""

from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, inspect

from contract.store_samples import MINUTE, NOON, QUEUE, VERSION, prediction, task
from goldloop.adapters.store import SqlStore, open_store
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.migrate import _config
from goldloop.adapters.store.tables import METADATA
from goldloop.records import State

pytest_plugins = ["contract.store_fixtures"]

_OLD = ("t1", "t2", "t3")


def _upgrade(connection: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _rows(connection: Connection, at: Any) -> None:
    """Three drawn traces, judged by two judges each, as revision 0003 kept them; the first was queued."""
    tables = MetaData()
    tables.reflect(connection)

    def insert(table: str, *rows: dict[str, Any]) -> None:
        connection.execute(tables.tables[table].insert(), list(rows))

    seen = {"environment": "default", "name": "", "category": "billing", "tags": [], "roots": 1}
    insert("candidates", *({**seen, "trace_id": name, "timestamp": at, "seen_at": at} for name in _OLD))
    window = {"drawn_at": at, "window_start": at, "window_end": at, "frame_size": 3, "budget": 3}
    how = {"seed": "7", "mix": {"random": 1.0}, "settings_hash": "s", "code_version": "c"}
    insert("draw_runs", {"run_id": "r", "queue": QUEUE, "codebook_version": VERSION, **window, **how})
    drawn = {"run_id": "r", "queue": QUEUE, "codebook_version": VERSION, "policy": "random", "mixture": {}, "pi": 0.5}
    state = {"stratum": "billing", "priority": 0, "state": "drawn", "resolve_due": False, "drawn_at": at}
    insert("draws", *({**drawn, **state, "trace_id": name} for name in _OLD))
    judged = {"queue": QUEUE, "codebook_version": VERSION, "judged_at": at, "method": "lexical", "calibrated": False}
    for judge, probability in (("lexical", 0.75), ("another", None)):
        said = {"judge": judge, "judge_version": "1", "answers": {"verdict": "fail"}, "probability": probability}
        insert(
            "predictions",
            *({**judged, **said, "trace_id": name, "reason": "é 'quoted'", "abstained": None} for name in _OLD),
        )


@pytest.fixture
def old(empty_url: str) -> str:
    """A store of revision 0003 with predictions in it."""
    database = Database(empty_url, wait_s=5)
    with database.write() as connection:
        _upgrade(connection, "0003")
        _rows(connection, NOON.replace(tzinfo=None) if database.is_sqlite else NOON)
    database.close()
    return empty_url


def test_old_predictions_keep_their_meaning(old: str) -> None:
    with open_store(old) as store:
        kept: dict[str, Any] = {"probability": 0.75, "reason": "é 'quoted'"}
        assert store.all_predictions(QUEUE, _OLD) == [
            prediction(name, **of_judge)
            for name in _OLD
            for of_judge in ({**kept, "judge": "another", "probability": None}, kept)
        ]
        assert store.judged(QUEUE, VERSION, "lexical", "1") == set(_OLD)
        assert store.counts(QUEUE).predictions == 3
        assert store.risks(QUEUE).trace_id.tolist() == []


def test_an_old_store_judges_what_was_never_drawn(old: str) -> None:
    with open_store(old) as store:
        later = prediction("never-drawn", minutes=1, risk=0.5)
        store.save_predictions([later, prediction("t1", minutes=1, judge_version="2", risk=0.25)])
        assert store.prediction(QUEUE, VERSION, "never-drawn") == later
        assert store.risks(QUEUE, NOON + MINUTE).trace_id.tolist() == [b"never-drawn", b"t1"]
        with store._db.read() as connection:
            assert inspect(connection).get_foreign_keys("predictions") == []
        # What still has to be drawn is checked as before.
        store.save_tasks([task("t1")], NOON)
        assert [one.trace_id for one in store.draws(QUEUE, State.DRAWN)] == ["t2", "t3"]


def _shape(connection: Connection) -> dict[str, Any]:
    """Everything that a database says of its tables, but the order of columns: a migration adds at the end."""
    seen = inspect(connection)
    shape: dict[str, Any] = {}
    for table in sorted(METADATA.tables):
        columns = {
            column["name"]: (
                column["type"].compile(dialect=connection.dialect),
                getattr(column["type"], "collation", None),
                column["nullable"],
                (column["default"] or "").strip("'()"),
            )
            for column in seen.get_columns(table)
        }
        shape[table] = {
            "columns": columns,
            "key": seen.get_pk_constraint(table),
            "foreign": sorted(map(str, seen.get_foreign_keys(table))),
            "indexes": sorted(
                str((one["name"], one["column_names"], one["unique"])) for one in seen.get_indexes(table)
            ),
        }
    return shape


def test_migrated_tables_are_in_everything_those_that_the_code_would_make(old: str) -> None:
    with open_store(old) as store:
        migrated = _shaped(store)
        with store._db.write() as connection:
            METADATA.drop_all(connection)
            METADATA.create_all(connection)
        assert migrated == _shaped(store)


def _shaped(store: SqlStore) -> dict[str, Any]:
    with store._db.read() as connection:
        return _shape(connection)
