"""The ledger of calls to models: what they said, what they cost, and what may still be spent.

Processes share it. A write has the database to itself, so what is left is counted and set aside in one go, and two
that ask at once can never together pass a limit.
"""

import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select, update

from goldloop.adapters.store import tables
from goldloop.adapters.store.rows import StorePart, batches, record_of
from goldloop.ports import Limits, Reserved
from goldloop.records import JudgeCall, Spent

_CALLS = tables.judge_calls.c
_TOTALS = tables.judge_totals.c
_SET_ASIDE = tables.judge_reservations.c
_FORGOTTEN = timedelta(hours=1)
_RUN, _DAY = "run", "day"
_KNOWN = ("answered", "refused")
_USD_DIGITS = 9
_SECONDS_DIGITS = 6


class CallLedger(StorePart):
    def known_calls(self, keys: Collection[str]) -> dict[str, JudgeCall]:
        """The newest of each key."""
        known: dict[str, JudgeCall] = {}
        with self._db.read() as connection:
            for batch in batches(sorted(set(keys))):
                query = select(tables.judge_calls).where(_CALLS.key.in_(batch), _CALLS.outcome.in_(_KNOWN))
                for row in connection.execute(query.order_by(_CALLS.at, _CALLS.id)).mappings():
                    known[row["key"]] = record_of(JudgeCall, row)
        return known

    def reserve(self, run: str, calls: int, usd_each: float, limits: Limits, at: datetime) -> Reserved:
        reserved = Reserved(str(uuid4()), 0)
        with self._db.write() as connection:
            connection.execute(delete(tables.judge_reservations).where(_SET_ASIDE.at <= at - _FORGOTTEN))
            granted = _granted(connection, run, calls, usd_each, limits, at)
            if granted > 0:
                row = {
                    "reservation": reserved.reservation,
                    "run": run,
                    "at": at,
                    "calls": granted,
                    "usd": granted * usd_each,
                }
                connection.execute(tables.judge_reservations.insert(), row)
                reserved = Reserved(reserved.reservation, granted)
        return reserved

    def settle(self, reservation: str, calls: Sequence[JudgeCall], *, done: bool = True) -> None:
        this = _SET_ASIDE.reservation == reservation
        with self._db.write() as connection:
            if calls:
                connection.execute(tables.judge_calls.insert(), [dict(call) for call in calls])
                self._add_up(connection, calls)
            held = connection.execute(select(tables.judge_reservations).where(this)).mappings().first()
            if held is None:
                return
            left = held["calls"] - len(calls)
            if done or left <= 0:
                connection.execute(delete(tables.judge_reservations).where(this))
            elif calls:
                # A batch that goes on is no dead one: its hour begins anew.
                alive = max(held["at"], *(call.at for call in calls))
                usd = held["usd"] * left / held["calls"]
                connection.execute(update(tables.judge_reservations).where(this).values(calls=left, usd=usd, at=alive))

    def _add_up(self, connection: Connection, calls: Sequence[JudgeCall]) -> None:
        totals: dict[tuple[str, str], tuple[int, float]] = {}
        for call in calls:
            for place in ((_RUN, call.run), (_DAY, _day(call.at))):
                number, usd = totals.get(place, (0, 0.0))
                totals[place] = number + 1, usd + (call.usd or 0.0)
        statement = self._db.insert(tables.judge_totals)
        old, new = _TOTALS, statement.excluded
        more = statement.on_conflict_do_update(
            index_elements=["period", "name"], set_={"calls": old.calls + new.calls, "usd": old.usd + new.usd}
        )
        rows = [
            {"period": period, "name": name, "calls": number, "usd": usd}
            for (period, name), (number, usd) in totals.items()
        ]
        connection.execute(more, rows)

    def spent(self, since: datetime, run: str | None = None) -> Spent:
        where = [_CALLS.at >= since] if run is None else [_CALLS.at >= since, _CALLS.run == run]
        query = select(
            func.count(),
            func.coalesce(func.sum(_CALLS.usd), 0.0),
            func.coalesce(func.sum(_CALLS.input_tokens), 0),
            func.coalesce(func.sum(_CALLS.output_tokens), 0),
            func.coalesce(func.sum(_CALLS.latency_s), 0.0),
        ).where(*where)
        with self._db.read() as connection:
            calls, usd, input_tokens, output_tokens, seconds = connection.execute(query).one()
        return Spent(
            calls=calls,
            usd=round(usd, _USD_DIGITS),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            seconds=round(seconds, _SECONDS_DIGITS),
        )


def _granted(connection: Connection, run: str, asked: int, usd_each: float, limits: Limits, at: datetime) -> int:
    """How many of the calls asked for all limits together leave; less than none where one is passed already."""
    room = asked
    for period, name, calls, usd in (
        (_RUN, run, limits.calls_per_run, limits.usd_per_run),
        (_DAY, _day(at), limits.calls_per_day, limits.usd_per_day),
    ):
        if calls is None and usd is None:
            continue
        gone_calls, gone_usd = _gone(connection, period, name)
        if calls is not None:
            room = min(room, calls - gone_calls)
        if usd is not None and usd_each > 0:
            # Rounded first: 0.3 less 0.1 buys two calls of 0.1, whatever floats make of it.
            room = min(room, math.floor(round((usd - gone_usd) / usd_each, 6)))
    return room


def _gone(connection: Connection, period: str, name: str) -> tuple[int, float]:
    """Calls and USD that were spent or are set aside; all that is set aside counts for today, whenever it was."""
    made = select(_TOTALS.calls, _TOTALS.usd).where(_TOTALS.period == period, _TOTALS.name == name)
    aside = select(func.coalesce(func.sum(_SET_ASIDE.calls), 0), func.coalesce(func.sum(_SET_ASIDE.usd), 0.0))
    if period == _RUN:
        aside = aside.where(_SET_ASIDE.run == name)
    spent = connection.execute(made).first() or (0, 0.0)
    held = connection.execute(aside).one()
    return int(spent[0] + held[0]), float(spent[1] + held[1])


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()
