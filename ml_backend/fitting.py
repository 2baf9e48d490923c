"""Fitting judges to new labels, in the background: nobody waits for it, and nothing else fails with it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

QUIET_SECONDS: Final = 20.0
LONGEST_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)


@dataclass
class Debounce:
    """When what was asked for is due: `quiet` seconds after it was last asked for, and `longest` after it first was."""

    quiet: float = QUIET_SECONDS
    longest: float = LONGEST_SECONDS
    _due: dict[int, tuple[float, float]] = field(default_factory=dict)

    def ask(self, project_id: int, now: float, *, at_once: bool = False) -> None:
        """However often it is asked for before it is due, it is due once."""
        first, due = self._due.get(project_id, (now, now + self.quiet))
        soonest = now if at_once else min(now + self.quiet, first + self.longest)
        self._due[project_id] = first, due if due <= now else soonest

    def take(self, now: float) -> list[int]:
        """What is due by now; it waits no longer."""
        taken = [project_id for project_id, (_, due) in self._due.items() if due <= now]
        for project_id in taken:
            del self._due[project_id]
        return taken

    def wait(self, now: float) -> float | None:
        """Seconds until something is due; None where nothing waits."""
        return max(0.0, min(due for _, due in self._due.values()) - now) if self._due else None

    def __len__(self) -> int:
        return len(self._due)


@dataclass(frozen=True)
class LastFit:
    """What became of the last fit."""

    queue: str
    state: Literal["running", "done", "failed"]
    begun: datetime
    seconds: float | None = None
    error: str | None = None


class Fitting:
    """One thread that fits one queue at a time.

    Args:
        fit: fits a queue's judges to the labels that the store has by now.
        queue_of: whose project it is; None for nobody's, and nothing is fitted.
        clock: aware UTC, for what is shown; `now` is the monotonic clock that waiting goes by.
    """

    def __init__(
        self,
        fit: Callable[[str], object],
        queue_of: Callable[[int], str | None],
        clock: Callable[[], datetime],
        debounce: Debounce | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fit, self._queue_of, self._clock, self._now = fit, queue_of, clock, now
        self._debounce = Debounce() if debounce is None else debounce
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.last: LastFit | None = None

    @property
    def waiting(self) -> int:
        """Projects whose annotations were heard of and not fitted to yet."""
        return len(self._debounce)

    def ask(self, project_id: int, *, at_once: bool = False) -> None:
        """Fit soon; returns at once."""
        with self._changed:
            self._debounce.ask(project_id, self._now(), at_once=at_once)
            if self._thread is None and not self._stopping:
                # A daemon: a fit that hangs must not keep the server from ending.
                self._thread = threading.Thread(target=self._work, name="fitting", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def stop(self, seconds: float) -> bool:
        """Begin nothing more, and wait for what is under way; False where that took longer, and is left behind."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and not (due := self._debounce.take(self._now())):
                    self._changed.wait(self._debounce.wait(self._now()))
                if self._stopping:
                    return
            try:
                queues = {queue for project_id in due if (queue := self._queue_of(project_id)) is not None}
            except BaseException as error:  # noqa: BLE001 - see below
                _log.warning("nothing was fitted: %s", type(error).__name__)
                continue
            for queue in sorted(queues):
                self._fit_one(queue)

    def _fit_one(self, queue: str) -> None:
        begun, start = self._clock(), self._now()
        self.last = LastFit(queue, "running", begun)
        try:
            self._fit(queue)
        except BaseException as error:  # noqa: BLE001 - the thread goes on, whatever happened to one fit
            # Its class and not its message, which could quote a label.
            self.last = LastFit(queue, "failed", begun, self._now() - start, type(error).__name__)
            _log.error("fitting the judges of %s failed: %s", queue, type(error).__name__)
        else:
            self.last = LastFit(queue, "done", begun, self._now() - start)
            _log.info("fitted the judges of %s in %.1f s", queue, self._now() - start)
