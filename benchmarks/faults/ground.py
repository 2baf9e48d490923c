"""Where a run takes place: the servers in a folder of their own, and what goldloop finds them by."""

import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.faults import codebook
from benchmarks.faults.stores import Disk, PostgresStore, SqliteStore
from goldloop.devstack import send
from goldloop.devstack.langfuse_server import StandInManner
from goldloop.devstack.places import Places, base_environment
from goldloop.devstack.processes import Process
from goldloop.devstack.stack import Part, Stack
from goldloop.errors import GoldloopError

LAG_SECONDS = 1.0
LOCK_SECONDS = 5
CONFIRM_SECONDS = 4
SEND_SECONDS = 120.0
PARTS = (Part.LANGFUSE, Part.LABEL_STUDIO, Part.PREFECT, Part.ML_BACKEND)
Store = SqliteStore | PostgresStore
_PROGRAM = Path(sys.executable).with_name("goldloop")


def stack_in(folder: Path, budget: int) -> Stack:
    """A stack that is still to be entered, and the codebook beside it, with a budget for so many traces."""
    codebook.write(folder / "codebooks", budget)
    manner = StandInManner(score_lag_seconds=LAG_SECONDS, observation_lag_seconds=LAG_SECONDS / 2)
    return Stack(Places(state=folder), manner=manner)


@dataclass
class Ground:
    """A started stack. `behind` says where goldloop's servers seem to be: the proxies."""

    stack: Stack
    disk: Disk
    store: Store
    behind: dict[str, str] = field(default_factory=dict)
    _runs: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def evals(self) -> Path:
        return self.disk.folder / "evals"

    def variables(self) -> dict[str, str]:
        """What every run of goldloop, each flow and the ML backend get on top of the stack's own."""
        return {
            "GOLDLOOP_STORE_URL": self.store.url,
            "GOLDLOOP_CODEBOOKS": str(self.stack.places.state / "codebooks"),
            "GOLDLOOP_QUEUE": codebook.QUEUE,
            "GOLDLOOP_EVALS": str(self.evals),
            "GOLDLOOP_LOCK_SECONDS": str(LOCK_SECONDS),
            "GOLDLOOP_CONFIRM_SECONDS": str(CONFIRM_SECONDS),
            "GOLDLOOP_PULL__LAG_SECONDS": str(round(2 * LAG_SECONDS)),
            "GOLDLOOP_PULL__CATEGORY": f"tag:{send.CATEGORY_TAG}",
            "GOLDLOOP_PULL__ENVIRONMENTS": send.ENVIRONMENT,
            "GOLDLOOP_JUDGE__MEMBERS": "learned,lexical",
            "GOLDLOOP_DEBUG": "1",
            **self.behind,
        }

    def start_run(self, arguments: Sequence[str], more: Mapping[str, str] | None = None) -> Process:
        """`goldloop ARGUMENTS` as a process of its own, or, where the first is `-m`, a module that stands for it."""
        command: list[str | Path] = [sys.executable, *arguments] if arguments[0] == "-m" else [_PROGRAM, *arguments]
        return self.stack.supervisor.start(
            f"run {next(self._runs):03}",
            command,
            environment=base_environment() | self.stack.environment() | self.variables() | dict(more or {}),
            folder=self.stack.places.checkout,
            grace_seconds=2.0,
        )

    def send(self, seed: int, numbers: range) -> None:
        """Have an app send these traces to Langfuse itself, with what its users said."""
        process = self.stack.supervisor.start(
            "app",
            [sys.executable, "-m", "benchmarks.faults.app", *map(str, (seed, numbers.start, numbers.stop))],
            environment=base_environment() | self.stack.environment(),
            folder=self.stack.places.checkout,
        )
        if process.wait(SEND_SECONDS) != 0:
            raise GoldloopError(f"the traces could not be sent: see {process.log}")

    def label_studio(self) -> httpx.Client:
        """Label Studio itself, as its administrator, to be closed by the caller."""
        server = self.stack.label_studio
        assert server
        headers = {"Authorization": f"Token {server.token.get_secret_value()}", "Connection": "close"}
        return httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False)

    def langfuse(self) -> httpx.Client:
        """Langfuse itself, with the project's keys, to be closed by the caller."""
        server = self.stack.langfuse
        assert server
        keys = (server.public_key, server.secret_key.get_secret_value())
        return httpx.Client(base_url=server.url, auth=keys, timeout=60, trust_env=False)
