"""Starting local servers so that none of them outlives the command that started it.

Each command runs under a guard of its own (`guard.py`), which ends it and all of its descendants when the pipe between
the guard and this process closes: on `stop()`, and by the kernel's hand when this process dies in any way.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from goldloop.devstack.guard import descendants
from goldloop.devstack.places import shown
from goldloop.errors import GoldloopError

Progress = Callable[[str, str], None]
"""Told what a part is doing: (part's name, what it does now)."""

GUARD = Path(__file__).with_name("guard.py")
GRACE_SECONDS = 8.0
KILL_SECONDS = 8.0  # what the guard may take beyond the grace: it asks orphans, then kills
POLL_SECONDS = 0.2
GIST_LENGTH = 240
GUNICORNS_OWN = re.compile(r"\[\d+\] \[[A-Z]+\] ")  # what it says of its workers hides what a worker said
RAISED = re.compile(r"[\w.]+(Error|Exception): ")
TELLING = re.compile("error|exception|in use|denied|no such|not found", re.IGNORECASE)


class StartError(GoldloopError):
    """A local part could not be started; the message names the part, the reason and the log."""

    exit_code = 4

    def __init__(self, part: str, reason: str, log: Path) -> None:
        super().__init__(f"{part} could not be started: {reason}; its log is {shown(log)}.")
        self.part = part
        self.log = log


class Process:
    """A command under its guard, its output in a file."""

    def __init__(self, name: str, log: Path, guard: subprocess.Popen[bytes], patience_seconds: float) -> None:
        self.name = name
        self.log = log
        self._guard = guard
        self._patience_seconds = patience_seconds

    @property
    def exit_code(self) -> int | None:
        """None while anything of it is alive."""
        return self._guard.poll()

    def wait(self, within_seconds: float) -> int | None:
        """The exit code, or None when it still runs after that time."""
        try:
            return self._guard.wait(within_seconds)
        except subprocess.TimeoutExpired:
            return None

    def pids(self) -> set[int]:
        """What is alive of it and of its descendants, their guard left out."""
        return descendants(self._guard.pid)

    def descendants(self) -> set[int]:
        """The ids of its processes: the command's own and those of all that it started."""
        return descendants(self._guard.pid)

    def kill(self) -> None:
        """Kill it and all of its descendants at once, with no chance to tidy up: what a crash would do."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def release(self) -> None:
        """Ask it to end, without waiting for it."""
        if self._guard.stdin is not None and not self._guard.stdin.closed:
            self._guard.stdin.close()

    def stop(self) -> None:
        """End it with all of its descendants, and return when they are gone."""
        self.release()
        if self.wait(self._patience_seconds) is None:
            self._guard.kill()
            self._guard.wait()


class Supervisor:
    """Starts processes and ends all of them when its `with` block is left."""

    def __init__(self, logs: Path, *, hold: int | None = None) -> None:
        """`logs` takes one file a process; `hold` is a file descriptor kept open until the last process has ended."""
        self._logs = logs
        self._hold = hold
        self._processes: list[Process] = []
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        folder: Path,
        grace_seconds: float = GRACE_SECONDS,
    ) -> Process:
        """Start a command with exactly this environment in this folder.

        `name` is for people ("Label Studio"); the log is named after it. Raises StartError when the supervisor is
        being closed already.
        """
        log = self._logs / f"{name.lower().replace(' ', '-')}.log"
        with self._lock:
            if self._closed:
                raise StartError(name, "the stack is being stopped", log)
            self._logs.mkdir(parents=True, exist_ok=True)
            if log.exists():
                log.replace(log.with_suffix(".previous.log"))
            with log.open("wb") as output:
                guard = subprocess.Popen(  # noqa: S603 -- the commands are this package's own
                    [sys.executable, "-I", "-S", GUARD, str(grace_seconds), "--", *map(str, command)],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=folder,
                    start_new_session=True,
                    pass_fds=() if self._hold is None else (self._hold,),
                )
            process = Process(name, log, guard, grace_seconds + KILL_SECONDS)
            self._processes.append(process)
        return process

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        folder: Path,
        within_seconds: float,
        progress: Progress,
        doing: str,
    ) -> Path:
        """Run a command to its end and return its log's path; raise StartError when it fails or takes too long."""
        process = self.start(name, command, environment=environment, folder=folder)
        started = time.monotonic()
        while (code := process.wait(1.0)) is None:
            elapsed = time.monotonic() - started
            if elapsed > within_seconds:
                process.stop()
                raise StartError(name, f"{doing} took more than {within_seconds:.0f} s", process.log)
            progress(name, f"{doing} ({elapsed:.0f} s)")
        process.stop()
        if code != 0:
            raise StartError(name, f"{doing} failed: {gist(process.log)}", process.log)
        return process.log

    def wait_until(
        self, answers: Callable[[], bool], *, process: Process, within_seconds: float, progress: Progress
    ) -> None:
        """Return once `answers()` is true; raise StartError when the process ends before, or time runs out."""
        started = time.monotonic()
        while not answers():
            elapsed = time.monotonic() - started
            if process.exit_code is not None:
                raise StartError(process.name, f"it ended by itself: {gist(process.log)}", process.log)
            if elapsed > within_seconds:
                reason = f"no answer within {within_seconds:.0f} s, last line: {gist(process.log)}"
                raise StartError(process.name, reason, process.log)
            progress(process.name, f"starting ({elapsed:.0f} s)")
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """End all processes, the ones started last first asked, and return when all are gone."""
        with self._lock:
            self._closed = True
            processes = list(reversed(self._processes))
        for process in processes:
            process.release()
        for process in processes:
            process.stop()


def gist(log: Path) -> str:
    """The line of a log that most likely says what went wrong, without colours, cut to a readable length."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")[-20_000:]
    except OSError:
        return "nothing was written"
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines() if line.strip()]
    lines = [line for line in lines if not GUNICORNS_OWN.search(line)] or lines
    raised = [line for line in lines if RAISED.match(line)]
    telling = [line for line in lines if TELLING.search(line)]
    return (raised or telling or lines or ["nothing was written"])[-1][:GIST_LENGTH].rstrip(".")
