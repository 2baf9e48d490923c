"""Work for the workers of a cluster: they import it, as they do the package's own."""

import os
import signal
from pathlib import Path

from goldloop.errors import ConfigError, RetryableError


def process(page: str) -> tuple[str, int]:
    """The page, and who worked on it."""
    return page, os.getpid()


def dies_once(marker: str) -> str:
    """The first worker that gets it is killed."""
    return _dies(marker, 1)


def dies_always(marker: str) -> str:
    return _dies(marker, 99)


def fails(page: str) -> str:
    if page == "later":
        raise RetryableError("Langfuse", "Langfuse answered 503: try again later.", retry_after=7.0)
    raise ConfigError("LANGFUSE_HOST is not set")


def _dies(marker: str, times: int) -> str:
    deaths = Path(marker).stat().st_size if Path(marker).exists() else 0
    if deaths < times:
        with Path(marker).open("a", encoding="utf-8") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
