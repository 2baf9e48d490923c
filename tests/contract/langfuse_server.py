"""The Langfuse that the contract is tried on: the stand-in in this process, or a real server by the environment.

The traces come from the official SDK over OTLP. Every name and id is unique to the run, so a shared server will do.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import uvicorn
from langfuse import Langfuse as Sdk
from langfuse import propagate_attributes
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from pydantic import SecretStr

from goldloop.adapters.langfuse import Langfuse, connect
from goldloop.devstack.langfuse import StandInSettings, create_app
from goldloop.ports import ScoreSink

DEADLINE_S = 60.0
_REAL = ("GOLDLOOP_TEST_LANGFUSE_HOST", "GOLDLOOP_TEST_LANGFUSE_PUBLIC_KEY", "GOLDLOOP_TEST_LANGFUSE_SECRET_KEY")

FoundT = TypeVar("FoundT")


def eventually(look: Callable[[], FoundT], is_so: Callable[[FoundT], bool]) -> FoundT:
    """What `look` gives as soon as it `is_so`; after the deadline whatever it gives, for the assertion to show."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = look()
        if is_so(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def values_of(scores: ScoreSink, score_ids: list[str]) -> dict[str, str | float | None]:
    """What the server shows of them by now."""
    return {score_id: shown.value for score_id, shown in scores.read(score_ids).items()}


@dataclass(frozen=True)
class Server:
    """Where it is, and what the run calls its own there: `environment` is also part of every name."""

    host: str
    public_key: str
    secret_key: SecretStr
    environment: str = field(default_factory=lambda: f"contract-{uuid4().hex[:12]}")

    def connect(self, *, category: str = "name", secret_key: str | None = None, rootless: bool = True) -> Langfuse:
        return connect(
            self.host,
            SecretStr(self.public_key),
            self.secret_key if secret_key is None else SecretStr(secret_key),
            category=category,
            environments=[self.environment],
            rootless=rootless,
        )


def real_server() -> Server | None:
    host, public_key, secret_key = (os.environ.get(name, "") for name in _REAL)
    return Server(host, public_key, SecretStr(secret_key)) if host and public_key and secret_key else None


@contextmanager
def stand_in(folder: Path, *, version: str = "4.16.0") -> Iterator[Server]:
    """A stand-in on a free port, with lags as short as they can be and still be seen."""
    settings = StandInSettings(
        database=folder / "stand-in.sqlite",
        secret_key=SecretStr("sk-contract"),
        version=version,
        observation_lag=0.2,
        score_lag=0.4,
    )
    config = uvicorn.Config(create_app(settings), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    # With the protocol named, asyncio switches off the wait that would cost 40 ms an answer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # whoever comes before the server is up waits, and is not refused
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            # A public key of its own: the SDK keeps one client a key for the whole process.
            yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", f"pk-{uuid4().hex}", settings.secret_key)
        finally:
            server.should_exit = True
            thread.join(timeout=10)


class _ChosenTraceId(RandomIdGenerator):
    """Gives every new root the trace id that was chosen last."""

    trace_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id


class Writer:
    """An app that logs with the official SDK."""

    def __init__(self, server: Server) -> None:
        self._ids = _ChosenTraceId()
        self.sdk = Sdk(
            public_key=server.public_key,
            secret_key=server.secret_key.get_secret_value(),
            base_url=server.host,
            environment=server.environment,
            tracer_provider=TracerProvider(id_generator=self._ids),
        )

    def choose(self) -> str:
        """A fresh trace id, which the roots from now on have."""
        self._ids.trace_id = uuid4().int
        return f"{self._ids.trace_id:032x}"

    def rag(self) -> str:
        """A trace as a question-answering app makes it: retrieval, a tool and a model call below one root."""
        trace_id = self.choose()
        question = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which fee?"}]
        attributes = propagate_attributes(
            user_id="user-1", session_id="session-1", tags=["topic:billing", "beta"], metadata={"team": "north"}
        )
        with attributes, self.sdk.start_as_current_observation(name="answer", input={"messages": question}) as root:
            with self.sdk.start_as_current_observation(name="find", as_type="retriever", input="Which fee?") as found:
                found.update(output=[{"title": "Prices", "text": "The fee is 3 euros.", "score": 0.8}])
            with self.sdk.start_as_current_observation(name="today", as_type="tool", input={"zone": "UTC"}) as tool:
                tool.update(output="2026-11-21")
            with self.sdk.start_as_current_observation(
                name="complete", as_type="generation", model="model-a", input=question, cost_details={"total": 0.25}
            ) as call:
                call.update(output={"role": "assistant", "content": "3 euros."})
            root.update(output="The fee is 3 euros.")
        return trace_id

    def two_roots(self) -> str:
        trace_id = self.choose()
        for number in (1, 2):
            with self.sdk.start_as_current_observation(name=f"turn-{number}", input=f"question {number}") as root:
                root.update(output=f"answer {number}")
            # The server keeps milliseconds: the second root is to start in a later one.
            time.sleep(0.005)
        return trace_id

    def rootless(self) -> str:
        """The app died before its root ended, so only what was below it was sent."""
        trace_id = self.choose()
        root = self.sdk.start_observation(name="never-sent", input="lost")
        child = root.start_observation(name="inner", as_type="generation", input="Is it open?", model="model-b")
        child.update(output="Yes.")
        child.end()
        return trace_id

    def odd(self) -> str:
        """An output of no known shape, and characters that no database likes."""
        trace_id = self.choose()
        with self.sdk.start_as_current_observation(name="odd", input="bell \x07 and <b>tag</b>") as root:
            root.update(output={"verdict": ["a", 1], "sure": False})
        return trace_id

    def silent(self) -> str:
        trace_id = self.choose()
        with self.sdk.start_as_current_observation(name="silent", input="Anyone there?"):
            pass
        return trace_id

    def close(self) -> None:
        self.sdk.flush()
        self.sdk.shutdown()
