"""The local stand-in of Langfuse, as a process beside the other servers."""

from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from goldloop.devstack.credentials import Credentials
from goldloop.devstack.local_ports import LOOPBACK
from goldloop.devstack.places import Places, base_environment, python_with
from goldloop.devstack.processes import Process, Progress, StartError, Supervisor

NAME = "Langfuse stand-in"
START_SECONDS = 60.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class LangfuseStandIn:
    """A stand-in that answers."""

    url: str
    public_key: str
    secret_key: SecretStr
    process: Process


@dataclass(frozen=True)
class StandInManner:
    """How it behaves: the release that it answers as, and the lags before what was sent can be read."""

    version: str = "4.16.0"
    score_lag_seconds: float = 5.0
    observation_lag_seconds: float = 1.0


def start_langfuse(
    supervisor: Supervisor,
    places: Places,
    credentials: Credentials,
    port: int,
    *,
    manner: StandInManner,
    progress: Progress,
) -> LangfuseStandIn:
    """Start it on this port and return when it answers to its keys. Raises StartError."""
    folder = places.state / "langfuse"
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://{LOOPBACK}:{port}"
    secret = credentials.langfuse_secret_key.get_secret_value()
    process = supervisor.start(
        NAME,
        python_with(
            *("-m", "goldloop.devstack.langfuse", "--port", str(port), "--database", str(folder / "langfuse.db")),
            *("--version", manner.version, "--score-lag", str(manner.score_lag_seconds)),
            *("--observation-lag", str(manner.observation_lag_seconds)),
        ),
        environment=base_environment()
        | {"LANGFUSE_PUBLIC_KEY": credentials.langfuse_public_key, "LANGFUSE_SECRET_KEY": secret},
        folder=folder,
    )
    with httpx.Client(
        base_url=url, auth=(credentials.langfuse_public_key, secret), timeout=PROBE_SECONDS, trust_env=False
    ) as client:
        supervisor.wait_until(lambda: _is_up(client), process=process, within_seconds=START_SECONDS, progress=progress)
        if client.get("/api/public/projects").status_code == httpx.codes.UNAUTHORIZED:
            process.stop()
            raise StartError(NAME, f"port {port} is another server's", process.log)
    progress(NAME, "ready")
    return LangfuseStandIn(url, credentials.langfuse_public_key, credentials.langfuse_secret_key, process)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/api/public/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
