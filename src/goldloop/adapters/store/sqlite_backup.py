"""Backups of a store in SQLite, by its online backup (https://www.sqlite.org/backup.html).

A copy is made in one step under one read transaction, so that it is of one moment. Put back, it is one write
transaction: whoever reads meanwhile sees the store from before, and then the other one.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL
from sqlalchemy.exc import OperationalError

from goldloop.adapters.store.engine import Database, parsed_url
from goldloop.adapters.store.faults import translated
from goldloop.adapters.store.migrate import VERSION_TABLE, migrate, refuse_unknown
from goldloop.errors import ConfigError, InputError, RetryableError

HEADER = b"SQLite format 3\0"
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_store_file(url: URL, file: Path) -> bool:
    store = _store_file(url)
    return store.exists() and file.exists() and store.samefile(file)


def dump(url: str, unfinished: Path, wait_s: float) -> str:
    """Write the store into this file; the revision of its tables."""
    store = _store_file(parsed_url(url))
    if not store.is_file():
        raise ConfigError(f"There is no store at {store}: check GOLDLOOP_STORE_URL.")
    with (
        _faults(str(store)),
        closing(sqlite3.connect(store, timeout=wait_s)) as source,
        closing(sqlite3.connect(unfinished, isolation_level=None)) as copy,
    ):
        _copy(source, copy, str(store), wait_s)
        copy.execute("PRAGMA journal_mode = DELETE")  # the write-ahead log would be a second file
        revision = _revision(copy)
        if not revision:
            raise ConfigError(f"{store} holds no goldloop store: check GOLDLOOP_STORE_URL.")
        refuse_unknown({revision}, f"The store {store}")
        copy.execute("DELETE FROM locks")
    return revision


@contextmanager
def ready(url: str, file: Path, wait_s: float) -> Iterator[tuple[str, Callable[[], None]]]:
    """The revision of the backup, and what puts it into the store.

    The file stays as it is: a copy beside the store is looked through and brought forward.
    """
    store = _store_file(parsed_url(url))
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=".restore-", dir=store.parent)
    except OSError as error:
        raise ConfigError(
            f"The folder of the store {store} cannot be written ({error.strerror}): "
            "set GOLDLOOP_STORE_URL to a place that can be."
        ) from error
    with folder:
        staged = Path(folder.name) / "store.db"
        revision = _staged(file, staged, store, wait_s)

        def put_back() -> None:
            with (
                _faults(str(store)),
                closing(sqlite3.connect(staged)) as source,
                closing(sqlite3.connect(store, timeout=wait_s)) as target,
            ):
                _copy(source, target, str(store), wait_s)

        yield revision, put_back


def _staged(file: Path, staged: Path, store: Path, wait_s: float) -> str:
    with closing(sqlite3.connect(staged, isolation_level=None)) as copy:
        try:
            with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as source:
                _copy(source, copy, str(file), wait_s)
            sound = copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
            revision = _revision(copy)
        except sqlite3.Error as error:
            raise InputError(f"{file} cannot be read as an SQLite file: name another backup.") from error
        if not sound:
            raise InputError(f"{file} is damaged: name another backup.")
        if not revision:
            raise InputError(f"{file} is not a backup of a goldloop store: name one that `goldloop backup` made.")
        refuse_unknown({revision}, f"The backup {file}")
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.execute("DELETE FROM locks")
        _take_page_size(copy, store)
    database = Database(URL.create("sqlite", database=str(staged)).render_as_string(), wait_s=wait_s)
    try:
        migrate(database)
    finally:
        database.close()
    return revision


def _take_page_size(copy: sqlite3.Connection, store: Path) -> None:
    """A store with a write-ahead log takes only pages of its own size."""
    if store.is_file():
        with _faults(str(store)), closing(sqlite3.connect(store)) as target:
            (wanted,) = target.execute("PRAGMA page_size").fetchone()
        if copy.execute("PRAGMA page_size").fetchone() != (wanted,):
            copy.execute(f"PRAGMA page_size = {int(wanted)}")
            copy.execute("VACUUM")


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, place: str, wait_s: float) -> None:
    give_up = time.monotonic() + wait_s

    def look(status: int, _remaining: int, _total: int) -> None:
        if status in _BUSY and time.monotonic() > give_up:
            raise RetryableError("the store", f"The store {place} is busy with another run's write: try again later.")

    source.backup(target, progress=look)


def _revision(connection: sqlite3.Connection) -> str | None:
    named = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (VERSION_TABLE,))
    if named.fetchone() is None:
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - a constant's name
    return None if row is None else str(row[0])


def _store_file(url: URL) -> Path:
    database = url.database or ""
    return Path(unquote(urlsplit(database).path) if database.startswith("file:") else database)


@contextmanager
def _faults(place: str) -> Iterator[None]:
    with translated(place):
        try:
            yield
        except sqlite3.Error as error:
            raise OperationalError(None, None, error) from error
