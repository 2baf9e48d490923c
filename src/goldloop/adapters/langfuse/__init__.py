"""Langfuse over its public HTTP API, servers from 4.16: traces in, scores and eval rows out."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
from pydantic import SecretStr

from goldloop.adapters.langfuse.datasets import LangfuseDatasets
from goldloop.adapters.langfuse.http import Api
from goldloop.adapters.langfuse.score_configs import LangfuseScoreConfigs
from goldloop.adapters.langfuse.scores import LangfuseScores
from goldloop.adapters.langfuse.traces import LangfuseSource
from goldloop.adapters.retries import Retries

__all__ = [
    "Langfuse",
    "LangfuseDatasets",
    "LangfuseScoreConfigs",
    "LangfuseScores",
    "LangfuseSource",
    "Retries",
    "connect",
]


@dataclass(frozen=True)
class Langfuse:
    """One project of one server: the four ports over one client. Close it, or use it as a context."""

    source: LangfuseSource
    scores: LangfuseScores
    score_configs: LangfuseScoreConfigs
    datasets: LangfuseDatasets
    api: Api

    def close(self) -> None:
        self.api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def connect(  # noqa: PLR0913 - each is a setting, and named at the call
    host: str,
    public_key: SecretStr,
    secret_key: SecretStr,
    *,
    category: str = "name",
    environments: Sequence[str] = (),
    rootless: bool = True,
    cluster: str | None = None,
    sketch: bool = False,
    public_url: str | None = None,
    transport: httpx.BaseTransport | None = None,
    retries: Retries | None = None,
) -> Langfuse:
    """The adapter, without a call yet: `source.check()` makes the first.

    Args:
        host: the server's address, such as `https://cloud.langfuse.com`.
        public_key: the project's.
        secret_key: the project's; it alone decides what the server opens.
        category: which field tells the strata apart, see `CategoryRule`.
        environments: only traces of these; all where empty.
        rootless: also look for traces that show no root observation.
        cluster: which field names a candidate's cluster, by the same rules; none without it.
        sketch: also read the roots' input, of which a sketch is kept.
        public_url: the address that people use, where it is another.
        transport: takes the network's place in tests.
        retries: when to try again; the default waits some seconds in all.

    Raises:
        ConfigError: the host is no address, or the rule of category or cluster is unknown.
    """
    api = Api(host, public_key, secret_key, transport=transport, retries=retries)
    configs = LangfuseScoreConfigs(api)
    return Langfuse(
        source=LangfuseSource(
            api,
            category=category,
            environments=environments,
            rootless=rootless,
            cluster=cluster,
            sketch=sketch,
            public_url=public_url,
        ),
        scores=LangfuseScores(api, configs),
        score_configs=configs,
        datasets=LangfuseDatasets(api),
        api=api,
    )
