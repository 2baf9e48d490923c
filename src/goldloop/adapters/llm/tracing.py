"""Each call to a model as a trace in Langfuse, by its SDK, where that is switched on.

What was judged is not sent again: the call's trace names the trace that it is about. A call that cannot be traced is a
line in the log, and never a judgement less.
"""

# ruff: noqa: PLC0415 - the SDK is imported where it is switched on, and nowhere else

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr

from goldloop.errors import ConfigError
from goldloop.judge.settings import JUDGE_ENVIRONMENT
from goldloop.records import Value

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class TracedCall:
    """A call that was made: to which model, about which trace, what it took, and the verdict, if it gave one."""

    judge: str
    judge_version: str
    model: str
    run: str
    queue: str
    trace_id: str
    outcome: str
    verdict: Value | None
    input_tokens: int
    output_tokens: int
    usd: float | None
    seconds: float


class Tracer(Protocol):
    """Takes calls in; never raises."""

    def call(self, made: TracedCall) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class LangfuseTracer:
    """Sends them by a Langfuse client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def call(self, made: TracedCall) -> None:
        try:
            details = {"input": made.input_tokens, "output": made.output_tokens}
            generation = self._client.start_observation(
                name="judge",
                as_type="generation",
                model=made.model,
                output={"outcome": made.outcome, "verdict": made.verdict},
                usage_details=details,
                cost_details=None if made.usd is None else {"total": made.usd},
                metadata={
                    "judged_trace_id": made.trace_id,
                    "queue": made.queue,
                    "judge": made.judge,
                    "judge_version": made.judge_version,
                    "run": made.run,
                    "latency_s": round(made.seconds, 3),
                },
            )
            generation.end()
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises, the judgement stands
            _complain(error)

    def flush(self) -> None:
        try:
            self._client.flush()
        except Exception as error:  # noqa: BLE001 - likewise
            _complain(error)

    def close(self) -> None:
        # The SDK keeps one client for each public key, for the life of the process: once shut down it is dead for all.
        self.flush()


def langfuse_tracer(host: str, public_key: SecretStr, secret_key: SecretStr) -> LangfuseTracer:
    """Raises: ConfigError: the extra `tracing` is missing."""
    try:
        from langfuse import Langfuse
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError as error:
        raise ConfigError(
            "GOLDLOOP_JUDGE__TRACE is set, and Langfuse's SDK is not installed: install goldloop with the extra "
            "`tracing`, or unset it."
        ) from error
    # A provider of its own: the process's may belong to somebody else, who would get these spans, or lend theirs.
    return LangfuseTracer(
        Langfuse(
            base_url=host,
            public_key=public_key.get_secret_value(),
            secret_key=secret_key.get_secret_value(),
            environment=JUDGE_ENVIRONMENT,
            tracer_provider=TracerProvider(),
        )
    )


def _complain(error: Exception) -> None:
    _LOG.warning("calls to the model could not be traced to Langfuse (%s)", type(error).__name__)
