"""The ML backend under gunicorn, in its own environment."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from goldloop.devstack.credentials import Credentials
from goldloop.devstack.environments import Environment
from goldloop.devstack.local_ports import LOOPBACK
from goldloop.devstack.places import Places, base_environment
from goldloop.devstack.processes import Process, Progress, Supervisor

NAME = "ML backend"
APPLICATION = "ml_backend.wsgi:app"
CONFIGURATION = "python:ml_backend.gunicorn_config"
STOP_SECONDS = 5
START_SECONDS = 120.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class MLBackend:
    """An ML backend that answers; Label Studio reaches it with Basic auth."""

    url: str
    username: str
    password: SecretStr
    webhook_secret: SecretStr
    process: Process

    def environment(self) -> dict[str, str]:
        """What goldloop finds it by."""
        return {
            "GOLDLOOP_ML_BACKEND__URL": self.url,
            "GOLDLOOP_ML_BACKEND__USERNAME": self.username,
            "GOLDLOOP_ML_BACKEND__PASSWORD": self.password.get_secret_value(),
            "GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET": self.webhook_secret.get_secret_value(),
        }


def start_ml_backend(
    supervisor: Supervisor,
    places: Places,
    credentials: Credentials,
    port: int,
    *,
    environment: Environment,
    variables: Mapping[str, str],
    progress: Progress,
) -> MLBackend:
    """Start it on this port with these variables, and return when it answers. Raises StartError."""
    url = f"http://{LOOPBACK}:{port}"
    name, password = credentials.ml_backend_username, credentials.ml_backend_password
    webhook_secret = credentials.ml_backend_webhook_secret
    process = supervisor.start(
        NAME,
        [
            environment.program("gunicorn"),
            "--no-control-socket",  # it would be one for all gunicorns of this user
            *("--bind", f"{LOOPBACK}:{port}", "--config", CONFIGURATION),
            *("--graceful-timeout", str(STOP_SECONDS), APPLICATION),
        ],
        environment=base_environment()
        | dict(variables)
        | {
            "GOLDLOOP_ML_BACKEND__URL": url,
            "GOLDLOOP_ML_BACKEND__USERNAME": name,
            "GOLDLOOP_ML_BACKEND__PASSWORD": password.get_secret_value(),
            "GOLDLOOP_ML_BACKEND__WEBHOOK_SECRET": webhook_secret.get_secret_value(),
        },
        folder=places.checkout,
    )
    with httpx.Client(base_url=url, timeout=PROBE_SECONDS, trust_env=False) as client:
        supervisor.wait_until(lambda: _is_up(client), process=process, within_seconds=START_SECONDS, progress=progress)
    progress(NAME, "ready")
    return MLBackend(url, name, password, webhook_secret, process)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
