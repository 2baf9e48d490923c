"""What was parked, and how it goes back."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection, Table, and_, case, exists, func, or_, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.rows import StorePart, batches, found, record_of
from goldloop.records import Parked

_DETAIL_LENGTH = 500

# What turns to `parked` with its subject. An annotation has no state to turn: its trace goes on without it.
_HOLDERS: dict[str, tuple[Table, Column[str]]] = {
    "trace": (tables.draws, tables.draws.c.trace_id),
    "score": (tables.scores, tables.scores.c.score_id),
    "eval-row": (tables.eval_rows, tables.eval_rows.c.row_id),
}

# To be tried again means to be due, also for a row that was sent and never seen to arrive.
_RETRIED = {
    "sent": "due",
    "confirmed": "due",
    "deleted": "delete_due",
    "done": "due",
    "removed": "remove_due",
}


def _turn(connection: Connection, subject: str, queue: str) -> None:
    kind, _, name = subject.partition(":")
    if kind not in _HOLDERS:
        return
    table, column = _HOLDERS[kind]
    this = (table.c.queue == queue) & (column == name) & (table.c.state != "parked")
    connection.execute(update(table).where(this).values(state_before_parked=table.c.state, state="parked"))


def _turn_back(connection: Connection, subject: str, queue: str) -> None:
    kind, _, name = subject.partition(":")
    if kind not in _HOLDERS:
        return
    table, column = _HOLDERS[kind]
    before = table.c.state_before_parked
    # Another verb may have parked the same thing: it goes back when nothing holds it any more.
    parked = tables.parked.c
    held = exists().where(parked.subject == subject, parked.queue == queue, parked.cleared.is_(False))
    this = (table.c.queue == queue) & (column == name) & (table.c.state == "parked") & ~held
    connection.execute(
        update(table).where(this).values(state=case(_RETRIED, value=before, else_=before), state_before_parked=None)
    )


def keep_aside(database: Database, connection: Connection, parked: Parked) -> None:
    """`attempts` counts on from the last time that the same verb parked the same thing."""
    known = found(connection, tables.parked, "parked_id", [parked.parked_id]).get(parked.parked_id)
    row = {**dict(parked), "detail": parked.detail[:_DETAIL_LENGTH], "cleared": False}
    if known is not None:
        row["attempts"] = known["attempts"] + 1
    database.upsert(connection, tables.parked, [row])
    _turn(connection, parked.subject, parked.queue)


def work_out_kept(connection: Connection, queue: str) -> None:
    """By run and policy: of the draws that there was room for, the share that did not have to be set aside later.

    A run that was rebuilt has those draws alone that were tasks: what it had lost before that stands with it.
    """
    frames = select(tables.draw_runs.c.run_id, tables.draw_runs.c.frame).where(tables.draw_runs.c.queue == queue)
    before = {run_id: (frame or {}).get("kept", {}) for run_id, frame in connection.execute(frames).all()}
    draws, parked = tables.draws.c, tables.parked.c
    late = parked.parked_at > draws.drawn_at
    aside = and_(
        parked.queue == draws.queue,
        parked.trace_id == draws.trace_id,
        parked.subject == "trace:" + draws.trace_id,  # not its second look
        parked.verb == "draw",
        parked.cleared.is_(False),
    )
    query = (
        select(
            draws.run_id,
            draws.policy,
            func.count().filter(or_(parked.parked_id.is_(None), late)),
            func.count().filter(late),
        )
        .join_from(tables.draws, tables.parked, aside, isouter=True)
        .where(draws.queue == queue)
        .group_by(draws.run_id, draws.policy)
    )
    for run_id, policy, number, gone in connection.execute(query).all():
        kept = (1 - gone / number if number else 1.0) * before[run_id].get(policy, 1.0)
        these = and_(draws.run_id == run_id, draws.policy == policy, draws.kept != kept)
        connection.execute(update(tables.draws).where(these).values(kept=kept))


class Aside(StorePart):
    def park(self, parked: Parked) -> None:
        with self._db.write() as connection:
            keep_aside(self._db, connection, parked)

    def unpark(self, parked_ids: Sequence[str]) -> int:
        parked = tables.parked.c
        with self._db.write() as connection:
            rows = [
                row for row in found(connection, tables.parked, "parked_id", parked_ids).values() if not row["cleared"]
            ]
            for batch in batches([row["parked_id"] for row in rows]):
                connection.execute(update(tables.parked).where(parked.parked_id.in_(batch)).values(cleared=True))
            for row in rows:
                _turn_back(connection, row["subject"], row["queue"])
            for queue in sorted({row["queue"] for row in rows if row["verb"] == "draw"}):
                work_out_kept(connection, queue)
        return len(rows)

    def parked(self, queue: str | None = None) -> list[Parked]:
        """Oldest first."""
        parked = tables.parked.c
        query = select(tables.parked).where(parked.cleared.is_(False)).order_by(parked.parked_at, parked.parked_id)
        if queue is not None:
            query = query.where(parked.queue == queue)
        with self._db.read() as connection:
            return [record_of(Parked, row) for row in connection.execute(query).mappings()]
