"""The servers that a sync is measured on, and turns: goldloop and what it cannot beat, one after the other.

Label Studio is a real one on SQLite. Langfuse is the stand-in, without its lags unless a path asks for them: waiting
would hide goldloop's cost.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from goldloop.adapters import labelstudio, langfuse
from goldloop.adapters.labelstudio import LabelStudio
from goldloop.adapters.langfuse import Langfuse
from goldloop.bootstrap.memory import unwatched
from goldloop.devstack.langfuse_server import StandInManner
from goldloop.devstack.places import Places
from goldloop.devstack.stack import Part, Stack

SECONDS = 300.0


class Counted(httpx.HTTPTransport):
    """The network, with every request counted."""

    requests = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        return super().handle_request(request)


@dataclass(frozen=True)
class Servers:
    """Both servers; `database` is the stand-in's file."""

    folder: Path
    environment: dict[str, str]

    @property
    def database(self) -> Path:
        return self.folder / "state" / "langfuse" / "langfuse.db"

    def langfuse(self) -> Langfuse:
        told = self.environment
        return langfuse.connect(
            told["LANGFUSE_HOST"], SecretStr(told["LANGFUSE_PUBLIC_KEY"]), SecretStr(told["LANGFUSE_SECRET_KEY"])
        )

    def label_studio(self, transport: httpx.BaseTransport | None = None) -> LabelStudio:
        told = self.environment
        return labelstudio.connect(
            told["LABEL_STUDIO_URL"], SecretStr(told["LABEL_STUDIO_API_KEY"]), transport=transport
        )

    def raw_langfuse(self) -> httpx.Client:
        told = self.environment
        keys = (told["LANGFUSE_PUBLIC_KEY"], told["LANGFUSE_SECRET_KEY"])
        return httpx.Client(
            base_url=f"{told['LANGFUSE_HOST']}/api/public/", auth=keys, trust_env=False, timeout=SECONDS
        )

    def raw_label_studio(self) -> httpx.Client:
        """Without keep-alive, as goldloop's: the server holds each answer on a kept-alive connection back for 40 ms."""
        told = self.environment
        headers = {"Authorization": f"Token {told['LABEL_STUDIO_API_KEY']}", "Connection": "close"}
        url = f"{told['LABEL_STUDIO_URL']}/api/"
        return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=SECONDS)


AT_ONCE = StandInManner(score_lag_seconds=0, observation_lag_seconds=0)


@contextmanager
def serving(parts: frozenset[Part], manner: StandInManner = AT_ONCE) -> Iterator[Servers]:
    """These servers, new and empty; ended on the way out."""
    with tempfile.TemporaryDirectory(prefix="goldloop-bench-") as name:
        folder = Path(name)
        with Stack(Places(state=folder / "state"), manner=manner) as stack:
            stack.start(parts)
            yield Servers(folder, stack.environment())


@dataclass(frozen=True)
class Turns:
    """Seconds of each round."""

    ours: list[float]
    raw: list[float]

    @property
    def ratio(self) -> float:
        """Of the ceiling's speed, what goldloop reaches: the median of the rounds."""
        return statistics.median(raw / ours for ours, raw in zip(self.ours, self.raw, strict=True))

    @property
    def seconds(self) -> float:
        return statistics.median(self.ours)

    @property
    def ceiling(self) -> float:
        return statistics.median(self.raw)

    def plainly(self, count: int) -> str:
        return f"{count / self.seconds:,.0f} a second, the ceiling {count / self.ceiling:,.0f}"


def by_turns(ours: Callable[[int], float], raw: Callable[[int], float], rounds: int) -> Turns:
    """Both by turns, who begins changing each round; each is told the round's number and says how long it took."""
    seconds: dict[str, list[float]] = {"ours": [], "raw": []}
    with unwatched():  # as `Goldloop.run` has it
        _take_turns(ours, raw, rounds, seconds)
    return Turns(seconds["ours"], seconds["raw"])


def _take_turns(
    ours: Callable[[int], float], raw: Callable[[int], float], rounds: int, seconds: dict[str, list[float]]
) -> None:
    for number in range(rounds):
        both = [("ours", ours), ("raw", raw)]
        for name, run in both if number % 2 else both[::-1]:
            seconds[name].append(run(number))


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def silent(_done: int, _total: int | None, _usd: float | None = None) -> None:
    """Progress of a measurement: nobody looks."""
