"""The ML backend, started by a test as it is in production: gunicorn, in the backend's own environment."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from builders import ROOT

LOGIN = ("goldloop", "pass-1")
SECRET = "webhook-secret-1"
BAD_JUDGE = "ml_backend_bad_judge:app"
NAMED_BY = "GOLDLOOP_TEST_ML_BACKEND_PYTHON"
START_SECONDS = 60.0


def settings(folder: Path) -> dict[str, str]:
    """What a backend needs in its environment, with its store in `goldloop.db` of the folder."""
    return {
        "GOLDLOOP_STORE_URL": f"sqlite:///{folder / 'goldloop.db'}",
        "GOLDLOOP_ML_BACKEND__USERNAME": LOGIN[0],
        "GOLDLOOP_ML_BACKEND__PASSWORD": LOGIN[1],
        "GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET": SECRET,
        "GOLDLOOP_JUDGE__MEMBERS": "lexical",
    }


@contextmanager
def started(
    folder: Path, variables: Mapping[str, str], application: str = "ml_backend.wsgi:app"
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Gunicorn with these variables and no others of goldloop's, and its address; ended on the way out.

    The folder gets `backend.log` and `backend.pid`.
    """
    address = f"127.0.0.1:{_free_port()}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOLDLOOP_", "GUNICORN_"))}
    gunicorn = [
        str(_python()),
        "-m",
        "gunicorn",
        "--no-control-socket",
        "--pid",
        str(folder / "backend.pid"),
        "--pythonpath",
        str(Path(__file__).parent),
    ]
    with (folder / "backend.log").open("wb") as log:
        process = subprocess.Popen(
            [*gunicorn, "--bind", address, "--config", "python:ml_backend.gunicorn_config", application],
            cwd=ROOT,
            env=kept | {"PYTHONDONTWRITEBYTECODE": "1"} | dict(variables),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield f"http://{address}", process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running(folder: Path, application: str = "ml_backend.wsgi:app") -> Iterator[httpx.Client]:
    """A client, with the right credentials, of a backend that is up."""
    with running_process(folder, application) as (client, _):
        yield client


@contextmanager
def running_process(folder: Path, application: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
    """As `running`, with the process."""
    log = folder / "backend.log"
    with (
        started(folder, settings(folder), application) as (url, process),
        httpx.Client(base_url=url, auth=LOGIN, timeout=30, trust_env=False) as client,
    ):
        give_up = time.monotonic() + START_SECONDS
        while not _answers(client):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < give_up, log.read_text(encoding="utf-8")
            time.sleep(0.1)
        yield client, process


def _python() -> Path:
    named = os.environ.get(NAMED_BY)
    python = Path(named) if named else ROOT / ".goldloop" / "environments" / "ml-backend" / "bin" / "python"
    if not python.is_file():
        pytest.skip(f"there is no ML backend environment at {python}: run `make install`, or set {NAMED_BY}")
    return python


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
