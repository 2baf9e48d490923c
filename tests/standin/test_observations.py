import base64
import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from standin.support import API, START, StandIn, export

ALL = "core,basic,time,io,metadata,model,usage,prompt,metrics,trace_context"


def test_a_row_with_the_default_fields(server: StandIn) -> None:
    trace_id, span_id = server.span(name="answer", end=START + timedelta(milliseconds=3))
    assert server.observations() == [
        {
            "id": span_id,
            "traceId": trace_id,
            "startTime": "2026-03-01T12:00:00.000Z",
            "endTime": "2026-03-01T12:00:00.003Z",
            "projectId": "stand-in",
            "parentObservationId": None,
            "type": "SPAN",
            "name": "answer",
            "level": "DEFAULT",
            "statusMessage": "",
            "version": "",
            "environment": "default",
            "latency": 0.003,
            "timeToFirstToken": None,
            "userId": "",
            "sessionId": "",
            "isRootObservation": True,
            "bookmarked": False,
            "public": False,
            "modelId": None,
            "inputPrice": None,
            "outputPrice": None,
            "totalPrice": None,
        }
    ]


def test_a_generation_with_all_fields(server: StandIn) -> None:
    server.span(
        name="llm",
        end=START + timedelta(seconds=2),
        resource={"langfuse.environment": "prod", "langfuse.release": "r7", "service.name": "app"},
        attributes={
            "langfuse.observation.type": "generation",
            "langfuse.observation.input": '[{"role": "user", "content": "hi"}]',
            "langfuse.observation.output": "hello",
            "langfuse.observation.model.name": "m-1",
            "langfuse.observation.model.parameters": '{"temperature": 0.5}',
            "langfuse.observation.usage_details": '{"input": 3, "output": 4}',
            "langfuse.observation.cost_details": '{"input": 0.25, "output": 0.5}',
            "langfuse.observation.completion_start_time": '"2026-03-01T12:00:00.500000Z"',
            "langfuse.observation.prompt.name": "support",
            "langfuse.observation.prompt.version": 3,
            "langfuse.observation.level": "WARNING",
            "langfuse.observation.status_message": "slow",
            "langfuse.observation.metadata.category": '"billing"',
            "langfuse.observation.metadata.nested": '{"a": {"b": 1}, "c": [1]}',
            "langfuse.trace.metadata.team": '"x"',
            "langfuse.version": "v2",
            "langfuse.trace.name": "chat",
            "langfuse.trace.tags": ["t1", "t2"],
            "user.id": "u1",
            "session.id": "s1",
        },
    )
    (row,) = server.observations(fields=ALL)
    expected = {
        "type": "GENERATION",
        "input": '[{"role": "user", "content": "hi"}]',
        "output": "hello",
        "environment": "prod",
        "release": "r7",
        "model": "m-1",
        "modelParameters": {"temperature": 0.5},
        "usageDetails": {"input": 3, "output": 4, "total": 7},
        "inputUsage": 3,
        "outputUsage": 4,
        "totalUsage": 7,
        "costDetails": {"input": 0.25, "output": 0.5, "total": 0.75},
        "totalCost": 0.75,
        "completionStartTime": "2026-03-01T12:00:00.500Z",
        "timeToFirstToken": 0.5,
        "latency": 2,
        "promptName": "support",
        "promptVersion": 3,
        "level": "WARNING",
        "statusMessage": "slow",
        "version": "v2",
        "traceName": "chat",
        "tags": ["t1", "t2"],
        "userId": "u1",
        "sessionId": "s1",
        "createdAt": "2026-03-01T12:00:00.000Z",
        "metadata": {
            "category": "billing",
            "nested.a.b": "1",
            "nested.c": "[1]",
            "team": "x",
            "scope.version": "5.0.4",
            "scope.name": "langfuse-sdk",
            "resourceAttributes.langfuse.environment": "prod",
            "resourceAttributes.langfuse.release": "r7",
            "resourceAttributes.service.name": "app",
        },
    }
    assert {key: row[key] for key in expected} == expected


def test_an_unset_row_with_all_fields(server: StandIn) -> None:
    server.span()
    (row,) = server.observations(fields=ALL)
    expected: dict[str, Any] = {
        "completionStartTime": None,
        "input": None,
        "output": None,
        "model": "",
        "internalModelId": "",
        "modelParameters": {},
        "usageDetails": {},
        "inputUsage": 0,
        "totalUsage": 0,
        "costDetails": {},
        "inputCost": None,
        "totalCost": 0,
        "promptId": "",
        "promptName": "",
        "promptVersion": None,
        "usagePricingTierId": None,
        "latency": None,
        "traceName": None,
        "release": "",
        "tags": [],
    }
    assert {key: row[key] for key in expected} == expected


def test_plain_opentelemetry(server: StandIn) -> None:
    body = export(
        [
            {
                "trace_id": "ab" * 16,
                "span_id": "cd" * 8,
                "start": START,
                "resource": {"deployment.environment": "staging"},
                "attributes": {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.request.model": "m-2",
                    "gen_ai.request.temperature": 1,
                    "gen_ai.usage.input_tokens": 5,
                    "gen_ai.input.messages": '[{"role": "user"}]',
                },
            }
        ],
        scope=("some-library", "1.0"),
    )
    server.client.post(f"{API}/otel/v1/traces", content=gzip.compress(body), headers={"content-encoding": "gzip"})
    (row,) = server.observations(fields=ALL)
    assert (row["type"], row["model"], row["environment"]) == ("GENERATION", "m-2", "staging")
    assert (row["input"], row["usageDetails"]) == ('[{"role": "user"}]', {"input": 5, "total": 5})
    assert row["modelParameters"] == {"temperature": 1}


@pytest.mark.parametrize(("content", "encoding"), [(b"\xff\xff\xff", ""), (b"not gzip", "gzip")])
def test_what_is_no_otlp_is_refused(server: StandIn, content: bytes, encoding: str) -> None:
    answer = server.client.post(f"{API}/otel/v1/traces", content=content, headers={"content-encoding": encoding})
    assert answer.status_code == 400


def test_the_same_span_again_replaces(make: Callable[..., StandIn]) -> None:
    server = make(observation_lag=1)
    trace_id, span_id = server.span(name="first")
    assert server.observations() == []
    server.advance(1)
    server.span(name="second", trace_id=trace_id, span_id=span_id, start=START)
    assert [row["name"] for row in server.observations()] == ["first"]
    server.advance(1)
    (row,) = server.observations(fields="basic,time")
    assert row["name"] == "second"
    assert (row["createdAt"], row["updatedAt"]) == ("2026-03-01T12:00:01.000Z", "2026-03-01T12:00:02.000Z")


def test_logical_roots(server: StandIn) -> None:
    server.span(name="root")
    server.span(name="child", parent="ee" * 8)
    server.span(name="app root", parent="ee" * 8, attributes={"langfuse.internal.is_app_root": True})
    roots = server.observations(isRootObservation="true")
    assert {row["name"]: row["parentObservationId"] for row in roots} == {"root": None, "app root": "ee" * 8}
    assert [row["name"] for row in server.observations(isRootObservation="false")] == ["child"]
    assert [row["name"] for row in server.observations(parentObservationId="")] == ["root"]


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "many"},
        {"fields": "core,nope"},
        {"fromStartTime": "yesterday"},
        {"isRootObservation": "maybe"},
        {"parseIoAsJson": "true"},
    ],
)
def test_a_malformed_parameter_is_refused(server: StandIn, query: dict[str, str]) -> None:
    assert server.get("/v2/observations", **query).status_code == 400


def test_the_limit(server: StandIn) -> None:
    answer = server.get("/v2/observations", limit=1001)
    assert answer.status_code == 400
    assert answer.json() == {
        "message": "Invalid request data",
        "error": [
            {
                "origin": "number",
                "code": "too_big",
                "maximum": 1000,
                "inclusive": True,
                "path": ["limit"],
                "message": "Too big: expected number to be <=1000",
            }
        ],
    }


def test_long_metadata_is_cut_unless_expanded(server: StandIn) -> None:
    server.span(attributes={"langfuse.observation.metadata.long": json.dumps("x" * 300)})
    (cut,) = server.observations(fields="metadata")
    (whole,) = server.observations(fields="metadata", expandMetadata="other,long")
    assert (len(cut["metadata"]["long"]), len(whole["metadata"]["long"])) == (200, 300)


def test_half_a_surrogate_pair_is_repaired(server: StandIn) -> None:
    server.span(attributes={"langfuse.observation.metadata.odd": '"\\ud83d"'})
    (row,) = server.observations(fields="metadata")
    assert row["metadata"]["odd"] == "\N{REPLACEMENT CHARACTER}"


def test_pages_of_twenty_thousand(server: StandIn) -> None:
    # Ten spans of one millisecond each, so that pages break within one start time.
    spans = [
        {
            "trace_id": f"{n // 2 + 1:032x}",
            "span_id": f"{n + 1:016x}",
            "parent": "" if n % 2 == 0 else f"{n:016x}",
            "start": START + timedelta(milliseconds=n // 10),
        }
        for n in range(20_000)
    ]
    for at in range(0, len(spans), 5000):
        server.client.post(f"{API}/otel/v1/traces", content=export(spans[at : at + 5000]))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = server.get("/v2/observations", limit=1000, isRootObservation="true", **cursor).json()
        seen += [row["id"] for row in page["data"]]
        if "cursor" not in page["meta"]:
            break
        cursor = {"cursor": page["meta"]["cursor"]}
    assert len(seen) == len(set(seen)) == 10_000
    assert sorted(json.loads(base64.b64decode(cursor["cursor"]))) == ["lastId", "lastStartTimeTo", "lastTraceId"]


@pytest.mark.parametrize("cursor", ["!!", base64.b64encode(b"[]").decode(), base64.b64encode(b"\xff").decode()])
def test_a_bad_cursor_is_refused(server: StandIn, cursor: str) -> None:
    answer = server.get("/v2/observations", cursor=cursor)
    assert (answer.status_code, answer.json()) == (
        400,
        {"message": "Invalid cursor format", "error": "InvalidRequestError"},
    )
