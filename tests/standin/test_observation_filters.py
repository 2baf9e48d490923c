"""What the list of observations can be narrowed by."""

import json
from typing import Any

import pytest

from standin.support import StandIn


@pytest.fixture
def three(server: StandIn) -> StandIn:
    """Named a, b, c, one second apart."""
    for name, attributes in (
        ("a", {"user.id": "u1", "langfuse.trace.tags": ["x", "y"], "langfuse.environment": "prod"}),
        ("b", {"session.id": "s1", "langfuse.trace.tags": ["y"], "langfuse.environment": "dev"}),
        ("c", {"langfuse.observation.type": "tool", "langfuse.observation.metadata.k.v": '"it\'s 50%"'}),
    ):
        server.span(name=name, attributes=attributes)
        server.advance(1)
    return server


def names(server: StandIn, **query: Any) -> str:
    return "".join(row["name"] for row in server.observations(**query))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, "cba"),
        ({"traceId": f"{2:032x}"}, "b"),
        ({"userId": "u1"}, "a"),
        ({"sessionId": "s1"}, "b"),
        ({"name": "c"}, "c"),
        ({"type": "TOOL"}, "c"),
        ({"environment": ["prod", "dev"]}, "ba"),
        ({"environment": "default"}, "c"),
        ({"fromStartTime": "2026-03-01T12:00:01Z"}, "cb"),
        ({"toStartTime": "2026-03-01T13:00:01+01:00"}, "a"),
        ({"fromStartTime": "2026-03-01T12:00:00.000001Z"}, "cb"),
    ],
)
def test_simple_parameters(three: StandIn, query: dict[str, Any], found: str) -> None:
    assert names(three, **query) == found


def condition(kind: str, column: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, "column": column, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (condition("string", "name", "=", "a"), "a"),
        (condition("string", "environment", "contains", "ro"), "a"),
        (condition("string", "environment", "does not contain", "ro"), "cb"),
        (condition("string", "environment", "starts with", "d"), "cb"),
        (condition("stringOptions", "name", "any of", ["a", "c"]), "ca"),
        (condition("stringOptions", "name", "none of", ["a", "c"]), "b"),
        (condition("arrayOptions", "tags", "any of", ["x", "z"]), "a"),
        (condition("arrayOptions", "tags", "all of", ["x", "y"]), "a"),
        (condition("arrayOptions", "traceTags", "none of", ["x"]), "cb"),
        (condition("datetime", "startTime", ">=", "2026-03-01T12:00:01Z"), "cb"),
        (condition("datetime", "startTime", "<", "2026-03-01T12:00:01Z"), "a"),
        (condition("boolean", "isRootObservation", "=", False), ""),
        (condition("stringObject", "metadata", "=", "it's 50%", key="k.v"), "c"),
        (condition("stringObject", "metadata", "contains", "50", key="k.v"), "c"),
        (condition("stringObject", "metadata", "is not set", key="k.v"), "ba"),
        (condition("null", "userId", "is not null"), "a"),
    ],
)
def test_filters(three: StandIn, given: dict[str, Any], found: str) -> None:
    assert names(three, filter=json.dumps([given])) == found


def test_a_filter_overrides_the_parameter_of_its_column_alone(three: StandIn) -> None:
    by_name = json.dumps([condition("string", "name", "=", "a")])
    assert names(three, filter=by_name, name="b") == "a"
    assert names(three, filter=by_name, environment="dev") == ""


@pytest.mark.parametrize(
    "given",
    [
        "not json",
        '{"type": "string"}',
        json.dumps([condition("number", "latency", ">", 1)]),
        json.dumps([condition("string", "nope", "=", "a")]),
        json.dumps([condition("string", "name", "matches", "a")]),
        json.dumps([condition("string", "name", "=", 1)]),
    ],
)
def test_a_filter_that_it_cannot_do_is_refused(server: StandIn, given: str) -> None:
    assert server.get("/v2/observations", filter=given).status_code == 400
