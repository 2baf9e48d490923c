"""Goldloop's store for a run, on a disk of its own that can be filled: SQLite, or a PostgreSQL that can be killed."""

import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import psycopg

from goldloop.devstack.local_ports import LOOPBACK, is_free
from goldloop.devstack.places import base_environment
from goldloop.devstack.processes import Process, Supervisor

_START_SECONDS: Final = 60.0
_MB: Final = 1 << 20
_SETTINGS: Final = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    "fsync": "off",  # processes are killed, and not the machine
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
}


class Disk:
    """A small file system in memory at `folder`, where mounting is permitted; else a plain folder, which never fills.

    `read_only` is the same file system once more, where nothing can be written.
    """

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder, self.read_only = folder, folder.with_name(f"{folder.name}-read-only")
        self._megabytes = megabytes
        self._exits = ExitStack()
        self.mounted = False

    def __enter__(self) -> Self:
        for place in (self.folder, self.read_only):
            place.mkdir(parents=True)
        self.mounted = self._mount("-t", "tmpfs", "-o", f"size={self._megabytes}m,mode=755", "tmpfs", self.folder)
        if self.mounted:
            self._mount("--bind", self.folder, self.read_only)
            self._mount("-o", "remount,bind,ro", self.read_only, again=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _mount(self, *options: str | Path, again: bool = False) -> bool:
        program = shutil.which("mount")
        if program is None or subprocess.run([program, *options], capture_output=True, check=False).returncode:  # noqa: S603 - our own folders
            return False
        if not again:
            self._exits.callback(subprocess.run, ["umount", "-l", options[-1]], check=False)
        return True

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self) -> None:
        """Leave no byte free."""
        state = os.statvfs(self.folder)
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, state.f_bavail * state.f_frsize))

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


class SqliteStore:
    """A file on the disk."""

    name = "sqlite"
    process: Process | None = None

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.url = f"sqlite:///{disk.folder / 'goldloop.db'}"

    def start(self) -> None:
        """There is nothing to start."""

    def read_only(self) -> Mapping[str, str]:
        """What a run needs so that it cannot write."""
        return {"GOLDLOOP_STORE_URL": f"sqlite:///{self._disk.read_only / 'goldloop.db'}"}


class PostgresStore:
    """A server with its data on the disk, which `start` starts, and starts again."""

    name = "postgres"

    def __init__(self, disk: Disk, supervisor: Supervisor, programs: Path, port: int) -> None:
        self._supervisor, self._programs, self._port = supervisor, programs, port
        self._data = disk.folder / "postgres"
        self._password = secrets.token_urlsafe(18)
        self.url = f"postgresql://goldloop:{self._password}@{LOOPBACK}:{port}/postgres"
        self.process: Process | None = None

    def start(self) -> None:
        """Start it, with new data or with what is there, and return when it answers."""
        if not self._data.exists():
            self._initialise()
        while not is_free(self._port):
            time.sleep(0.1)
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self.process = self._supervisor.start(
            "PostgreSQL",
            [*_as_other(), self._programs / "postgres", "-D", self._data, "-p", str(self._port), *options],
            environment=base_environment(),
            folder=self._data,
            grace_seconds=2.0,
        )
        self._supervisor.wait_until(
            self._answers, process=self.process, within_seconds=_START_SECONDS, progress=lambda *_: None
        )

    def read_only(self) -> Mapping[str, str]:
        """What a run needs so that it cannot write."""
        return {"PGOPTIONS": "-c default_transaction_read_only=on"}

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        secret = self._data.with_name("password")
        secret.write_text(self._password)
        if account := _account():
            for path in (self._data, secret):
                shutil.chown(path, user=account)
        made: list[str | Path] = [
            "-D",
            self._data,
            "-U",
            "goldloop",
            "--pwfile",
            secret,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        command: list[str | Path] = [*_as_other(), self._programs / "initdb", *made, "--auth=scram-sha-256"]
        subprocess.run(command, check=True, capture_output=True, cwd=self._data)  # noqa: S603 - PostgreSQL's own
        secret.unlink()


def postgres_programs() -> Path | None:
    """The folder of `initdb` and `postgres`, of the newest version; None where they, or what they need, are missing."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda one: float(one.parent.name), reverse=True)
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    ready = os.geteuid() != 0 or (shutil.which("setpriv") and _account())
    return next((one for one in folders if ready and (one / "postgres").exists()), None)


def megabytes_for(traces: int, store: str) -> int:
    """A disk that has room for such a run, and little more."""
    return (400 if store == PostgresStore.name else 48) + traces * 24 // 1024


def _account() -> str | None:
    """PostgreSQL refuses to run as root: another account must."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in accounts), None)


def _as_other() -> list[str]:
    account = _account()
    if account is None:
        return []
    entry = pwd.getpwnam(account)
    return ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"]
