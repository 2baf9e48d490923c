"""What became of the traces that each policy drew."""

from sqlalchemy import and_, exists, func, select

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart
from goldloop.quality.yields import PolicyCount
from goldloop.records import State

_ANSWERED = (State.RESOLVED.value, State.PUBLISHED.value)


class Yields(StorePart):
    def policy_counts(self, queue: str) -> list[PolicyCount]:
        draws, answers = tables.draws.c, tables.answers.c
        of_trace = and_(
            answers.queue == draws.queue, answers.trace_id == draws.trace_id, answers.quarantined.is_(False)
        )
        # Until a trace is resolved again its verdict may be quarantined, and another answer stand alone.
        settled = draws.resolve_due.is_(False)
        answered = draws.state.in_(_ANSWERED) & settled & exists().where(of_trace)
        failed = answered & exists().where(of_trace, answers.failure.is_(True))
        query = (
            select(
                draws.policy,
                func.count().label("drawn"),
                func.count().filter(answered).label("answered"),
                func.count().filter(failed).label("failures"),
            )
            .where(draws.queue == queue)
            .group_by(draws.policy)
            .order_by(draws.policy)
        )
        with self._db.read() as connection:
            return [PolicyCount.model_validate(dict(row)) for row in connection.execute(query).mappings()]
