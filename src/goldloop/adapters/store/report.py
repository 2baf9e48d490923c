"""The numbers that the report shows."""

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, exists, func, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart
from goldloop.ports import QueueCounts
from goldloop.records import State

NO_REASON = "no reason given"


def _by(connection: Connection, column: ColumnElement[str], *where: ColumnElement[bool]) -> dict[str, int]:
    query = select(column, func.count()).where(*where).group_by(column).order_by(column)
    return dict(connection.execute(query).tuples().all())


def _count(connection: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(*where)).scalar_one()


class Report(StorePart):
    def counts(self, queue: str, today: datetime | None = None) -> QueueCounts:
        """Deleted annotations count nowhere, skipped ones as skips; eval rows are those that stand.

        `oldest_open` is when the longest waiting task, of those whose answer is not resolved yet, was queued.
        `predictions` are drawn traces that a judge has read in the version that they are asked by, each once however
        many judges have; what else judges read of the history was never drawn.
        """
        draws, scores, eval_rows = tables.draws.c, tables.scores.c, tables.eval_rows.c
        parked, annotations = tables.parked.c, tables.annotations.c
        mine = draws.queue == queue
        is_open = draws.state.in_([State.QUEUED.value, State.ANNOTATED.value])
        kept = (annotations.queue == queue) & annotations.deleted.is_(False)
        reason = func.coalesce(annotations.skip_reason, NO_REASON)
        answers = tables.answers.c
        aside = (answers.queue == queue) & answers.quarantined.is_(True)
        predictions = tables.predictions.c
        judged = exists().where(
            predictions.queue == draws.queue,
            predictions.trace_id == draws.trace_id,
            predictions.codebook_version == draws.codebook_version,
        )
        with self._db.read() as connection:
            policies = connection.execute(select(draws.policy).where(mine).distinct().order_by(draws.policy)).scalars()
            return QueueCounts(
                queue=queue,
                by_state=_by(connection, draws.state, mine),
                by_policy={
                    policy: _by(connection, draws.state, mine, draws.policy == policy) for policy in policies.all()
                },
                parked_by_reason=_by(connection, parked.reason, parked.queue == queue, parked.cleared.is_(False)),
                scores_by_state=_by(connection, scores.state, scores.queue == queue),
                eval_rows=_count(connection, tables.eval_rows, eval_rows.queue == queue, eval_rows.state == "done"),
                eval_rows_waiting=_count(
                    connection,
                    tables.eval_rows,
                    eval_rows.queue == queue,
                    eval_rows.state.in_(["due", "remove_due"]),
                ),
                oldest_open=connection.execute(select(func.min(draws.queued_at)).where(mine, is_open)).scalar(),
                annotations=_count(connection, tables.annotations, kept, annotations.skipped.is_(False)),
                skips=_count(connection, tables.annotations, kept, annotations.skipped.is_(True)),
                predictions=_count(connection, tables.draws, mine, judged),
                skips_by_reason=_by(connection, reason, kept, annotations.skipped.is_(True)),
                quarantined=_by(connection, answers.question, aside),
                annotated_today={}
                if today is None
                else _by(connection, annotations.annotator, kept, annotations.created_at >= today),
            )
