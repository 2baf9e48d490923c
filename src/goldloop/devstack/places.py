"""Where the local stack keeps its things.

| place | holds |
|---|---|
| `<checkout>/.goldloop/environments/`, `cache/`, `bin/` | what every stack of this checkout shares |
| the state folder: `<checkout>/.goldloop/`, in tests a temporary one | one stack's data, logs, ports, credentials |
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]

KEPT_VARIABLES = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH",
)  # fmt: skip


@dataclass(frozen=True)
class Places:
    """The folders of one stack."""

    state: Path
    checkout: Path = CHECKOUT

    @property
    def shared(self) -> Path:
        """What all stacks of this checkout share."""
        return self.checkout / ".goldloop"

    @property
    def environments(self) -> Path:
        return self.shared / "environments"

    @property
    def cache(self) -> Path:
        return self.shared / "cache"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def store(self) -> Path:
        """The SQLite file of goldloop itself."""
        return self.state / "goldloop.db"


def demo_places() -> Places:
    """The places that `make demo` uses."""
    return Places(state=CHECKOUT / ".goldloop")


def base_environment() -> dict[str, str]:
    """The few variables that a server gets from the user's shell.

    Label Studio reads plain names like `HOST`, `DEBUG` and `USERNAME`, Prefect a profile: whatever stands in the
    shell for other purposes must not reach them.
    """
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {"PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}


def python_with(*arguments: str) -> list[str]:
    """A command line of this very Python."""
    return [sys.executable, *arguments]


def shown(path: Path) -> str:
    """A path as short as a reader in the current folder needs it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
