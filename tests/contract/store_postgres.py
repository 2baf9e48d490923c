"""A PostgreSQL server that lives as long as the test session, where the machine has the programs for one."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

# The server ends when its shell's input does: with the test run, however that ends.
_GUARD = '"$@" & server=$!; read _; kill -INT $server; wait $server'


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, the newest version first."""
    initdb = shutil.which("initdb")
    folders = [Path(initdb).resolve().parent] if initdb else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parts[-2:], reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _account() -> str | None:
    """PostgreSQL refuses to run as root: another account must."""
    if os.geteuid() != 0:
        return None
    accounts = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in accounts else "nobody"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from error
            time.sleep(0.1)
        else:
            return


@contextmanager
def running(programs: Path) -> Iterator[str]:
    """The URL of a new server's database, with a superuser's rights."""
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="goldloop-postgres-"))
    password = secrets.token_urlsafe(24)
    port = _free_port()
    secret, log = home / "password", home / "log"
    secret.write_text(password)
    try:
        if account:
            for path in (home, secret):
                shutil.chown(path, user=account)
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            home / "data",
            "-U",
            "tester",
            "--pwfile",
            secret,
            "-E",
            "UTF8",
        ]
        subprocess.run(
            [*initdb, "--auth=scram-sha-256", "--locale=C.UTF-8", "--no-sync"],
            user=account,
            cwd=home,
            check=True,
            capture_output=True,
        )
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "50",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with log.open("wb") as output:
            server = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", programs / "postgres", "-D", home / "data", *options],
                user=account,
                cwd=home,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        assert server.stdin is not None
        try:
            url = f"postgresql://tester:{password}@127.0.0.1:{port}/postgres"
            _await(url, server, log)
            yield url
        finally:
            server.stdin.close()
            server.wait(timeout=60)
    finally:
        shutil.rmtree(home)
