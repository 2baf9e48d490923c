"""What becomes of a database's errors: goldloop's own, by what to do about them.

Messages name the database and never quote a statement's values.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from goldloop.errors import ConfigError, FatalError, GoldloopError, RejectedError, RetryableError

SERVER = "the store"

# https://www.sqlite.org/rescode.html, primary result codes
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_SQLITE_SETTINGS = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOTADB}
_PRIMARY = 0xFF

# https://www.postgresql.org/docs/current/errcodes-appendix.html: classes and single codes
_POSTGRES_BUSY = {"55P03", "40001", "40P01", "57014"}
_POSTGRES_FULL = "53100"
_POSTGRES_GONE = ("08", "53", "57P")
_POSTGRES_SETTINGS = ("28", "3D000", "3F000", "42501", "25006")
# A connection that fails has no code, only the server's words.
_POSTGRES_REFUSALS = ("authentication failed", "no password", "does not exist", "pg_hba.conf", "not permitted")


def _sqlite_code(error: SQLAlchemyError) -> int | None:
    cause = error.orig if isinstance(error, DBAPIError) else None
    if not isinstance(cause, sqlite3.Error):
        return None
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY


def is_busy(error: SQLAlchemyError) -> bool:
    return _sqlite_code(error) in _SQLITE_BUSY


def _busy(place: str) -> GoldloopError:
    return RetryableError(SERVER, f"The store {place} is busy with another run's write: try again later.")


def _readonly_or_wrong(place: str) -> GoldloopError:
    return ConfigError(
        f"The store {place} cannot be opened for reading and writing: check the store's URL and the rights on it."
    )


def _full(place: str) -> GoldloopError:
    return FatalError(SERVER, f"The disk under the store {place} is full: free some space, then run again.")


def _of_sqlite(code: int, place: str) -> GoldloopError:
    if code in _SQLITE_BUSY:
        return _busy(place)
    if code in _SQLITE_SETTINGS:
        return _readonly_or_wrong(place)
    if code == sqlite3.SQLITE_FULL:
        return _full(place)
    if code == sqlite3.SQLITE_CORRUPT:
        return FatalError(SERVER, f"The store {place} is damaged: put back a backup of it.")
    return FatalError(SERVER, f"The store {place} failed with SQLite's code {code}: check the file and its disk.")


def _of_postgres(code: str | None, words: str, place: str) -> GoldloopError:
    if code in _POSTGRES_BUSY:
        return _busy(place)
    if code == _POSTGRES_FULL:
        return _full(place)
    refused = code is None and any(refusal in words for refusal in _POSTGRES_REFUSALS)
    if refused or (code or "").startswith(_POSTGRES_SETTINGS):
        return _readonly_or_wrong(place)
    if code is None or code.startswith(_POSTGRES_GONE):
        return RetryableError(
            SERVER, f"The store {place} cannot be reached: check that PostgreSQL runs there, or try again later."
        )
    return FatalError(SERVER, f"The store {place} failed with PostgreSQL's code {code}: look into the server's log.")


def _translation(error: SQLAlchemyError | UnicodeEncodeError, place: str) -> GoldloopError:
    if isinstance(error, IntegrityError | DataError | UnicodeEncodeError):
        return RejectedError(
            SERVER,
            f"The store {place} cannot hold this record: it has a character or a reference that does not exist there.",
            reason="refused by the store",
        )
    if isinstance(error, PoolTimeoutError):
        return _busy(place)
    code = _sqlite_code(error)
    if code is not None:
        return _of_sqlite(code, place)
    if isinstance(error, DBAPIError) and error.orig is not None:
        return _of_postgres(getattr(error.orig, "sqlstate", None), str(error.orig), place)
    return FatalError(SERVER, f"The store {place} failed with {type(error).__name__}: report it as a bug.")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Errors of the database come out as goldloop's; the original stays behind as their cause."""
    try:
        yield
    except (SQLAlchemyError, UnicodeEncodeError) as error:
        raise _translation(error, place) from error
