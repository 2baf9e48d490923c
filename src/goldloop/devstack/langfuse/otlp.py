"""OTLP spans to observations, by the attributes that the Langfuse SDK 5 sends (and some of OpenTelemetry's gen_ai).

An observation carries what its own span said: user, session, tags and trace name of a trace stand on each span that the
SDK propagated them to, and on no other.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped] # no stubs in the lock file
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from goldloop.devstack.langfuse import answers, times

Attributes = dict[str, Any]

_OBSERVATION = "langfuse.observation."
_METADATA_PREFIXES = ("langfuse.trace.metadata", "langfuse.observation.metadata")
_TYPES = frozenset(
    "SPAN GENERATION EVENT EMBEDDING AGENT TOOL CHAIN RETRIEVER EVALUATOR GUARDRAIL".split()  # noqa: SIM905 - a table
)
_TYPE_OF_OPERATION = {
    "chat": "GENERATION",
    "text_completion": "GENERATION",
    "generate_content": "GENERATION",
    "embeddings": "EMBEDDING",
    "invoke_agent": "AGENT",
    "create_agent": "AGENT",
    "execute_tool": "TOOL",
}


def read_export(body: bytes, encoding: str) -> list[dict[str, Any]]:
    """The observations of one export request.

    Args:
        body: an ExportTraceServiceRequest as protobuf.
        encoding: the Content-Encoding header: "gzip" or nothing.

    Raises:
        AnswerError: 400, not protobuf or not gzip.
    """
    try:
        plain = gzip.decompress(body) if "gzip" in encoding else body
        request = ExportTraceServiceRequest.FromString(plain)
    except (DecodeError, OSError, EOFError, zlib.error) as error:
        raise answers.refused("Failed to parse OTel Protobuf Trace") from error
    return [
        observation(span, resource, _scope_metadata(scoped), _encodes_metadata(scoped))
        for group in request.resource_spans
        for resource in [_attributes(group.resource.attributes)]
        for scoped in group.scope_spans
        for span in scoped.spans
    ]


def observation(span: Span, resource: Attributes, scope: Mapping[str, Any], metadata_is_json: bool) -> dict[str, Any]:
    """One span as a row of `observations`, without its times of arrival."""
    said = _attributes(span.attributes)
    model = _first(said, _OBSERVATION + "model.name", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
    failed = span.status.code == Status.STATUS_CODE_ERROR
    parent = span.parent_span_id.hex() or None
    completion_start = _json(said.get(_OBSERVATION + "completion_start_time"))
    metadata = {
        **_metadata(said, metadata_is_json),
        **_flat(scope, "scope"),
        **_flat(resource, "resourceAttributes"),
    }
    return {
        "trace_id": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "start_ms": span.start_time_unix_nano // 1_000_000,
        "end_ms": span.end_time_unix_nano // 1_000_000 or None,
        "parent_id": parent,
        "is_root": parent is None or said.get("langfuse.internal.is_app_root") is True,
        "type": _type(said, model),
        "name": span.name,
        "level": str(said.get(_OBSERVATION + "level", "ERROR" if failed else "DEFAULT")),
        "status_message": str(said.get(_OBSERVATION + "status_message", span.status.message)),
        "version": str(said.get("langfuse.version", resource.get("service.version", ""))),
        "environment": str(
            _first(
                {**resource, **said}, "langfuse.environment", "deployment.environment.name", "deployment.environment"
            )
            or "default"
        ),
        "user_id": str(_first(said, "langfuse.user.id", "user.id") or ""),
        "session_id": str(_first(said, "langfuse.session.id", "session.id", "gen_ai.conversation.id") or ""),
        "trace_name": said.get("langfuse.trace.name"),
        "release": str(_first({**resource, **said}, "langfuse.release") or ""),
        "public": said.get("langfuse.trace.public") is True,
        "model": str(model or ""),
        "prompt_name": str(said.get(_OBSERVATION + "prompt.name", "")),
        "prompt_version": said.get(_OBSERVATION + "prompt.version"),
        "completion_start_ms": _ms(completion_start),
        "tags": _tags(said.get("langfuse.trace.tags")),
        "model_parameters": _object(said.get(_OBSERVATION + "model.parameters")) or _gen_ai_parameters(said),
        "usage": _with_total(_object(said.get(_OBSERVATION + "usage_details")) or _gen_ai_usage(said)),
        "cost": _with_total(_object(said.get(_OBSERVATION + "cost_details"))),
        "metadata": metadata,
        "input": _text(_first(said, _OBSERVATION + "input", "gen_ai.input.messages", "input.value")),
        "output": _text(_first(said, _OBSERVATION + "output", "gen_ai.output.messages", "output.value")),
    }


def _attributes(pairs: Sequence[KeyValue]) -> Attributes:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return [_value(each) for each in value.array_value.values]
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
        case "bytes_value":
            return value.bytes_value.hex()
        case "double_value" if not math.isfinite(value.double_value):
            # JSON has no number for it.
            return str(value.double_value)
        case _:
            return getattr(value, kind)


def _scope_metadata(scoped: Any) -> Attributes:
    return {
        "attributes": _attributes(scoped.scope.attributes),
        "version": scoped.scope.version,
        "name": scoped.scope.name,
    }


def _encodes_metadata(scoped: Any) -> bool:
    """Whether each metadata value is JSON, strings too: so since version 5 of the SDK."""
    major = scoped.scope.version.partition(".")[0]
    return scoped.scope.name == "langfuse-sdk" and major.isdecimal() and int(major) >= 5  # noqa: PLR2004 - see above


def _metadata(said: Attributes, is_json: bool) -> dict[str, str]:
    """Dotted keys to strings: nested objects are flattened, other values are JSON text."""
    found: dict[str, str] = {}
    for prefix in _METADATA_PREFIXES:
        whole = _json(said.get(prefix))
        if whole is not None:
            found.update(_flat(whole) if isinstance(whole, dict) else {"metadata": _text(whole) or ""})
        for key, value in said.items():
            if key.startswith(prefix + "."):
                decoded = _json(value) if is_json else value
                found.update(_flat({key.removeprefix(prefix + "."): decoded}))
    return found


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    return dict(_leaves(nested, prefix))


def _leaves(nested: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in nested.items():
        path = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict):
            yield from _leaves(value, path)
        elif value is not None:
            yield path, _text(value) or ""


def _type(said: Attributes, model: Any) -> str:
    named = str(said.get(_OBSERVATION + "type", "")).upper()
    if named in _TYPES:
        return named
    operation = str(said.get("gen_ai.operation.name", ""))
    return _TYPE_OF_OPERATION.get(operation, "GENERATION" if model else "SPAN")


def _first(said: Mapping[str, Any], *keys: str) -> Any:
    return next((said[key] for key in keys if said.get(key) not in (None, "")), None)


def _json(value: Any) -> Any:
    """The value behind JSON text; text that is no JSON is itself."""
    if not isinstance(value, str):
        return value
    try:
        return answers.loads(value)
    except ValueError:
        return value


def _object(value: Any) -> dict[str, Any]:
    decoded = _json(value)
    return decoded if isinstance(decoded, dict) else {}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _tags(value: Any) -> list[str]:
    decoded = _json(value)
    if isinstance(decoded, list):
        return [str(tag) for tag in decoded]
    return [str(decoded)] if decoded else []


def _ms(value: Any) -> int | None:
    try:
        return times.to_ms(times.parse(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _gen_ai_usage(said: Attributes) -> dict[str, Any]:
    counts = {
        "input": _first(said, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
        "output": _first(said, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    }
    return {key: value for key, value in counts.items() if value is not None}


def _gen_ai_parameters(said: Attributes) -> dict[str, Any]:
    prefix = "gen_ai.request."
    return {
        key.removeprefix(prefix): value
        for key, value in said.items()
        if key.startswith(prefix) and key != prefix + "model"
    }


def _with_total(details: dict[str, Any]) -> dict[str, Any]:
    numbers = {key: value for key, value in details.items() if isinstance(value, int | float)}
    if numbers and "total" not in numbers:
        numbers["total"] = sum(numbers.values())
    return numbers
