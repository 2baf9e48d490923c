"""Servers of a measurement: each a process of its own on this machine, ended on the way out."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
START_SECONDS = 30.0
LOOPBACK = "127.0.0.1"
_LAST_LINES = 10


@contextmanager
def serving(
    command: Callable[[str], Sequence[str]], log: Path, variables: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The address of a server that answers `/health`; `command` gets host:port, `log` what it says.

    It sees nothing of goldloop's own environment but these variables.
    """
    address = f"{LOOPBACK}:{_free_port()}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOLDLOOP_", "GUNICORN_"))}
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603 - our own servers
            [*command(address)], cwd=ROOT, env=kept | dict(variables or {}), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        _wait(f"http://{address}/health", process, log)
        yield f"http://{address}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        try:
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > give_up:
            said = "\n".join(log.read_text(encoding="utf-8").splitlines()[-_LAST_LINES:])
            raise RuntimeError(f"a server of the measurement did not start:\n{said}")
        time.sleep(0.25)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
