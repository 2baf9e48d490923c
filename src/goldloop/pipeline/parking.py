"""Keeping one record aside, visibly, so that the rest can go on; and trying it again."""

from collections.abc import Collection, Sequence
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
) -> Parked:
    """Park `subject` ("trace:...", "annotation:...", "score:...", "eval-row:...") for the error's reason."""
    row = parked_row(verb, subject, error.reason, str(error), now, queue=queue, trace_id=trace_id)
    store.park(row)
    return row


def parked_row(
    verb: str, subject: str, reason: str, detail: str, now: datetime, *, queue: str, trace_id: str | None
) -> Parked:
    """What is to be parked, with the id that it has whenever this verb parks it."""
    return Parked(
        parked_id=ids.parked_id(verb, f"{queue}|{subject}"),
        verb=verb,
        subject=subject,
        queue=queue,
        trace_id=trace_id,
        reason=reason,
        detail=detail,
        parked_at=now,
    )


def park_deleted_tasks(store: Store, project_id: int, task_ids: Collection[int], now: datetime) -> None:
    """These tasks are gone from Label Studio: their annotations count as deleted, and their traces are parked.

    Tried again, such a trace counts as drawn, and gets a new task. One that is asked by a later version since has its
    task in another project, or waits for one: it goes on. So does one that was to be judged a second time.
    """
    for task_id in sorted(task_ids):
        task = store.task(project_id, task_id)
        if task is None or _is_second(store, task.queue, project_id):
            continue
        if store.draw(task.queue, task.trace_id).codebook_version == task.codebook_version:
            error = RejectedError("Label Studio", "its task was deleted in Label Studio", reason="task_deleted")
            park(store, "gather", f"trace:{task.trace_id}", error, now, queue=task.queue, trace_id=task.trace_id)
    # Last: a run that is killed before this finds the same tasks missing again.
    if task_ids:
        free_gone(store, project_id, task_ids)
        store.mark_tasks_deleted(project_id, sorted(task_ids), now)


def free_gone(store: Store, project_id: int, task_ids: Collection[int] | None = None) -> None:
    """What gather parked of tasks that are gone is nothing to look at any more; without ids, of the whole project."""
    gone = None if task_ids is None else {str(task_id) for task_id in task_ids}
    rows = [row for row in store.parked() if row.verb == "gather" and is_of_tasks(row.subject, project_id, gone)]
    if rows:
        store.unpark([row.parked_id for row in rows])


def is_of_tasks(subject: str, project_id: int, task_ids: Collection[str] | None) -> bool:
    """Whether what is parked is one of these tasks of the project (None: any), or an annotation of one."""
    kind, _, place = subject.partition(":")
    project, _, rest = place.partition("/")
    ours = kind in {"task", "annotation"} and project == str(project_id)
    return ours and (task_ids is None or rest.partition("/")[0] in task_ids)


def _is_second(store: Store, queue: str, project_id: int) -> bool:
    return any(one.project_id == project_id and one.purpose == "relabel" for one in store.projects(queue))


def task_stream(project_id: int | str) -> str:
    """The name of the watermark up to which a project's tasks were polled."""
    return f"tasks:{project_id}"


def polled_stream(project_id: int | str) -> str:
    """The name under which the server's own time of a project's last poll is kept."""
    return f"polled:{project_id}"


def poll_from_the_beginning(store: Store, project_id: int | str) -> None:
    """Have the next gather read all tasks of the project, once: also those that it had passed by."""
    store.set_watermark(task_stream(project_id), _BEGINNING)


def retry(store: Store, rows: Sequence[Parked]) -> int:
    """Let the next run try these again. What a poll had passed by is polled for from the beginning, once."""
    for row in rows:
        kind, _, rest = row.subject.partition(":")
        if row.verb == "gather" and kind in {"task", "annotation"}:
            poll_from_the_beginning(store, rest.partition("/")[0])
        elif row.verb == "pull":
            store.set_watermark(kind, _BEGINNING)
    return store.unpark([row.parked_id for row in rows])
