"""What a new version of a codebook does to what is there: which traces it takes over, which answers it sets aside."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, exists, func, or_, select, tuple_, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, batches, note_due
from goldloop.codebook.lineage import Since
from goldloop.records import State


def _set_aside(connection: Connection, queue: str, since: Since) -> bool:
    """Quarantine answers to questions that mean something else in `since`; whether there were any."""
    answers = tables.answers.c
    kinds = connection.execute(
        select(answers.question, answers.codebook_version)
        .where(answers.queue == queue, answers.quarantined.is_(False))
        .distinct()
    ).all()
    gone = [(question, version) for question, version in kinds if since.get(question) != version]
    if gone:
        these = and_(answers.queue == queue, tuple_(answers.question, answers.codebook_version).in_(gone))
        connection.execute(update(tables.answers).where(these).values(quarantined=True))
    return bool(gone)


def _resolve_all(connection: Connection, queue: str) -> None:
    draws, annotations = tables.draws.c, tables.annotations.c
    annotated = exists().where(annotations.queue == draws.queue, annotations.trace_id == draws.trace_id)
    connection.execute(update(tables.draws).where(draws.queue == queue, annotated).values(resolve_due=True))


def _take_over(connection: Connection, queue: str, version: str) -> None:
    """Draws that no task is made of yet. One whose import began and was never confirmed may be a task already."""
    draws, tasks = tables.draws.c, tables.tasks.c
    had_task = exists().where(tasks.queue == draws.queue, tasks.trace_id == draws.trace_id)
    drawn = State.DRAWN.value
    waiting = or_(draws.state == drawn, and_(draws.state == "parked", draws.state_before_parked == drawn))
    connection.execute(
        update(tables.draws)
        .where(
            draws.queue == queue,
            draws.codebook_version != version,
            waiting,
            or_(draws.import_begun_at.is_(None), had_task),
        )
        .values(codebook_version=version)
    )


class Versions(StorePart):
    def publish_codebook(self, queue: str, version: str, since: Since, at: datetime, *, resolve_all: bool) -> None:
        codebooks = tables.codebooks.c
        with self._db.write() as connection:
            connection.execute(
                update(tables.codebooks)
                .where(codebooks.queue == queue, codebooks.version == version)
                .values(published_at=func.coalesce(codebooks.published_at, at), lineage=dict(since))
            )
            _take_over(connection, queue, version)
            if _set_aside(connection, queue, since) or resolve_all:
                _resolve_all(connection, queue)

    def take_over(self, queue: str, version: str, since: Since) -> None:
        with self._db.write() as connection:
            _take_over(connection, queue, version)
            # A store from before there was a lineage holds answers by several versions, and none was set aside.
            if _set_aside(connection, queue, since):
                _resolve_all(connection, queue)

    def quarantined(self, queue: str) -> dict[str, list[str]]:
        answers = tables.answers.c
        query = (
            select(answers.trace_id, answers.question)
            .where(answers.queue == queue, answers.quarantined.is_(True))
            .order_by(answers.trace_id, answers.question)
        )
        found: dict[str, list[str]] = {}
        with self._db.read() as connection:
            for trace_id, question in connection.execute(query):
                found.setdefault(trace_id, []).append(question)
        return found

    def relabel(self, queue: str, trace_ids: Sequence[str], version: str) -> None:
        draws = tables.draws.c
        with self._db.write() as connection:
            for batch in batches(trace_ids):
                connection.execute(
                    update(tables.draws)
                    .where(draws.queue == queue, draws.trace_id.in_(batch), draws.state != State.PARKED.value)
                    .values(codebook_version=version, state=State.DRAWN.value)
                )
            note_due(connection, [(queue, trace_id) for trace_id in trace_ids])
