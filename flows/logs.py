"""What a run logs: a verb's progress, not more of it than a person reads, and no traceback of what is a sentence."""

import logging
import time
from collections.abc import Callable

from prefect.exceptions import CancelledRun, FailedRun

LoggerLike = logging.Logger | logging.LoggerAdapter[logging.Logger]


class PacedLog:
    """A `goldloop.ports.Progress` that logs how far a verb is, every `every_s` seconds at most."""

    def __init__(
        self, logger: LoggerLike, verb: str, every_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._verb = verb
        self._every_s = every_s
        self._clock = clock
        self._last = clock()

    def __call__(self, done: int, total: int | None, usd: float | None = None) -> None:
        now = self._clock()
        if now - self._last >= self._every_s:
            self._last = now
            so_far = f"{done:,}" if total is None else f"{done:,} of {total:,}"
            self._logger.info("%s: %s", self._verb, f"{so_far}, ${usd:,.4f}" if usd else so_far)


def is_news(record: logging.LogRecord) -> bool:
    """False for the traceback that Prefect's engine logs after a flow has returned a failed or cancelled state."""
    raised = record.exc_info[1] if record.exc_info else None
    return not isinstance(raised, FailedRun | CancelledRun)


def keep_to_the_news() -> None:
    """Have the loggers of flow runs leave such tracebacks out; calling it again changes nothing."""
    logging.getLogger("prefect.flow_runs").addFilter(is_news)
