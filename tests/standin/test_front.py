"""What stands before the handlers, and the pages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from goldloop.devstack.langfuse import StandInSettings
from standin.support import API, StandIn

CREDENTIALS = "Invalid credentials. Confirm that you've configured the correct host."


def test_health_and_projects(server: StandIn) -> None:
    server.client.auth = httpx.Auth()
    assert server.get("/health").json() == {"status": "OK", "version": "4.16.0"}
    server.client.auth = ("pk-test", "sk-test")
    (project,) = server.get("/projects").json()["data"]
    assert (project["id"], set(project["organization"]), project["metadata"]) == ("stand-in", {"id", "name"}, {})


@pytest.mark.parametrize("auth", [None, ("pk-test", "wrong"), ("pk-test", "")])
def test_a_wrong_secret(server: StandIn, auth: tuple[str, str] | None) -> None:
    server.client.auth = auth or httpx.Auth()
    answer = server.get("/v2/observations")
    assert (answer.status_code, answer.json()) == (401, {"message": CREDENTIALS})
    assert server.client.post(f"{API}/otel/v1/traces", content=b"").status_code == 401
    ingestion = server.post("/ingestion", {"batch": []})
    assert ingestion.status_code == 401
    assert ingestion.json() == {"error": "UnauthorizedError", "message": CREDENTIALS}


@pytest.mark.parametrize("header", ["Bearer sk-test", "Basic %%%", "Basic"])
def test_other_authorizations(server: StandIn, header: str) -> None:
    server.client.auth = httpx.Auth()
    assert server.client.get(f"{API}/v3/scores", headers={"authorization": header}).status_code == 401


def test_the_public_key_is_not_checked(server: StandIn) -> None:
    server.client.auth = ("another", "sk-test")
    assert server.get("/v2/observations").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/traces",
        "/traces/t1",
        "/observations",
        "/observations/o1",
        "/sessions",
        "/sessions/s1",
        "/metrics",
        "/scores",
        "/scores/s1",
        "/v2/scores",
        "/v2/scores/s1",
    ],
)
def test_the_old_reads_are_gone_even_without_credentials(server: StandIn, path: str) -> None:
    server.client.auth = httpx.Auth()
    answer = server.get(path, limit="0")
    assert answer.status_code == 404
    assert "events_only" in answer.json()["message"]


def test_an_unknown_route_is_html(server: StandIn) -> None:
    answer = server.get("/nope")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_a_method_that_a_route_does_not_take(server: StandIn) -> None:
    answer = server.client.put(f"{API}/scores", json={})
    assert (answer.status_code, answer.json()) == (
        405,
        {"message": "Method not allowed", "error": "MethodNotAllowedError"},
    )


@pytest.mark.parametrize("content", [b"{nope", b"NaN", b"[" * 100_000, b'{"value": 1'])
def test_malformed_json(server: StandIn, content: bytes) -> None:
    answer = server.client.post(f"{API}/scores", content=content)
    assert (answer.status_code, answer.text) == (400, "Invalid JSON")


def test_content_types(server: StandIn) -> None:
    assert server.get("/v3/scores").headers["content-type"] == "application/json; charset=utf-8"


def test_a_body_over_the_limit(server: StandIn) -> None:
    answer = server.client.post(f"{API}/scores", content=b" " * (4_718_592 + 1))
    assert (answer.status_code, answer.text) == (413, "Body exceeded 4.5mb limit")
    assert server.client.post(f"{API}/scores", content=b" " * 4_718_592).status_code == 400


def test_odd_text_is_kept_as_far_as_it_can_be(server: StandIn) -> None:
    body = b'{"id": "s1", "traceId": "t", "name": "a\\u0000b\\ud800", "value": 1e400}'
    assert server.client.post(f"{API}/scores", content=body).status_code == 400
    server.client.post(f"{API}/scores", content=body.replace(b"1e400", b"1"))
    assert server.score("s1")["name"] == "a\0b\N{REPLACEMENT CHARACTER}"


def test_a_number_beyond_the_largest_is_null(server: StandIn) -> None:
    body = b'{"id": "s1", "traceId": "t", "name": "q", "value": 1, "metadata": {"n": 1e400}}'
    server.client.post(f"{API}/scores", content=body)
    assert server.score("s1")["metadata"] == {"n": None}


def test_what_was_accepted_outlives_a_restart(make: Callable[..., StandIn]) -> None:
    before = make(score_lag=5, observation_lag=5)
    before.post("/scores", {"id": "s1", "traceId": "t", "name": "q", "value": 1})
    before.span(name="root")
    after = make()
    assert (after.scores(), after.observations()) == ([], [])
    after.advance(5)
    assert (after.score("s1")["value"], after.observations()[0]["name"]) == (1, "root")


def test_the_rate_limit(make: Callable[..., StandIn]) -> None:
    server = make(rate_limit=2)
    assert [server.get("/v3/scores").status_code for _ in range(2)] == [200, 200]
    server.advance(0.5)
    answer = server.get("/v2/observations")
    assert answer.status_code == 429
    assert answer.json() == {
        "message": "Rate limit exceeded",
        "code": "rate_limited",
        "details": {
            "retryAfterSeconds": 60,
            "limit": 2,
            "remaining": 0,
            "resetAt": "2026-03-01T12:01:00.000Z",
        },
    }
    assert answer.headers["retry-after"] == "60"
    assert answer.headers["x-ratelimit-limit"] == "2"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert answer.headers["x-ratelimit-reset"] == "Sun Mar 01 2026 12:01:00 GMT+0000 (Coordinated Universal Time)"
    assert server.get("/health").status_code == 200
    server.advance(59.5)
    assert server.get("/v3/scores").status_code == 200


def test_the_first_page_says_what_it_is(server: StandIn) -> None:
    server.span(name="<b>")
    server.post("/scores", {"id": "s1", "traceId": "t1", "name": "q", "value": "<script>"})
    server.client.auth = httpx.Auth()
    page = server.client.get("/")
    assert "This is not Langfuse." in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert "<td>traces</td><td>1</td>" in page.text


def test_a_traces_page_shows_its_steps_and_scores(server: StandIn) -> None:
    attributes = {"langfuse.observation.input": "<img src=x onerror=alert(1)>", "langfuse.observation.output": "fine"}
    trace_id, span_id = server.span(name="root", attributes=attributes)
    server.span(name="child", trace_id=trace_id, span_id="ab" * 8, parent=span_id)
    server.post("/scores", {"traceId": trace_id, "name": "human_quality", "value": "pass", "comment": "well done"})
    page = server.client.get(f"/project/any/traces/{trace_id}")
    assert page.status_code == 200
    for text in ("This is not Langfuse.", "root", "child", "&lt;img src=x", "fine", "human_quality", "well done"):
        assert text in page.text
    assert "<img" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert server.client.get("/project/any/traces/nope").status_code == 404


@pytest.mark.parametrize("version", ["4", "latest", "4.x.0"])
def test_a_version_that_is_none(tmp_path: Path, version: str) -> None:
    settings: dict[str, Any] = {"database": tmp_path / "x", "secret_key": "s", "version": version}
    with pytest.raises(ValueError, match="give one such as"):
        StandInSettings(**settings)
