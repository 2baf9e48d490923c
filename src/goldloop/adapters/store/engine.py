"""Opening the database: SQLite or PostgreSQL, one writer at a time on both.

A transaction that writes begins with the right to write: `BEGIN IMMEDIATE` in SQLite, an advisory lock in PostgreSQL.
So read-modify-write needs no further locks, and two processes cannot deadlock; transactions are short.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.pool import QueuePool

from goldloop.adapters.store.faults import is_busy, translated
from goldloop.errors import ConfigError

Insert = sqlite.Insert | postgresql.Insert
_Bind = Callable[[Any], Any]

BEGIN = "goldloop_begin"
WRITER_LOCK = 0x676F6C64  # "gold": the advisory lock's number, the same in every version
_OVERFLOW = 30
"""Connections to PostgreSQL beyond five, while many threads wait to write: whoever reads must not wait with them."""
_DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parsed_url(url: str) -> URL:
    """`ConfigError` where it is none that a store can have."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text is left out of the message: it may hold a password.
        raise ConfigError(
            "The store's URL cannot be read: write sqlite:///path/to/file.db or postgresql://user:password@host/database."
        ) from None
    if parsed.drivername not in _DRIVERS:
        raise ConfigError(f"The store cannot use {parsed.drivername}: its URL must start with sqlite or postgresql.")
    parsed = parsed.set(drivername=_DRIVERS[parsed.drivername])
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError("The store must outlive the process: name a file, as in sqlite:///path/to/file.db.")
    return parsed


def place(url: URL) -> str:
    """The database as messages name it, without user and password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return f"{url.database or url.username} on {url.host or 'the local socket'}"


def _sqlite_engine(url: URL, wait_s: float) -> Engine:
    if url.database and not url.database.startswith("file:"):
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"The folder of the store {url.database} cannot be made ({error.strerror}): "
                "set the store's URL to a place that can be written."
            ) from error
    # A connection more is a file opened once more. Short of them, threads that wait to write would keep others from
    # reading.
    engine = create_engine(
        url, hide_parameters=True, poolclass=QueuePool, max_overflow=-1, connect_args={"timeout": wait_s}
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        # Transactions are begun by `begin` below: the driver would begin them deferred, and late.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(BEGIN, "BEGIN"))

    return engine


def _postgres_engine(url: URL, wait_s: float) -> Engine:
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            max_overflow=_OVERFLOW,
            connect_args={"connect_timeout": 10},
        )
    except ImportError:
        raise ConfigError("PostgreSQL needs its driver: install goldloop with the extra `postgres`.") from None

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: Any) -> None:
        connection.execute(f"SET lock_timeout = {round(wait_s * 1000)}")
        connection.commit()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if BEGIN in connection.get_execution_options():
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")

    return engine


class Database:
    """One engine, its two kinds of transaction, and the one statement that the dialects spell differently."""

    def __init__(self, url: str, *, wait_s: float) -> None:
        parsed = parsed_url(url)
        self.place = place(parsed)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._engine = (_sqlite_engine if self.is_sqlite else _postgres_engine)(parsed, wait_s)
        self._writing = self._engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"})
        if self.is_sqlite:
            self._use_write_ahead_log(wait_s)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with translated(self.place), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The one writer; another one waits up to `wait_s`, then raises `RetryableError`."""
        with translated(self.place), self._writing.begin() as connection:
            yield connection

    def insert(self, table: Table) -> Insert:
        """An insert that knows `on_conflict_do_update`, spelled alike by both."""
        return _insert(self.is_sqlite, table)

    def upsert(self, connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        """Insert the rows or replace what they name, by primary key; all rows have the same columns."""
        if rows:
            self.execute_many(connection, _upsert(self.is_sqlite, table, tuple(rows[0])), rows)

    def execute_many(self, connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
        """The statement once a row; all rows have the same columns, and its own values are in its text."""
        if self.is_sqlite:
            text, columns = _compiled(statement, tuple(rows[0]))
            bound = [list(map(itemgetter(name), rows)) for name, _ in columns]
            for place, (_, bind) in enumerate(columns):
                if bind is not None:
                    bound[place] = list(map(bind, bound[place]))
            connection.exec_driver_sql(text, list(zip(*bound, strict=True)))
        else:
            connection.execute(statement, rows)

    def close(self) -> None:
        self._engine.dispose()

    def _use_write_ahead_log(self, wait_s: float) -> None:
        """Readers then never wait for the writer. The file remembers it; two openers at once may collide."""
        give_up = time.monotonic() + wait_s
        with translated(self.place), self._engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            while True:
                try:
                    raw.execute("PRAGMA journal_mode = WAL")
                except Exception as error:
                    fault = OperationalError(None, None, error)
                    if not is_busy(fault) or time.monotonic() > give_up:
                        raise fault from error
                    time.sleep(0.05)
                else:
                    return


@lru_cache(maxsize=256)
def _compiled(statement: Insert, columns: tuple[str, ...]) -> tuple[str, list[tuple[str, _Bind | None]]]:
    """SQLite's text, and for each of its places the column and how that is bound."""
    dialect = sqlite.dialect()
    compiled = statement.compile(dialect=dialect, column_keys=columns)
    types = {column.name: column.type.dialect_impl(dialect) for column in statement.table.c}
    return str(compiled), [(name, types[name].bind_processor(dialect)) for name in compiled.positiontup or ()]


@cache
def _insert(is_sqlite: bool, table: Table) -> Insert:
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)


@lru_cache(maxsize=256)
def _upsert(is_sqlite: bool, table: Table, columns: tuple[str, ...]) -> Insert:
    """Built once: that takes longer than to run it for a single row."""
    statement = _insert(is_sqlite, table)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)
