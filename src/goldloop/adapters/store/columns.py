"""What the tables' columns hold, the same on SQLite and PostgreSQL."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Text, TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC in and out, to the microsecond. SQLite keeps text without a zone, which sorts as times do."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """SQLite's text is made here, in one step: every row has a time or two, and there are very many rows."""
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - by name
        return None if value is None else _utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


def _utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("a time without a zone is ambiguous: give it one")
    return value.astimezone(UTC)


@lru_cache(maxsize=1024)  # the rows that are written together have a time in common
def _sqlite_text(value: datetime | None) -> str | None:
    return None if value is None else _utc(value).isoformat(" ", "microseconds").removesuffix("+00:00")


class FreeText(TypeDecorator[str]):
    """Words of people and servers: what no database takes (NUL, halves of surrogate pairs) is left out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - same on both
        return None if value is None else value.replace("\0", "").encode(errors="ignore").decode()


# Ids compare by code point on both databases: an order that a draw depends on must not change with a locale.
Key = Text().with_variant(Text(collation="C"), "postgresql")
Json = JSON(none_as_null=True)
