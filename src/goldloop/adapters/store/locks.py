"""Locks with an expiry: one run at a time works on a queue, and a dead one stands in nobody's way for long."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection, delete, func, select, update

from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.rows import StorePart
from goldloop.adapters.store.tables import locks
from goldloop.errors import GoldloopError, LockedError

_log = logging.getLogger(__name__)
_RENEWALS_A_TERM = 3
EVERYTHING = "the whole store"
"""The name of the lock that excludes every other one, for who replaces what all queues stand on."""


class Locks(StorePart):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._held: dict[tuple[str, str], int] = {}
        self._guard = threading.Lock()

    @contextmanager
    def lock(self, name: str, owner: str, ttl: timedelta) -> Iterator[None]:
        """Inside a lock that this store holds for the same owner, it is simply entered again."""
        with self._guard:
            depth = self._held.get((name, owner), 0)
            token = self._take(name, owner, ttl) if depth == 0 else None
            self._held[name, owner] = depth + 1
        try:
            if token is None:
                yield
            else:
                with self._renewed(name, token, ttl):
                    yield
        finally:
            with self._guard:
                self._held[name, owner] -= 1
            if token is not None:
                self._release(name, token)

    def _now(self, connection: Connection) -> datetime:
        """The clock that all runs share: the server's, or that of the one machine where an SQLite file lies."""
        if self._db.is_sqlite:
            return datetime.now(UTC)
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def _take(self, name: str, owner: str, ttl: timedelta) -> str:
        token = str(uuid4())
        with self._db.write() as connection:
            now = self._now(connection)
            standing = select(locks).order_by(locks.c.name)
            if name != EVERYTHING:
                standing = standing.where(locks.c.name.in_([name, EVERYTHING]))
            for held in connection.execute(standing):
                if held.owner != owner and held.expires_at > now:
                    raise LockedError(
                        f"Another run ({held.owner}) has held {held.name} since {held.since:%Y-%m-%d %H:%M:%S} UTC: "
                        f"wait for its end; if it died, the lock is free at {held.expires_at:%H:%M:%S} UTC."
                    )
            row = {"name": name, "owner": owner, "token": token, "since": now, "expires_at": now + ttl}
            self._db.upsert(connection, locks, [row])
        return token

    def _release(self, name: str, token: str) -> None:
        try:
            with self._db.write() as connection:
                connection.execute(delete(locks).where(locks.c.name == name, locks.c.token == token))
        except GoldloopError as error:
            # The work inside is done and saved; the lock frees itself by its expiry.
            _log.warning("The lock %s could not be released: %s", name, error)

    def _renew(self, name: str, token: str, ttl: timedelta) -> bool:
        with self._db.write() as connection:
            mine = (locks.c.name == name) & (locks.c.token == token)
            renewed = update(locks).where(mine).values(expires_at=self._now(connection) + ttl)
            return connection.execute(renewed).rowcount == 1

    @contextmanager
    def _renewed(self, name: str, token: str, ttl: timedelta) -> Iterator[None]:
        done = threading.Event()

        def keep() -> None:
            while not done.wait(ttl.total_seconds() / _RENEWALS_A_TERM):
                try:
                    if not self._renew(name, token, ttl):
                        _log.warning("The lock %s was taken over: this run was away for longer than %s.", name, ttl)
                        return
                except GoldloopError as error:
                    _log.warning("The lock %s could not be renewed: %s", name, error)

        thread = threading.Thread(target=keep, name=f"renew {name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
