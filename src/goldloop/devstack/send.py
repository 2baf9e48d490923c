"""The demo's traces, sent as an app would send them: by the official SDK over OTLP, the users' signals as scores.

Ids of traces and spans come from the file's ids, so that sending again replaces and never doubles. The spans are
dated by the file: the SDK's own `start_observation` cannot do that, so they are made by OpenTelemetry's API and go
out through the SDK's span processor.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from langfuse import Langfuse
from langfuse import LangfuseOtelSpanAttributes as Attribute
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import set_span_in_context
from opentelemetry.util.types import AttributeValue
from pydantic import JsonValue, SecretStr

from goldloop import ids
from goldloop.devstack.tracefile import FileTrace
from goldloop.ports import ScoreSink
from goldloop.records import Score, ScoreType

ENVIRONMENT = "goldloop-demo"
CATEGORY_TAG = "category:"

_ALTERNATIVE = f"{Attribute.OBSERVATION_METADATA}.alternative_output"
"""Where goldloop looks for the second answer of a trace."""
_LATENCY = timedelta(seconds=2)
_FLUSH_EVERY = 100
"""Traces: fewer spans than the exporter's queue takes before it drops some."""


def trace_id(file_id: str) -> str:
    """The Langfuse trace id of a file's trace, derived from a seed as the SDK does it."""
    return Langfuse.create_trace_id(seed=f"goldloop/{file_id}")


def shift_to(traces: Sequence[FileTrace], newest: datetime) -> timedelta:
    """What to add to every time of the file, so that its last trace lies at `newest`: young enough to be drawn."""
    return newest - max(trace.timestamp for trace in traces)


@dataclass(frozen=True)
class Destination:
    """The Langfuse project that traces are sent to."""

    host: str
    public_key: SecretStr
    secret_key: SecretStr


def send_traces(
    traces: Collection[FileTrace], to: Destination, shift: timedelta, sent: Callable[[int, int | None], None]
) -> None:
    """Send and flush; `sent` is told how many so far."""
    span_ids = _Ids()
    provider = TracerProvider(id_generator=span_ids, shutdown_on_exit=False)
    client = Langfuse(
        public_key=to.public_key.get_secret_value(),
        secret_key=to.secret_key.get_secret_value(),
        host=to.host,
        tracer_provider=provider,
        should_export_span=lambda _span: True,  # by default the SDK sends only spans that it made itself
    )
    try:
        tracer = provider.get_tracer("goldloop.demo")
        for done, trace in enumerate(traces, start=1):
            span_ids.begin(trace.id)
            begins = trace.timestamp + shift
            spans = list(_spans(trace, begins))
            root = tracer.start_span(
                spans[0].name, start_time=_ns(spans[0].begins), attributes=_trace_wide(trace) | spans[0].attributes
            )
            inside = set_span_in_context(root)
            for span in spans[1:]:
                attributes = _trace_wide(trace) | span.attributes
                child = tracer.start_span(span.name, inside, start_time=_ns(span.begins), attributes=attributes)
                child.end(_ns(span.ends))
            root.end(_ns(spans[0].ends))
            if done % _FLUSH_EVERY == 0:
                client.flush()
            sent(done, len(traces))
    finally:
        client.flush()
        client.shutdown()


def send_signals(traces: Sequence[FileTrace], scores: ScoreSink, shift: timedelta) -> list[str]:
    """What users said and did, as scores with the trace's environment; the ids of those that the server took."""
    signals = [
        Score(
            score_id=ids.key("demo-signal", trace.id, signal.name),
            trace_id=trace_id(trace.id),
            name=signal.name,
            data_type=ScoreType.NUMERIC,
            value=signal.value,
            comment=signal.comment,
            environment=ENVIRONMENT,
            event_at=trace.timestamp + shift + timedelta(seconds=60),
        )
        for trace in traces
        for signal in trace.signals
    ]
    return [receipt.key for receipt in scores.send(signals) if receipt.accepted]


class _Ids(IdGenerator):
    """Trace ids from the file's id, span ids from that and their number in the trace."""

    def __init__(self) -> None:
        self._trace = ""
        self._spans = 0

    def begin(self, file_id: str) -> None:
        self._trace, self._spans = file_id, 0

    def generate_trace_id(self) -> int:
        return int(trace_id(self._trace), 16)

    def generate_span_id(self) -> int:
        self._spans += 1
        return int.from_bytes(hashlib.sha256(f"{self._trace}/{self._spans}".encode()).digest()[:8])


@dataclass(frozen=True)
class _Span:
    name: str
    begins: datetime
    ends: datetime
    attributes: dict[str, AttributeValue]


def _spans(trace: FileTrace, begins: datetime) -> Iterator[_Span]:
    """The root, then its children one after the other: retrieval, the steps, the generation."""
    ends = begins + (timedelta(seconds=trace.latency_s) if trace.latency_s else _LATENCY)
    messages: JsonValue = [message.model_dump() for message in trace.input]
    root = _observation("span", messages, trace.output)
    if trace.alternative is not None:
        root[_ALTERNATIVE] = trace.alternative
    yield _Span(trace.name, begins, ends, root)
    children: list[tuple[str, dict[str, AttributeValue]]] = []
    if trace.context:
        documents: JsonValue = [document.model_dump(exclude_none=True) for document in trace.context]
        children.append(("retrieve", _observation("retriever", trace.input[-1].content, documents)))
    steps = [step for step in trace.steps if step.type != "retriever" or not trace.context]  # else it is there already
    children += [(step.name, _observation(step.type, step.input, step.output)) for step in steps]
    answering = _observation("generation", messages, trace.output)
    if trace.model:
        answering[Attribute.OBSERVATION_MODEL] = trace.model
    answering[Attribute.OBSERVATION_MODEL_PARAMETERS] = json.dumps(trace.model_params)
    if trace.cost_usd is not None:
        answering[Attribute.OBSERVATION_COST_DETAILS] = json.dumps({"total": trace.cost_usd})
    children.append(("answer", answering))
    share = (ends - begins) / len(children)
    for place, (name, attributes) in enumerate(children):
        yield _Span(name, begins + share * place, begins + share * (place + 1), attributes)


def _observation(kind: str, given: JsonValue, output: JsonValue) -> dict[str, AttributeValue]:
    return {
        Attribute.OBSERVATION_TYPE: kind,
        Attribute.OBSERVATION_INPUT: _serialised(given),
        Attribute.OBSERVATION_OUTPUT: _serialised(output),
    }


def _serialised(value: JsonValue) -> str:
    """As the SDK does it: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _trace_wide(trace: FileTrace) -> dict[str, AttributeValue]:
    """What every span of a trace carries: Langfuse shows an observation's own, not the trace's."""
    attributes: dict[str, AttributeValue] = {
        Attribute.ENVIRONMENT: ENVIRONMENT,  # the client's own setting reaches only a provider that it made itself
        Attribute.TRACE_NAME: trace.name,
        Attribute.TRACE_TAGS: [f"{CATEGORY_TAG}{trace.category}", *trace.tags],
    }
    optional = {
        Attribute.TRACE_USER_ID: trace.user_id,
        Attribute.TRACE_SESSION_ID: trace.session_id,
        Attribute.VERSION: trace.release,
    }
    return attributes | {name: value for name, value in optional.items() if value}


def _ns(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000) * 1000
