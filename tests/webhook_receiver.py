"""The receiver of webhooks, started by a test: as it is in production, or in the test's own process."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.applications import Starlette

from builders import ROOT
from flows.wakes import Waker
from flows.webhook import server
from goldloop.devstack.local_ports import LOOPBACK, LocalPorts

SECRET = "webhook-secret-of-the-tests"
HEADERS = {"X-Goldloop-Secret": SECRET}
START_SECONDS = 60.0


class Counting(Waker):
    """It counts the hints, and wakes nothing."""

    def __init__(self) -> None:
        self.hints = 0

    def hint(self) -> None:
        self.hints += 1

    async def keep_on(self) -> None:
        return


@contextmanager
def serving(app: Starlette, port: int) -> Iterator[None]:
    """The app on this port, in a thread; by the way out it has ended."""
    made = server(app, LOOPBACK, port)
    thread = threading.Thread(target=made.run)
    thread.start()
    try:
        while not made.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield
    finally:
        made.should_exit = True
        thread.join(10)
    assert not thread.is_alive()


@dataclass(frozen=True)
class Running:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def hint(self, client: httpx.Client) -> int:
        """The status of the answer to what Label Studio sends."""
        body = {"action": "ANNOTATION_CREATED"}
        return client.post(f"{self.url}/label-studio", json=body, headers=HEADERS, timeout=10).status_code

    def told(self) -> str:
        return self.log.read_text(encoding="utf-8")


@contextmanager
def running(folder: Path, ports: LocalPorts, variables: Mapping[str, str]) -> Iterator[Running]:
    """`python -m flows.webhook` with these variables and no others of goldloop's. Its log is in the folder."""
    port = ports.take("webhook")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOLDLOOP_", "PREFECT_"))}
    own = {"GOLDLOOP_WEBHOOK__SECRET": SECRET, "GOLDLOOP_WEBHOOK__PORT": str(port), "PREFECT_HOME": str(folder)}
    log = folder / "webhook.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.webhook"],
            cwd=ROOT,
            env=kept | own | dict(variables),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        one = Running(f"http://{LOOPBACK}:{port}", process, log)
        _wait(one)
        yield one
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(one: Running) -> None:
    give_up = time.monotonic() + START_SECONDS
    while True:
        assert one.process.poll() is None, one.told()
        assert time.monotonic() < give_up, one.told()
        try:
            if httpx.get(f"{one.url}/health", timeout=5).json() == {"status": "UP"}:
                return
        except httpx.TransportError:
            time.sleep(0.1)
