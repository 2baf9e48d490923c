"""Opening a store: URLs, migrations, and databases that are not as they should be."""

import multiprocessing
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url, text

from goldloop.adapters.store import SqlStore, open_store
from goldloop.adapters.store.migrate import VERSION_TABLE
from goldloop.adapters.store.tables import METADATA
from goldloop.errors import ConfigError, GoldloopError, RetryableError
from goldloop.ports import Store

pytest_plugins = ["contract.store_fixtures"]

_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_sql_store_is_a_store(store: SqlStore) -> None:
    port: Store = store
    assert port.candidate_count() == 0


def test_migrated_tables_are_those_that_the_code_knows(store: SqlStore) -> None:
    with store._db.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_opening_again_keeps_what_is_there(empty_url: str) -> None:
    with open_store(empty_url) as store:
        store.set_watermark("traces", _NOON)
    with open_store(empty_url) as store:
        assert store.watermark("traces") == _NOON


def test_a_newer_database_is_refused(store_url: str) -> None:
    with open_store(store_url) as store, store._db.write() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608 - a constant's name
    with pytest.raises(ConfigError, match=r"newer goldloop \(revision 9999\): upgrade goldloop"):
        open_store(store_url)


def _open(url: str, failures: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        open_store(url).close()
    except GoldloopError as error:
        failures.put(str(error))


def test_processes_that_open_an_empty_database_at_once_make_the_tables_once(empty_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    failures = spawn.SimpleQueue()
    openers = [spawn.Process(target=_open, args=(empty_url, failures)) for _ in range(3)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert [opener.exitcode for opener in openers] == [0, 0, 0]
    assert failures.empty()
    failures.close()
    with open_store(empty_url) as store:
        assert store.candidate_count() == 0


def test_who_reads_does_not_wait_for_many_who_wait_to_write(store: SqlStore) -> None:
    """The ML backend's judges are such writers, and an annotator's page is the reader."""
    writers = [Thread(target=store.set_watermark, args=(f"cursor {number}", _NOON)) for number in range(20)]
    with store._db.write():
        for writer in writers:
            writer.start()
        time.sleep(0.3)
        begun = time.monotonic()
        assert store.watermark("traces") is None
        assert time.monotonic() - begun < 2
    for writer in writers:
        writer.join()
    assert store.watermark("cursor 19") == _NOON


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("no url", "cannot be read"),
        ("postgresql://ada:s3cret@host:port/db", "cannot be read"),
        ("mysql://root:s3cret@localhost/db", "must start with sqlite or postgresql"),
        ("sqlite://", "name a file"),
        ("sqlite:///:memory:", "name a file"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)


def test_sqlite_makes_its_folder_and_writes_ahead(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "store.db"
    with open_store(f"sqlite:///{file}") as store, store._db.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("This is prose, and a lot of it. " * 100)
    with pytest.raises(ConfigError, match="cannot be opened for reading and writing"):
        open_store(f"sqlite:///{file}")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="folder of the store"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'store.db'}")


def test_a_database_that_cannot_be_written_is_refused(sqlite_template: Path) -> None:
    with (
        open_store(f"sqlite:///file:{sqlite_template}?mode=ro&uri=true") as store,
        pytest.raises(ConfigError, match="cannot be opened for reading and writing"),
    ):
        store.set_watermark("traces", _NOON)


def test_a_writer_that_waits_in_vain_may_try_again(store_url: str) -> None:
    with (
        open_store(store_url) as first,
        open_store(store_url, wait_s=0.1) as second,
        first._db.write(),
        pytest.raises(RetryableError, match="busy"),
    ):
        second.set_watermark("traces", _NOON)


def test_readers_do_not_wait_for_the_writer(store_url: str) -> None:
    with open_store(store_url) as first, open_store(store_url, wait_s=0.1) as second, first._db.write():
        assert second.watermark("traces") is None


def test_a_damaged_database_is_an_error_without_a_statement(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    url = f"sqlite:///{file}"
    with open_store(url) as store:
        connection = sqlite3.connect(file)
        connection.execute("DROP TABLE watermarks")
        connection.close()
        with pytest.raises(GoldloopError) as caught:
            store.watermark("traces")
    assert "SELECT" not in str(caught.value)


@pytest.mark.servers
def test_an_unreachable_server_may_be_tried_again() -> None:
    with pytest.raises(RetryableError, match=r"db on 127\.0\.0\.1 cannot be reached"):
        open_store("postgresql://ada:s3cret@127.0.0.1:9/db", wait_s=2)


@pytest.mark.servers
def test_a_database_that_does_not_exist_is_a_wrong_setting(postgres_server: str) -> None:
    with pytest.raises(ConfigError, match="check the store's URL"):
        open_store(make_url(postgres_server).set(database="nowhere").render_as_string(hide_password=False))


@pytest.mark.servers
def test_a_wrong_password_is_a_wrong_setting(postgres_server: str) -> None:
    wrong = make_url(postgres_server).set(username="nobody-at-all", password="s3cret")
    with pytest.raises(ConfigError, match="check the store's URL") as caught:
        open_store(wrong.render_as_string(hide_password=False))
    assert "s3cret" not in str(caught.value)
