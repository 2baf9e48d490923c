"""Locks between processes, held by the kernel and so never left behind."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from goldloop.errors import LockedError

POLL_SECONDS = 0.2


@contextlib.contextmanager
def one_stack(state: Path, *, patience_seconds: float = 30.0) -> Iterator[int]:
    """Let one stack at a time run on a state folder; yields the lock's file descriptor.

    Hand the descriptor to the supervisor: after a kill -9 the lock then stays until the last server has ended. Such
    remains are waited for; a stack whose command is alive makes this raise LockedError at once.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / "stack.lock").open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience_seconds
        while not _try_lock(file.fileno()):
            file.seek(0)
            owner = file.read().strip()
            if _is_alive(owner):
                raise LockedError(
                    f"Another goldloop stack (process {owner}) runs on {state}: stop it first, or use its servers."
                )
            if time.monotonic() > deadline:
                raise LockedError(f"The servers of an ended goldloop stack still run on {state}: end them first.")
            time.sleep(POLL_SECONDS)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield file.fileno()


@contextlib.contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Wait for the lock on this file, and hold it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_alive(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
