"""Ending in order when asked to: a termination becomes an exception, so that every `with` block is left."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

PARENT_POLL_SECONDS = 1.0


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Within the block SIGTERM and SIGHUP raise SystemExit (143, 129); use it in the main thread, outermost.

    The first of them, or the first Ctrl-C, begins the end; later ones are ignored, so that impatience cannot cut short
    the stopping of the servers, which is bounded in time by itself.
    """

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_with_parent() -> None:
    """Send this process a SIGTERM when the one that started it (make) ends, even by a kill -9."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
