"""goldloop's memory, in SQLite or PostgreSQL: the port `Store`, by SQLAlchemy Core.

>>> with open_store("sqlite:///.goldloop/store.db") as store:  # doctest: +SKIP
...     store.candidate_count()
"""

from typing import Self

from goldloop.adapters.store.annotations import Annotations
from goldloop.adapters.store.aside import Aside
from goldloop.adapters.store.candidates import Candidates
from goldloop.adapters.store.codebooks import Codebooks
from goldloop.adapters.store.draws import Draws
from goldloop.adapters.store.engine import Database
from goldloop.adapters.store.frames import Frames
from goldloop.adapters.store.learning import Learning
from goldloop.adapters.store.ledger import CallLedger
from goldloop.adapters.store.locks import Locks
from goldloop.adapters.store.migrate import migrate
from goldloop.adapters.store.outbox import Outbox
from goldloop.adapters.store.predictions import Predictions
from goldloop.adapters.store.rebuilding import Rebuilding
from goldloop.adapters.store.report import Report
from goldloop.adapters.store.resolutions import Resolutions
from goldloop.adapters.store.score_configs import ScoreConfigIds
from goldloop.adapters.store.standing import Standing
from goldloop.adapters.store.tasks import Tasks
from goldloop.adapters.store.versions import Versions
from goldloop.adapters.store.yields import Yields

__all__ = ["SqlStore", "open_store"]


class SqlStore(
    Codebooks,
    Versions,
    Candidates,
    Frames,
    Draws,
    Predictions,
    Learning,
    CallLedger,
    Tasks,
    Annotations,
    Resolutions,
    Outbox,
    Standing,
    ScoreConfigIds,
    Rebuilding,
    Report,
    Yields,
    Aside,
    Locks,
):
    """The store; each parent holds the methods of one concern. Threads may share it."""

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(url: str, *, wait_s: float = 30.0) -> SqlStore:
    """Open the database, and make or complete its tables.

    `url` is `sqlite:///path/to/file.db` or `postgresql://user:password@host:port/database`; `wait_s` is for how many
    seconds a write waits for another run's. `ConfigError` for a URL that cannot be used, a database that cannot be
    written or one made by a newer goldloop, `RetryableError` where the server is away.
    """
    database = Database(url, wait_s=wait_s)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database)
