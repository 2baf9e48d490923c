"""Backups: the whole store in one file, and the way back.

A backup is an SQLite file or a dump of PostgreSQL in its custom format, by what the store is. It holds no locks: those
are of runs that are long over when it is put back.
"""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import exists, select

from goldloop.adapters.store import SqlStore, postgres_backup, sqlite_backup
from goldloop.adapters.store.engine import Database, parsed_url, place
from goldloop.adapters.store.locks import EVERYTHING
from goldloop.adapters.store.migrate import migrate
from goldloop.adapters.store.tables import METADATA, locks
from goldloop.errors import ConfigError, InputError
from goldloop.records import Record

__all__ = ["Backup", "Restored", "back_up", "restore"]

_TERM = timedelta(minutes=15)
"""How long a restore that died stands in the way; renewed by one that lasts longer."""


class Backup(Record):
    """What was written: the file, of so many bytes, with a store of that revision."""

    store: str
    file: str
    bytes: int
    revision: str


class Restored(Record):
    """What was put back: `revision` is the file's own; the store has the newest now."""

    store: str
    file: str
    revision: str


def back_up(url: str, file: Path, *, force: bool = False, wait_s: float = 30.0) -> Backup:
    """Copy the store as it stands at one moment, while others may read and write it.

    The file takes its name once it is whole, and only its owner may read it. `InputError` where it exists, unless
    `force`; `ConfigError` where there is no store, a newer goldloop's, or PostgreSQL's programs are missing.
    """
    parsed = parsed_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    if is_sqlite and sqlite_backup.is_store_file(parsed, file):
        raise InputError(f"{file} is the store itself: name another file for its backup.")
    with _made_beside(file, force=force) as unfinished:
        dump = sqlite_backup.dump if is_sqlite else postgres_backup.dump
        revision = dump(url, unfinished, wait_s)
    return Backup(store=place(parsed), file=str(file), bytes=file.stat().st_size, revision=revision)


def restore(url: str, file: Path, *, force: bool = False, wait_s: float = 30.0) -> Restored:
    """Put a backup in the store's place, at once for whoever reads it, and bring it forward to this code's tables.

    `InputError` for a file that is no backup, one of the other database or of a newer goldloop; `LockedError` while a
    run holds any lock; `ConfigError` where the store is not empty, unless `force`. After an error the store is as it
    was.
    """
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "sqlite" and sqlite_backup.is_store_file(parsed, file):
        raise InputError(f"{file} is the store itself: name a backup of it.")
    with (
        _readied(url, file, wait_s) as (revision, put_back),
        _database(url, wait_s) as database,
    ):
        migrate(database)
        with SqlStore(database).lock(EVERYTHING, f"restore {secrets.token_hex(4)}", _TERM):
            if not force and _holds_something(database):
                raise ConfigError(
                    f"The store {database.place} is not empty: put the backup in its place by --force, or set "
                    "GOLDLOOP_STORE_URL to another one."
                )
            put_back()
            migrate(database)
    return Restored(store=place(parsed), file=str(file), revision=revision)


def _readied(url: str, file: Path, wait_s: float) -> AbstractContextManager[tuple[str, Callable[[], None]]]:
    """The file's revision, and what puts it into the store."""
    ready = {"sqlite": sqlite_backup.ready, "postgresql": postgres_backup.ready}
    headers = {"sqlite": sqlite_backup.HEADER, "postgresql": postgres_backup.HEADER}
    try:
        with file.open("rb") as opened:
            head = opened.read(max(map(len, headers.values())))
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}): name a backup of a store.") from error
    found = next((kind for kind, header in headers.items() if head.startswith(header)), None)
    kind = parsed_url(url).get_backend_name()
    if found is None:
        raise InputError(f"{file} is not a backup of a goldloop store: name one that `goldloop backup` made.")
    if found != kind:
        names = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
        raise InputError(
            f"{file} is a backup of a store in {names[found]}, and this one is in {names[kind]}: set "
            f"GOLDLOOP_STORE_URL to one in {names[found]}."
        )
    return ready[kind](url, file, wait_s)


@contextmanager
def _database(url: str, wait_s: float) -> Iterator[Database]:
    database = Database(url, wait_s=wait_s)
    try:
        yield database
    finally:
        database.close()


def _holds_something(database: Database) -> bool:
    tables = [table for table in METADATA.sorted_tables if table is not locks]
    with database.read() as connection:
        return any(connection.execute(select(exists(select(table)))).scalar() for table in tables)


@contextmanager
def _made_beside(file: Path, *, force: bool) -> Iterator[Path]:
    """A file to write into that takes the name of `file` at the end, and is gone after an error."""
    _refuse_existing(file, force=force)
    try:
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".part", dir=file.parent)
        os.close(number)
    except OSError as error:
        raise InputError(
            f"{file} cannot be written ({error.strerror}): name a file in a folder that exists and can be written."
        ) from error
    unfinished = Path(name)
    try:
        yield unfinished
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        _refuse_existing(file, force=force)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _refuse_existing(file: Path, *, force: bool) -> None:
    if file.is_dir():
        raise InputError(f"{file} is a folder: name a file in it.")
    if file.exists() and not force:
        raise InputError(f"{file} exists: name another file, or overwrite it by --force.")
