"""The stand-in in this process, with a clock that the test turns."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from pydantic import SecretStr

from goldloop.devstack.langfuse import StandInSettings, create_app

API = "/api/public"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


class InProcess(httpx.BaseTransport):
    """Calls an ASGI app from synchronous tests, without a socket."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self._inner = httpx.ASGITransport(app)
        self._portal = portal

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._portal.call(self._send, request)

    async def _send(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@dataclass
class StandIn:
    """Speaks to the stand-in as a client with the right key would."""

    app: FastAPI
    client: httpx.Client
    clock: Clock
    spans: int = field(default=0)

    def close(self) -> None:
        self.client.close()
        self.app.state.storage.close()

    def advance(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.client.get(API + path, params=query)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.client.post(API + path, json=body)

    def scores(self, **query: Any) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = self.get("/v3/scores", **query).json()["data"]
        return data

    def score(self, score_id: str) -> dict[str, Any]:
        (score,) = self.scores(id=score_id, fields="details,subject,annotation")
        return score

    def observations(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.get("/v2/observations", **query)
        assert answer.status_code == 200, answer.text
        data: list[dict[str, Any]] = answer.json()["data"]
        return data

    def config(self, **fields: Any) -> str:
        config_id: str = self.post("/score-configs", fields).json()["id"]
        return config_id

    def ingest(self, *events: dict[str, Any]) -> dict[str, Any]:
        answer = self.post("/ingestion", {"batch": list(events)})
        assert answer.status_code == 207, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def span(self, **given: Any) -> tuple[str, str]:
        """Send one span; see `export` for what can be given. Returns its trace id and its own."""
        self.spans += 1
        numbers = {"trace_id": f"{self.spans:032x}", "span_id": f"{self.spans:016x}"}
        identity = {**numbers, **{key: given.pop(key) for key in numbers if key in given}}
        answer = self.client.post(
            f"{API}/otel/v1/traces",
            content=export([{"start": self.clock.now, **identity, **given}]),
            headers={"content-type": "application/x-protobuf"},
        )
        assert answer.status_code == 200, answer.text
        return identity["trace_id"], identity["span_id"]


def stand_in(folder: Path, portal: BlockingPortal, **settings: Any) -> StandIn:
    """A stand-in without lag unless `settings` say otherwise; `close` it."""
    clock = Clock()
    chosen = {"observation_lag": 0.0, "score_lag": 0.0, **settings}
    app = create_app(
        StandInSettings(database=folder / "stand-in.sqlite", secret_key=SecretStr("sk-test"), clock=clock, **chosen)
    )
    client = httpx.Client(transport=InProcess(app, portal), base_url="http://stand-in", auth=("pk-test", "sk-test"))
    return StandIn(app, client, clock)


def score_event(score_id: str, value: Any, at: datetime, *, event_id: str = "e", **body: Any) -> dict[str, Any]:
    """A score event of the batch endpoint on trace t1."""
    return {
        "id": event_id,
        "type": "score-create",
        "timestamp": at.isoformat(),
        "body": {"id": score_id, "traceId": "t1", "name": "quality", "value": value, **body},
    }


def export(spans: list[dict[str, Any]], scope: tuple[str, str] = ("langfuse-sdk", "5.0.4")) -> bytes:
    """An OTLP request.

    Args:
        spans: each with trace_id, span_id and start; as it likes with name, parent, end, attributes and resource.
        scope: the name and version of what made them.
    """
    request = ExportTraceServiceRequest()
    for given in spans:
        group = request.resource_spans.add()
        group.resource.attributes.extend(_pairs(given.get("resource", {})))
        scoped = group.scope_spans.add()
        scoped.scope.name, scoped.scope.version = scope
        span = scoped.spans.add(
            trace_id=bytes.fromhex(given["trace_id"]),
            span_id=bytes.fromhex(given["span_id"]),
            parent_span_id=bytes.fromhex(given.get("parent", "")),
            name=given.get("name", "answer"),
            start_time_unix_nano=_nanoseconds(given["start"]),
            end_time_unix_nano=_nanoseconds(given.get("end", given["start"])),
        )
        span.attributes.extend(_pairs(given.get("attributes", {})))
    serialized: bytes = request.SerializeToString()
    return serialized


def _nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def _pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in attributes.items()]


def _value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case list():
            return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
        case _:
            return AnyValue(string_value=value)
