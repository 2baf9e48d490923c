"""Runs one server and ends it, with every process that it ever started, as soon as its starter is gone.

Started by path, with nothing but the standard library: `python guard.py GRACE -- COMMAND...`. Standard input is the
*lifeline*, a pipe whose other end the starter keeps open. The kernel closes that end however the starter dies, kill -9
included, so the end of the lifeline is the one signal to stop, for an orderly end as for any other.

On Linux the guard is the "child subreaper" (prctl(2)): a process whose own parent has ended becomes the guard's child,
whatever session or group it moved to, so none can hide. Elsewhere the processes alive when the stop begins are known
by `ps`, which misses only one that was orphaned before.

Exit code: the command's own, 128 + signal number when a signal ended it, 127 when it cannot be run.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36
ORPHAN_GRACE_SECONDS = 2.0
KILL_SECONDS = 5.0
LINUX = sys.platform == "linux"


def main(arguments: list[str]) -> int:
    """Run the command, wait for its end or the lifeline's, leave no process behind."""
    grace_seconds, command = float(arguments[0]), arguments[2:]
    lifeline = os.dup(0)  # not inheritable: the command must not see it
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    wake = _wake_on_signals()
    _set_process_flag(PR_SET_CHILD_SUBREAPER, 1)
    child = _start(command)
    family = Family(child)
    if not family.wait_for_child([lifeline, wake], None):
        family.remember()
        family.signal_group(signal.SIGTERM)
        family.wait_for_child([wake], time.monotonic() + grace_seconds)
    family.end(min(grace_seconds, ORPHAN_GRACE_SECONDS))
    return family.exit_code


class Family:
    """The command's process and all of its descendants."""

    def __init__(self, child: int) -> None:
        self._child = child
        self._known: set[int] = {child}
        self._status: int | None = None

    @property
    def exit_code(self) -> int:
        """The command's exit code, as a shell would give it."""
        code = os.waitstatus_to_exitcode(self._status or 0)
        return code if code >= 0 else 128 - code

    def wait_for_child(self, wake_ups: list[int], deadline: float | None) -> bool:
        """Wait until the command ended (True), or until a stop is asked for or the deadline passed (False)."""
        *lifelines, wake = wake_ups
        while True:
            self.reap()
            if self._status is not None:
                return True
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select(wake_ups, [], [], left)
            if not ready or any(line in ready for line in lifelines):
                return False
            numbers = os.read(wake, 512)
            if lifelines and any(number != signal.SIGCHLD for number in numbers):
                return False

    def reap(self) -> bool:
        """Collect the ended children; False when there is no child left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            self._known.discard(pid)
            if pid == self._child:
                self._status = status

    def remember(self) -> None:
        """Note who is alive now, for systems where an orphan cannot be found later."""
        self._known.update(descendants(os.getpid()))

    def signal_group(self, number: signal.Signals) -> None:
        """Signal the command's own process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child, number)

    def end(self, grace_seconds: float) -> None:
        """Ask whoever is left to end, and then make them."""
        for number, patience in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, KILL_SECONDS)):
            deadline = time.monotonic() + patience
            asked: set[int] = set()
            while self._anyone_left():
                # Whoever is new since the last look is asked too: a process may fork while it is ended.
                for pid in self._alive() - asked:
                    asked.add(pid)
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
                if time.monotonic() > deadline:
                    break
                time.sleep(0.02)
        self.reap()

    def _anyone_left(self) -> bool:
        has_children = self.reap()
        return has_children if LINUX else bool(self._alive())

    def _alive(self) -> set[int]:
        alive = descendants(os.getpid())
        return alive if LINUX else alive | {pid for pid in self._known if _exists(pid)}


def descendants(ancestor: int) -> set[int]:
    """The ids of all processes below `ancestor`, zombies included."""
    children: dict[int, list[int]] = {}
    for pid, parent in _processes():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    to_visit = [ancestor]
    while to_visit:
        below = children.get(to_visit.pop(), [])
        found.update(below)
        to_visit.extend(below)
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Yield (process id, parent's id) of everything that runs."""
    if not LINUX:
        with subprocess.Popen(["/bin/ps", "-A", "-o", "pid=,ppid="], stdout=subprocess.PIPE, text=True) as listing:
            lines = (listing.stdout.read() if listing.stdout else "").splitlines()
        for line in lines:
            pid, parent = line.split()
            if int(pid) != listing.pid:
                yield int(pid), int(parent)
        return
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # "pid (name) state parent ...": the name may itself hold blanks and parentheses.
                yield int(entry.name), int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _start(command: list[str]) -> int:
    """Fork and run the command in a session of its own."""
    guard = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, guard)
    return child


def _become(command: list[str], guard: int) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        _set_process_flag(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guard:  # the guard ended before the flag was set
            os._exit(1)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # what the guard holds (its starter's lock) is not the command's
        os.execvp(command[0], command)  # noqa: S606 -- no shell is what is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _wake_on_signals() -> int:
    """Turn signals into bytes on a pipe, so that one `select` waits for everything."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return read_end


def _set_process_flag(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
