"""A Prefect server on SQLite, a process worker beside it, and the deployments of `prefect.yaml`.

Nothing here imports Prefect: it is run as a program and asked over HTTP.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from goldloop.devstack.credentials import Credentials
from goldloop.devstack.local_ports import LOOPBACK
from goldloop.devstack.places import Places, base_environment, python_with
from goldloop.devstack.processes import Process, Progress, StartError, Supervisor

SERVER_NAME = "Prefect server"
WORKER_NAME = "Prefect worker"
WORK_POOL = "goldloop"
HEARTBEAT_SECONDS = 30  # a run whose heartbeats are missing for three times this long is dead
QUERY_SECONDS = 2
START_SECONDS = 240.0
DEPLOY_SECONDS = 180.0
PROBE_SECONDS = 5.0
QUIET = {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_CLI_PROMPT": "false"}


@dataclass(frozen=True)
class PrefectServer:
    """A Prefect server that answers. `url` is for a browser, `api_url` for clients."""

    url: str
    api_url: str
    auth: SecretStr
    home: Path
    process: Process

    def client(self) -> httpx.Client:
        """A client of its REST API, to be closed by the caller."""
        user, _, password = self.auth.get_secret_value().partition(":")
        return httpx.Client(
            base_url=self.api_url, auth=(user, password), timeout=PROBE_SECONDS, trust_env=False, headers=_NO_KEEPING
        )

    def environment(self) -> dict[str, str]:
        """What clients, flows and workers find it by."""
        return QUIET | {
            "PREFECT_API_URL": self.api_url,
            "PREFECT_API_AUTH_STRING": self.auth.get_secret_value(),
            "PREFECT_HOME": str(self.home),
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        }


_NO_KEEPING = {"Connection": "close"}


def start_prefect_server(
    supervisor: Supervisor, places: Places, credentials: Credentials, port: int, *, progress: Progress
) -> PrefectServer:
    """Start the server on this port, make the work pool, and return when both are there. Raises StartError."""
    home = places.state / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://{LOOPBACK}:{port}"
    process = supervisor.start(
        SERVER_NAME,
        python_with("-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)),
        environment=base_environment() | QUIET | _server_variables(home, url, credentials),
        folder=home,
    )
    server = PrefectServer(url, f"{url}/api", credentials.prefect_auth, home, process)
    with server.client() as client:
        # Only our own server knows the password; /health would answer without one.
        supervisor.wait_until(
            lambda: _answers(client, "/admin/version"),
            process=process,
            within_seconds=START_SECONDS,
            progress=progress,
        )
        made = client.post("/work_pools/", json={"name": WORK_POOL, "type": "process"})
        if made.status_code not in (httpx.codes.CREATED, httpx.codes.CONFLICT):
            raise StartError(SERVER_NAME, f"it refused the work pool with status {made.status_code}", process.log)
    progress(SERVER_NAME, "ready")
    return server


def start_prefect_worker(
    supervisor: Supervisor,
    places: Places,
    server: PrefectServer,
    *,
    environment: Mapping[str, str],
    progress: Progress,
) -> Process:
    """Start a worker whose flow runs get `environment`, and return when the server sees it. Raises StartError."""
    with server.client() as client:
        # A worker that was killed is "online" until its heartbeats have been missing for a while.
        heartbeats_before = _heartbeats(client)
    process = supervisor.start(
        WORKER_NAME,
        python_with("-m", "prefect", "worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", "local"),
        environment=flow_environment(server, environment) | {"PREFECT_WORKER_QUERY_SECONDS": str(QUERY_SECONDS)},
        folder=places.checkout,
    )
    with server.client() as client:
        supervisor.wait_until(
            lambda: bool(_heartbeats(client) - heartbeats_before),
            process=process,
            within_seconds=START_SECONDS,
            progress=progress,
        )
    progress(WORKER_NAME, "ready")
    return process


def deploy(
    supervisor: Supervisor,
    places: Places,
    server: PrefectServer,
    *,
    environment: Mapping[str, str],
    progress: Progress,
    schedules: bool,
) -> None:
    """Register every deployment of the checkout's `prefect.yaml`, its schedules on or off. Raises StartError."""
    supervisor.run(
        "Prefect deployments",
        python_with("-m", "prefect", "--no-prompt", "deploy", "--all"),
        environment=flow_environment(server, environment) | {"GOLDLOOP_SCHEDULES_ACTIVE": str(schedules).lower()},
        folder=places.checkout,
        within_seconds=DEPLOY_SECONDS,
        progress=progress,
        doing="registering the flows",
    )
    progress("Prefect deployments", "ready")


def automate(
    supervisor: Supervisor, places: Places, server: PrefectServer, *, environment: Mapping[str, str], progress: Progress
) -> None:
    """Make the automations that find dead runs; what the last stack left unfinished is dead. Raises StartError."""
    supervisor.run(
        "Prefect automations",
        python_with("-m", "flows.automations", "--nothing-runs"),
        environment=flow_environment(server, environment),
        folder=places.checkout,
        within_seconds=DEPLOY_SECONDS,
        progress=progress,
        doing="watching over the flows",
    )
    progress("Prefect automations", "ready")


def flow_environment(server: PrefectServer, environment: Mapping[str, str]) -> dict[str, str]:
    """What flows run with: the user's variables (a judge's key, say) but Prefect's, then the stack's."""
    users = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return users | base_environment() | dict(environment) | server.environment()


def _server_variables(home: Path, url: str, credentials: Credentials) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_SERVER_API_AUTH_STRING": credentials.prefect_auth.get_secret_value(),
        "PREFECT_API_AUTH_STRING": credentials.prefect_auth.get_secret_value(),
        "PREFECT_SERVER_UI_API_URL": f"{url}/api",  # it does not follow --port
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),  # two servers of one environment must not share it
        # Leases in memory would be lost with the server, and runs that hold one would crash.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
    }


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _heartbeats(client: httpx.Client) -> set[str]:
    """The times at which the pool's workers were last heard of."""
    try:
        answer = client.post(f"/work_pools/{WORK_POOL}/workers/filter", json={})
    except httpx.HTTPError:
        return set()
    return {worker["last_heartbeat_time"] for worker in answer.json()} if answer.is_success else set()
