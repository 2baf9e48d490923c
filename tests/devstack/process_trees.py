"""A command with difficult descendants, for the tests of what ends them."""

import sys
import time
from pathlib import Path

TREE = """
import os, signal, sys, time
from pathlib import Path

folder = Path(sys.argv[1])


def live(name, ignores_termination):
    if ignores_termination:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / f"{name}.draft").write_text(str(os.getpid()))
    (folder / f"{name}.draft").rename(folder / f"{name}.pid")
    time.sleep(600)
    os._exit(0)


if os.fork() == 0:
    live("child", ignores_termination=False)
if os.fork() == 0:
    if os.fork() == 0:  # a daemon: in a session of its own, its parent gone
        os.setsid()
        if os.fork() == 0:
            live("daemon", ignores_termination=True)
    os._exit(0)
os.wait()
live("command", ignores_termination="--stubborn" in sys.argv)
"""
NAMES = ("child", "daemon", "command")


def pids_of(folder: Path, within_seconds: float = 20.0) -> list[int]:
    """The ids of the whole tree, once all of it is there."""
    files = [folder / f"{name}.pid" for name in NAMES]
    deadline = time.monotonic() + within_seconds
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline, "the process tree did not come up"
        time.sleep(0.05)
    return [int(file.read_text()) for file in files]


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that only waits to be collected has."""
    if sys.platform != "linux":
        import os  # noqa: PLC0415 -- for systems without /proc

        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"Z", "X"}


def wait_until_gone(pids: list[int], within_seconds: float) -> None:
    """Fail when one of them is alive after that time."""
    deadline = time.monotonic() + within_seconds
    while left := [pid for pid in pids if not is_gone(pid)]:
        assert time.monotonic() < deadline, f"still alive: {left}"
        time.sleep(0.05)
