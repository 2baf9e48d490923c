"""What a database's error means for the caller."""

import sqlite3

import pytest
from sqlalchemy.exc import OperationalError

from goldloop.adapters.store.faults import translated
from goldloop.errors import ConfigError, FatalError, GoldloopError, RetryableError


class PostgresError(Exception):
    """As psycopg's: with a code, https://www.postgresql.org/docs/current/errcodes-appendix.html."""

    def __init__(self, sqlstate: str | None, words: str = "") -> None:
        super().__init__(words)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("cause", "kind", "words"),
    [
        (PostgresError("53100"), FatalError, "disk under the store here is full: free some space"),
        (PostgresError("53300"), RetryableError, "cannot be reached"),
        (PostgresError("57P01"), RetryableError, "cannot be reached"),
        (PostgresError("40001"), RetryableError, "busy"),
        (PostgresError("25006"), ConfigError, "reading and writing"),
        (PostgresError(None, "password authentication failed"), ConfigError, "reading and writing"),
        (PostgresError("XX000"), FatalError, "PostgreSQL's code XX000"),
    ],
)
def test_postgres(cause: Exception, kind: type[GoldloopError], words: str) -> None:
    with pytest.raises(kind, match=words), translated("here"):
        raise OperationalError("SELECT 'a payload'", None, cause)


def test_sqlite_on_a_full_disk() -> None:
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorcode = sqlite3.SQLITE_FULL
    with pytest.raises(FatalError, match="disk under the store here is full") as raised, translated("here"):
        raise OperationalError("SELECT 'a payload'", None, cause)
    assert "payload" not in str(raised.value)
