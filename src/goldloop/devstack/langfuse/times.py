"""Times as the API has them: milliseconds since 1970 inside, ISO 8601 with a Z outside."""

import math
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Whole milliseconds, later digits cut off as the server's own dates do."""
    return (moment - _EPOCH) // _MILLISECOND


def bound_ms(moment: datetime) -> int:
    """The first whole millisecond at or after `moment`: for bounds, where cutting off would admit too much."""
    return math.ceil((moment - _EPOCH) / _MILLISECOND)


def iso(ms: int) -> str:
    """Such as "2026-11-21T07:06:53.728Z"."""
    moment = _EPOCH + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse(text: str) -> datetime:
    """An aware time from ISO 8601.

    Raises:
        ValueError: not ISO 8601, or without an offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("The time has no offset.")
    return moment.astimezone(UTC)
