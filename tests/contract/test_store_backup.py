"""Backups: whole, of one moment, and put back only where that is meant."""

import re
import sqlite3
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import MetaData, make_url, text

from contract.store_backups import fill, rows
from contract.store_samples import MINUTE, NOON
from goldloop.adapters.store import SqlStore, open_store
from goldloop.adapters.store.backup import back_up, restore
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.locks import EVERYTHING
from goldloop.adapters.store.migrate import VERSION_TABLE, _config, revisions
from goldloop.adapters.store.tables import watermarks
from goldloop.errors import ConfigError, InputError, LockedError

pytest_plugins = ["contract.store_fixtures"]

_NEWER = text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - a constant's name


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.backup"


def _wipe(url: str) -> None:
    with open_store(url) as store, store._db.write() as connection:
        connection.execute(text("DELETE FROM candidates"))
        connection.execute(text("DELETE FROM watermarks"))


def test_what_is_put_back_is_what_there_was(store_url: str, file: Path) -> None:
    fill(store_url, "t1", "é 'quoted'\t\\")
    before = rows(store_url)
    made = back_up(store_url, file)
    assert made.bytes == file.stat().st_size > 0
    assert file.stat().st_mode & 0o077 == 0
    assert {path.name for path in file.parent.glob("*")} <= {file.name, "store.db", "store.db-wal", "store.db-shm"}
    _wipe(store_url)
    assert rows(store_url) != before
    assert restore(store_url, file).revision == made.revision
    assert rows(store_url) == before


def test_a_store_that_holds_something_is_replaced_by_force_alone(store_url: str, file: Path) -> None:
    fill(store_url, "t1")
    back_up(store_url, file)
    before = rows(store_url)
    fill(store_url, "t2")
    after = rows(store_url)
    with pytest.raises(ConfigError, match=r"is not empty: .* --force"):
        restore(store_url, file)
    assert rows(store_url) == after
    restore(store_url, file, force=True)
    assert rows(store_url) == before


def test_a_backup_is_put_where_no_store_was(empty_url: str, file: Path) -> None:
    fill(empty_url, "t1")
    back_up(empty_url, file)
    before = rows(empty_url)
    database = Database(empty_url, wait_s=5)
    with database.write() as connection:
        tables = MetaData()
        tables.reflect(connection)
        tables.drop_all(connection)
    database.close()
    restore(empty_url, file)
    assert rows(empty_url) == before


def test_a_backup_while_a_run_commits_is_of_one_moment(store_url: str, file: Path) -> None:
    """Each transaction writes two watermarks with the same time: a backup between them would have them differ."""
    fill(store_url, *(f"t{number}" for number in range(500)))
    stop, begun = threading.Event(), threading.Event()

    def write() -> None:
        at = NOON
        with open_store(store_url) as store:
            while not stop.is_set():
                at += MINUTE
                with store._db.write() as connection:
                    for name in ("first", "second"):
                        store._db.upsert(connection, watermarks, [{"stream": name, "at": at}])
                begun.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert begun.wait(20)
        for _ in range(3):
            back_up(store_url, file, force=True)
    finally:
        stop.set()
        writer.join()
    restore(store_url, file, force=True)
    with open_store(store_url) as store:
        first = store.watermark("first")
        assert first is not None
        assert first == store.watermark("second")
        assert store.candidate_count() == 500


def _upgraded(url: str, revision: str) -> None:
    config = _config()
    database = Database(url, wait_s=5)
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        tables = MetaData()
        tables.reflect(connection, only=["watermarks"])
        at = NOON.replace(tzinfo=None) if database.is_sqlite else NOON
        connection.execute(tables.tables["watermarks"].insert(), {"stream": "old", "at": at})
    database.close()


@pytest.mark.parametrize("revision", ["0001", "0003"])
def test_an_older_backup_is_brought_forward(empty_url: str, file: Path, revision: str) -> None:
    _upgraded(empty_url, revision)
    assert back_up(empty_url, file).revision == revision
    fill(empty_url, "t1")  # the store is of today then
    assert restore(empty_url, file, force=True).revision == revision
    with open_store(empty_url) as store:
        assert store.watermark("old") == NOON
        assert store.candidate_count() == 0
        with store._db.read() as connection:
            assert revisions(connection) != {revision}


def _made_newer(url: str) -> None:
    with open_store(url) as store, store._db.write() as connection:
        connection.execute(_NEWER)


def test_a_newer_store_is_not_backed_up(store_url: str, file: Path) -> None:
    _made_newer(store_url)
    with pytest.raises(ConfigError, match=r"newer goldloop \(revision 9999\): upgrade goldloop"):
        back_up(store_url, file)
    assert not file.exists()


def test_a_newer_backup_is_refused(store_url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _made_newer(store_url)
    for module in ("sqlite_backup", "postgres_backup"):
        with monkeypatch.context() as patch:
            patch.setattr(f"goldloop.adapters.store.{module}.refuse_unknown", lambda *_: None)
            if module.startswith(make_url(store_url).get_backend_name()[:6]):
                back_up(store_url, file)
    with pytest.raises(ConfigError, match=r"The backup .* newer goldloop \(revision 9999\): upgrade goldloop"):
        restore(store_url, file, force=True)


def test_a_file_that_exists_is_overwritten_by_force_alone(store_url: str, file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(InputError, match="exists: name another file"):
        back_up(store_url, file)
    assert file.read_text() == "mine"
    back_up(store_url, file, force=True)
    assert restore(store_url, file).file == str(file)


def test_where_a_file_cannot_be_is_told(store_url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in a folder that exists"):
        back_up(store_url, tmp_path / "nowhere" / "file")
    with pytest.raises(InputError, match="is a folder"):
        back_up(store_url, tmp_path)


def test_where_no_store_is_nothing_is_backed_up(empty_url: str, file: Path) -> None:
    with pytest.raises(ConfigError, match="no store"):
        back_up(empty_url, file)
    assert list(file.parent.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"This is prose.", b"SQLite format 3\0 and no more", b"PGDMP\x01\x0e\x00 and no more"],
    ids=["empty", "prose", "sqlite", "postgresql"],
)
def test_a_file_that_is_no_backup_is_refused(store_url: str, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    before = rows(store_url)
    with pytest.raises(InputError, match=f"^{re.escape(str(file))} "):
        restore(store_url, file)
    assert rows(store_url) == before


def test_a_file_that_is_missing_is_refused(store_url: str, file: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(No such file"):
        restore(store_url, file)


def test_another_programs_database_is_refused(sqlite_url: str, file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE notes (text)")
    connection.close()
    with pytest.raises(InputError, match="is not a backup of a goldloop store"):
        restore(sqlite_url, file)


def test_the_store_itself_is_no_backup_of_it(sqlite_url: str) -> None:
    store = Path(make_url(sqlite_url).database or "")
    for refused in (back_up, restore):
        with pytest.raises(InputError, match="is the store itself"):
            refused(sqlite_url, store, force=True)


@pytest.mark.parametrize("name", ["queue:answer-quality", "history:answer-quality", EVERYTHING])
def test_a_run_at_work_is_waited_for(store_url: str, file: Path, name: str) -> None:
    back_up(store_url, file)
    with open_store(store_url) as store, store.lock(name, "run 1", MINUTE):
        with pytest.raises(LockedError, match=rf"\(run 1\) has held {name} since"):
            restore(store_url, file, force=True)
        back_up(store_url, file, force=True)  # that one waits for nobody
    restore(store_url, file)  # the lock of then is not in it
    with open_store(store_url) as store, store.lock(name, "run 2", MINUTE):
        pass


def test_no_run_begins_while_a_store_is_replaced(store: SqlStore) -> None:
    with (
        store.lock(EVERYTHING, "restore 1", timedelta(minutes=1)),
        pytest.raises(LockedError, match=r"\(restore 1\) has held the whole store"),
        store.lock("queue:answer-quality", "run 1", MINUTE),
    ):
        pass


def test_an_open_reader_sees_the_store_of_before_and_then_the_other(sqlite_url: str, file: Path) -> None:
    fill(sqlite_url, "t1", "t2")
    back_up(sqlite_url, file)
    _wipe(sqlite_url)
    with open_store(sqlite_url) as store:
        with store._db.read() as connection:
            count = text("SELECT count(*) FROM candidates")
            assert connection.execute(count).scalar() == 0
            restore(sqlite_url, file)
            assert connection.execute(count).scalar() == 0
        assert store.candidate_count() == 2


def test_a_backup_with_other_pages_is_put_back(sqlite_url: str, file: Path) -> None:
    fill(sqlite_url, "t1")
    back_up(sqlite_url, file)
    before = rows(sqlite_url)
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("PRAGMA page_size = 8192")
        connection.execute("VACUUM")
    connection.close()
    restore(sqlite_url, file, force=True)
    assert rows(sqlite_url) == before


def test_a_damaged_backup_is_refused(sqlite_url: str, file: Path) -> None:
    fill(sqlite_url, *(f"t{number}" for number in range(300)))
    back_up(sqlite_url, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    before = rows(sqlite_url)
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        restore(sqlite_url, file, force=True)
    assert rows(sqlite_url) == before
