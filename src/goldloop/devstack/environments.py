"""The environments beside the main one: each a small uv project with a lock file of its own.

Label Studio and label-studio-ml cannot be resolved together with Prefect, so each lives alone in
`.goldloop/environments/<name>`. `python -m goldloop.devstack.environments` makes all of them.
"""

import hashlib
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from goldloop.devstack.locks import exclusive
from goldloop.devstack.places import Places, demo_places
from goldloop.devstack.processes import Progress, Supervisor
from goldloop.errors import ConfigError, GoldloopError

INSTALL_SECONDS = 1800.0


@dataclass(frozen=True)
class Environment:
    """A virtual environment made from a locked project."""

    name: str  # for people
    folder: Path
    project: Path

    def program(self, name: str) -> Path:
        """The path of a program in it."""
        return self.folder / "bin" / name

    @property
    def fingerprint(self) -> str:
        """Changes when the environment has to be made anew: with the lock file, the project or the Python."""
        return fingerprint(self.project)

    def is_ready(self) -> bool:
        """Whether it is installed as its lock file says."""
        wanted = self.fingerprint
        try:
            return self._stamp.read_text(encoding="utf-8") == wanted
        except OSError:
            return False

    def ensure(self, supervisor: Supervisor, progress: Progress) -> None:
        """Install it when it is missing or not as its lock file says. Raises StartError when that fails."""
        if self.is_ready():
            return
        with exclusive(self.folder.with_suffix(".lock")):
            if self.is_ready():  # another command made it in the meantime
                return
            supervisor.run(
                f"{self.name} environment",
                [find_uv(), "sync", "--frozen", "--no-install-project", "--python", sys.executable],
                environment=install_environment() | {"UV_PROJECT_ENVIRONMENT": str(self.folder)},
                folder=self.project,
                within_seconds=INSTALL_SECONDS,
                progress=progress,
                doing="installing",
            )
            self._stamp.write_text(self.fingerprint, encoding="utf-8")

    @property
    def _stamp(self) -> Path:
        return self.folder / "goldloop-fingerprint"


def fingerprint(project: Path) -> str:
    """A digest of a uv project's lock file and settings, and of the Python that would run it."""
    digest = hashlib.sha256(platform.python_version().encode())
    for name in ("pyproject.toml", "uv.lock"):
        try:
            digest.update((project / name).read_bytes())
        except OSError:
            raise ConfigError(f"{project / name} is missing: restore it from the repository.") from None
    return digest.hexdigest()


def label_studio_environment(places: Places) -> Environment:
    """Label Studio's."""
    return Environment(
        "Label Studio", places.environments / "label-studio", places.checkout / "environments" / "label-studio"
    )


def ml_backend_environment(places: Places) -> Environment:
    """The ML backend's."""
    return Environment("ML backend", places.environments / "ml-backend", places.checkout / "ml_backend")


def find_uv() -> Path:
    """The uv of this environment, of the PATH, or of the checkout. Raises ConfigError when there is none."""
    own = Path(sys.prefix) / "bin" / "uv"
    on_path = shutil.which("uv")
    bundled = demo_places().shared / "bin" / "uv"
    for candidate in (own, Path(on_path) if on_path else None, bundled):
        if candidate is not None and candidate.is_file():
            return candidate
    raise ConfigError("uv is not installed: run `make install`, which brings it.")


def install_environment() -> dict[str, str]:
    """The user's own variables (mirrors, proxies, caches), and no Python fetched behind their back."""
    ours = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"} | ours


def main() -> int:
    """Make every environment; say what failed in one sentence."""
    places = demo_places()

    def tell(part: str, doing: str) -> None:
        sys.stderr.write(f"\r\x1b[K{part}: {doing}" if sys.stderr.isatty() else "")
        sys.stderr.flush()

    try:
        with Supervisor(places.logs) as supervisor:
            for environment in (label_studio_environment(places), ml_backend_environment(places)):
                if not environment.is_ready():
                    sys.stderr.write(f"Installing the {environment.name} environment ...\n")
                    environment.ensure(supervisor, tell)
    except GoldloopError as error:
        sys.stderr.write(f"\n{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
