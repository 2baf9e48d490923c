"""The local servers together: started side by side, found by one set of variables, ended as one."""

import concurrent.futures
import os
import random
import secrets
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from pydantic import SecretStr

from goldloop.devstack import prefect_server
from goldloop.devstack.credentials import Credentials
from goldloop.devstack.environments import label_studio_environment, ml_backend_environment
from goldloop.devstack.label_studio import LabelStudio, start_label_studio
from goldloop.devstack.langfuse_server import LangfuseStandIn, StandInManner, start_langfuse
from goldloop.devstack.local_ports import LocalPorts
from goldloop.devstack.locks import one_stack
from goldloop.devstack.ml_backend_server import MLBackend, start_ml_backend
from goldloop.devstack.places import Places
from goldloop.devstack.prefect_server import PrefectServer, start_prefect_server, start_prefect_worker
from goldloop.devstack.processes import Process, Progress, Supervisor
from goldloop.errors import ConfigError, GoldloopError
from goldloop.settings import Settings


class Part(StrEnum):
    """What a stack can start. The value names its port in `ports.json`."""

    LANGFUSE = "langfuse"
    LABEL_STUDIO = "label-studio"
    PREFECT = "prefect"
    ML_BACKEND = "ml-backend"


ALL_PARTS = frozenset(Part)


@dataclass(frozen=True)
class ExternalLangfuse:
    """A Langfuse that somebody else runs."""

    url: str
    public_key: str
    secret_key: SecretStr


@dataclass(frozen=True)
class ExternalLabelStudio:
    """A Label Studio that somebody else runs."""

    url: str
    token: SecretStr


@dataclass(frozen=True)
class ExternalServers:
    """The servers to use instead of local ones."""

    langfuse: ExternalLangfuse | None = None
    label_studio: ExternalLabelStudio | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Those that the settings name. Raises ConfigError where an address stands without its keys."""
        langfuse = label_studio = None
        if settings.langfuse_host:
            if settings.langfuse_public_key is None or settings.langfuse_secret_key is None:
                raise ConfigError(
                    "LANGFUSE_HOST is set without its keys: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY too, "
                    "or unset it to use the local stand-in."
                )
            public_key = settings.langfuse_public_key.get_secret_value()
            langfuse = ExternalLangfuse(settings.langfuse_host, public_key, settings.langfuse_secret_key)
        if settings.label_studio_url:
            if settings.label_studio_api_key is None:
                raise ConfigError(
                    "LABEL_STUDIO_URL is set without its key: set LABEL_STUDIO_API_KEY too, "
                    "or unset it to use a local server."
                )
            label_studio = ExternalLabelStudio(settings.label_studio_url, settings.label_studio_api_key)
        return cls(langfuse, label_studio)


def _silent(_part: str, _doing: str) -> None:
    """Tell nobody."""


@dataclass
class Stack:
    """The local servers of one state folder; leaving its `with` block ends every process of theirs.

    Raises LockedError on entering when another stack runs on the folder.
    """

    places: Places
    progress: Progress = _silent
    external: ExternalServers = ExternalServers()
    manner: StandInManner = field(default_factory=StandInManner)
    chooser: random.Random = field(default_factory=secrets.SystemRandom)
    langfuse: LangfuseStandIn | None = field(default=None, init=False)
    label_studio: LabelStudio | None = field(default=None, init=False)
    prefect: PrefectServer | None = field(default=None, init=False)
    ml_backend: MLBackend | None = field(default=None, init=False)
    worker: Process | None = field(default=None, init=False)
    credentials: Credentials = field(init=False)
    supervisor: Supervisor = field(init=False)
    _ports: LocalPorts = field(init=False)
    _exits: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        lock = self._exits.enter_context(one_stack(self.places.state))
        with ExitStack() as undo:
            undo.push(self._exits)
            self.credentials = Credentials.load_or_make(self.places.state / "credentials.json")
            self._ports = LocalPorts(self.places.state / "ports.json", self.chooser)
            self.supervisor = self._exits.enter_context(Supervisor(self.places.logs, hold=lock))
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def start(
        self, parts: Collection[Part] = ALL_PARTS, *, ml_backend_variables: Mapping[str, str] | None = None
    ) -> None:
        """Start these parts side by side and return when all of them answer; a part that is external is left out.

        The first failure ends the whole stack and is raised (StartError).
        """
        starts: dict[Part, Callable[[], None]] = {
            Part.LABEL_STUDIO: self._start_label_studio,
            Part.PREFECT: self._start_prefect,
            Part.LANGFUSE: self._start_langfuse,
            Part.ML_BACKEND: lambda: self._start_ml_backend(ml_backend_variables or {}),
        }
        external = {
            Part.LANGFUSE: self.external.langfuse is not None,
            Part.LABEL_STUDIO: self.external.label_studio is not None,
        }
        wanted = [start for part, start in starts.items() if part in parts and not external.get(part, False)]
        with concurrent.futures.ThreadPoolExecutor(max_workers=len(starts)) as pool:
            try:
                for done in concurrent.futures.as_completed([pool.submit(start) for start in wanted]):
                    done.result()
            except BaseException:
                self.supervisor.close()  # ends the waiting of the other threads too
                raise

    def start_worker(self, variables: Mapping[str, str] | None = None) -> Process:
        """Start the worker that runs flows with `environment()` and these variables on top."""
        environment = self.environment() | dict(variables or {})
        self.worker = start_prefect_worker(
            self.supervisor, self.places, self._prefect(), environment=environment, progress=self.progress
        )
        return self.worker

    def deploy(self, *, schedules: bool) -> None:
        """Register the checkout's flows with the Prefect server, started by schedule as well or only when asked."""
        prefect_server.deploy(
            self.supervisor,
            self.places,
            self._prefect(),
            environment=self.environment(),
            progress=self.progress,
            schedules=schedules,
        )

    def automate(self) -> None:
        """Have the Prefect server find dead runs and start them again."""
        prefect_server.automate(
            self.supervisor, self.places, self._prefect(), environment=self.environment(), progress=self.progress
        )

    def environment(self) -> dict[str, str]:
        """The variables by which goldloop, its flows and the vendors' SDKs find what runs now."""
        found = {"GOLDLOOP_STORE_URL": os.environ.get("GOLDLOOP_STORE_URL") or f"sqlite:///{self.places.store}"}
        if langfuse := self.external.langfuse or self.langfuse:
            found |= {
                "LANGFUSE_HOST": langfuse.url,
                "LANGFUSE_PUBLIC_KEY": langfuse.public_key,
                "LANGFUSE_SECRET_KEY": langfuse.secret_key.get_secret_value(),
            }
        if label_studio := self.external.label_studio or self.label_studio:
            found |= {
                "LABEL_STUDIO_URL": label_studio.url,
                "LABEL_STUDIO_API_KEY": label_studio.token.get_secret_value(),
            }
        if self.prefect:
            found |= self.prefect.environment()
        if self.ml_backend:
            found |= self.ml_backend.environment()
        return found

    def _prefect(self) -> PrefectServer:
        if self.prefect is None:
            raise GoldloopError("The Prefect server is not started: start it before its worker and the flows.")
        return self.prefect

    def _start_label_studio(self) -> None:
        environment = label_studio_environment(self.places)
        environment.ensure(self.supervisor, self.progress)
        self.label_studio = start_label_studio(
            self.supervisor,
            self.places,
            self.credentials,
            self._ports.take(Part.LABEL_STUDIO),
            environment=environment,
            progress=self.progress,
        )

    def _start_prefect(self) -> None:
        port = self._ports.take(Part.PREFECT)
        self.prefect = start_prefect_server(
            self.supervisor, self.places, self.credentials, port, progress=self.progress
        )

    def _start_langfuse(self) -> None:
        port = self._ports.take(Part.LANGFUSE)
        self.langfuse = start_langfuse(
            self.supervisor, self.places, self.credentials, port, manner=self.manner, progress=self.progress
        )

    def _start_ml_backend(self, variables: Mapping[str, str]) -> None:
        environment = ml_backend_environment(self.places)
        environment.ensure(self.supervisor, self.progress)
        users = {name: value for name, value in os.environ.items() if name.startswith("GOLDLOOP_")}
        self.ml_backend = start_ml_backend(
            self.supervisor,
            self.places,
            self.credentials,
            self._ports.take(Part.ML_BACKEND),
            environment=environment,
            variables=users | {"GOLDLOOP_STORE_URL": self.environment()["GOLDLOOP_STORE_URL"]} | dict(variables),
            progress=self.progress,
        )
