"""Label Studio Community on SQLite: headless, on the loopback address, with an administrator and a token.

Its migrations take half a minute, so they run once per release into a database without users, which every fresh start
copies; `label-studio version` is its one command that migrates, and does nothing else.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from goldloop.devstack.credentials import Credentials
from goldloop.devstack.environments import Environment
from goldloop.devstack.local_ports import LOOPBACK
from goldloop.devstack.locks import exclusive
from goldloop.devstack.places import Places, base_environment, shown
from goldloop.devstack.processes import Process, Progress, StartError, Supervisor

NAME = "Label Studio"
DATABASE = "label_studio.sqlite3"
MIGRATION_SECONDS = 600.0
START_SECONDS = 240.0
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class LabelStudio:
    """A Label Studio that answers."""

    url: str
    username: str
    password: SecretStr
    token: SecretStr
    process: Process


def start_label_studio(
    supervisor: Supervisor,
    places: Places,
    credentials: Credentials,
    port: int,
    *,
    environment: Environment,
    progress: Progress,
) -> LabelStudio:
    """Start it on this port and return when it answers to its token. Raises StartError."""
    folder = places.state / "label-studio"
    if not (folder / DATABASE).exists():
        template = _migrated_database(supervisor, places, environment, progress)
        folder.mkdir(parents=True, exist_ok=True)
        _copy(template, folder / DATABASE)
    url = f"http://{LOOPBACK}:{port}"
    process = supervisor.start(
        NAME,
        [
            environment.program("label-studio"),
            *("start", "--no-browser", "--internal-host", LOOPBACK, "--port", str(port), "--log-level", "WARNING"),
        ],
        environment=_variables(folder) | _account(url, credentials),
        folder=folder,
    )
    token = credentials.label_studio_token
    with httpx.Client(base_url=url, timeout=PROBE_SECONDS, trust_env=False) as client:
        supervisor.wait_until(lambda: _is_up(client), process=process, within_seconds=START_SECONDS, progress=progress)
        # On a busy port it moves to the next one without failing: only our own server knows the token.
        headers = {"Authorization": f"Token {token.get_secret_value()}"}
        if client.get("/api/current-user/whoami", headers=headers).status_code != httpx.codes.OK:
            process.stop()
            reason = f"port {port} is another server's, or {shown(folder)} was made with other credentials (remove it)"
            raise StartError(NAME, reason, process.log)
    progress(NAME, "ready")
    return LabelStudio(url, credentials.label_studio_username, credentials.label_studio_password, token, process)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _migrated_database(supervisor: Supervisor, places: Places, environment: Environment, progress: Progress) -> Path:
    """A database of this very release with all tables and no rows of ours, made once."""
    release = hashlib.sha256(environment.fingerprint.encode()).hexdigest()[:16]
    database = places.cache / f"label-studio-{release}.sqlite3"
    with exclusive(places.cache / "label-studio.lock"):
        if not database.exists():
            with tempfile.TemporaryDirectory(dir=places.cache, prefix="migrating-") as draft:
                supervisor.run(
                    f"{NAME} migrations",
                    [environment.program("label-studio"), "version"],
                    environment=_variables(Path(draft)),
                    folder=Path(draft),
                    within_seconds=MIGRATION_SECONDS,
                    progress=progress,
                    doing="preparing an empty database, once",
                )
                (Path(draft) / DATABASE).replace(database)
    return database


def _copy(source: Path, target: Path) -> None:
    """Copy so that an interruption leaves no half of a database."""
    draft = target.with_suffix(".new")
    shutil.copyfile(source, draft)
    draft.replace(target)


def _variables(folder: Path) -> dict[str, str]:
    """How it runs; see its documentation, "Environment variables"."""
    return base_environment() | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",  # counts when the first user is made
        # Backends and webhooks on the loopback address and in private networks are allowed, cloud metadata is not.
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "USER_ADDITIONAL_BANNED_SUBNETS": "169.254.0.0/16",
        # No calls home.
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "TZ": os.environ.get("TZ", "UTC"),
    }


def _account(url: str, credentials: Credentials) -> dict[str, str]:
    return {
        "LABEL_STUDIO_HOST": url,
        "LABEL_STUDIO_USERNAME": credentials.label_studio_username,
        "LABEL_STUDIO_PASSWORD": credentials.label_studio_password.get_secret_value(),
        "LABEL_STUDIO_USER_TOKEN": credentials.label_studio_token.get_secret_value(),
    }
