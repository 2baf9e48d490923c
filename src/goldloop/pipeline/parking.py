"""Keeping one record aside, visibly, so that the rest can go on; and trying it again."""

from collections.abc import Sequence
from datetime import UTC, datetime

from goldloop import ids
from goldloop.errors import RejectedError
from goldloop.ports import Store
from goldloop.records import Parked

NO_QUEUE = "-"
"""Stands for the queue where a row is parked before any queue could draw it."""

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def park(
    store: Store, verb: str, subject: str, error: RejectedError, now: datetime, *, queue: str, trace_id: str | None
) -> None:
    """Park `subject` ("trace:...", "annotation:...", "score:...", "eval-row:...") for the error's reason."""
    store.park(
        Parked(
            parked_id=ids.parked_id(verb, f"{queue}|{subject}"),
            verb=verb,
            subject=subject,
            queue=queue,
            trace_id=trace_id,
            reason=error.reason,
            detail=str(error),
            parked_at=now,
        )
    )


def retry(store: Store, rows: Sequence[Parked]) -> int:
    """Let the next run try these again. What a poll had passed by is polled for from the beginning, once."""
    for row in rows:
        if row.verb == "gather":
            project = row.subject.partition(":")[2].partition("/")[0]
            store.set_watermark(f"tasks:{project}", _BEGINNING)
        elif row.verb == "pull":
            store.set_watermark(row.subject.partition(":")[0], _BEGINNING)
    return store.unpark([row.parked_id for row in rows])
