"""How one stand-in is set up."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

# The first server version whose POST /scores takes a list.
_LIST_OF_SCORES_SINCE = (4, 59)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class StandInSettings:
    """One project of one server.

    Attributes:
        database: the SQLite file; it is made where it is missing.
        secret_key: what the Basic password must be. As on a real server, the user name is not checked.
        version: the server version to answer as, such as "4.16.0"; from 4.59 on POST /scores takes a list.
        observation_lag: seconds from a span's arrival to its being readable.
        score_lag: seconds from a score's acceptance to its being checked and readable.
        rate_limit: calls a minute before a 429, as Langfuse Cloud has it; None as a self-hosted server.
        clock: the time of every answer, aware.
    """

    database: Path
    secret_key: SecretStr
    version: str = "4.16.0"
    observation_lag: float = 1.0
    score_lag: float = 5.0
    rate_limit: int | None = None
    project_id: str = "stand-in"
    project_name: str = "Stand-in project"
    clock: Callable[[], datetime] = _utc_now

    def __post_init__(self) -> None:
        parts = self.version.split(".")
        if len(parts) < len(_LIST_OF_SCORES_SINCE) or not all(part.isdecimal() for part in parts):
            raise ValueError(f"The version is {self.version!r}; give one such as 4.16.0.")

    @property
    def takes_score_lists(self) -> bool:
        """Whether POST /scores takes a list (and no single object is refused for it)."""
        major, minor, *_ = (int(part) for part in self.version.split("."))
        return (major, minor) >= _LIST_OF_SCORES_SINCE
