"""Each call as a trace in Langfuse, as its SDK sends it."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from builders import trace
from builders_llm import SECRET, SMALL, Model, completion, judging, openai_error, said
from goldloop.adapters.llm.tracing import LangfuseTracer, langfuse_tracer
from goldloop.devstack.langfuse import otlp
from goldloop.errors import ConfigError
from goldloop.records import Judgement

FINE = completion(said("fail", sure=0.8))


@pytest.fixture
def spans(httpserver: HTTPServer) -> list[dict[str, Any]]:
    """What came to Langfuse, as the stand-in reads it."""
    seen: list[dict[str, Any]] = []

    def take(request: Request) -> Response:
        seen.extend(otlp.read_export(request.get_data(), request.headers.get("content-encoding", "")))
        return Response(b"", content_type="application/x-protobuf")

    httpserver.expect_request("/api/public/otel/v1/traces", method="POST").respond_with_handler(take)
    return seen


@pytest.fixture
def tracer(httpserver: HTTPServer) -> Iterator[LangfuseTracer]:
    made = langfuse_tracer(httpserver.url_for(""), SecretStr("pk-lf-judge"), SecretStr("sk-lf-1"))
    yield made
    made.close()


def test_each_call_is_a_trace_of_its_own(
    httpserver: HTTPServer, spans: list[dict[str, Any]], tracer: LangfuseTracer
) -> None:
    model = Model(httpserver, completion("?"), FINE)
    with judging(model, tracer=tracer, run="r7") as judge:
        judge.judge(SMALL, [trace("t1", output="canary-5b1f")])
        judge.judge(SMALL, [trace("t1", output="canary-5b1f")])  # known by now: no call
        version = judge.version(SMALL)
    assert len(spans) == 2
    assert len({span["trace_id"] for span in spans}) == 2
    whole = str(spans)
    assert SECRET not in whole
    assert "canary-5b1f" not in whole
    by_outcome = {json.loads(span["output"])["outcome"]: span for span in spans}
    assert by_outcome.keys() == {"unusable", "answered"}
    answered = by_outcome["answered"]
    assert (answered["environment"], answered["name"], answered["type"]) == ("goldloop-judge", "judge", "GENERATION")
    assert answered["model"] == "gpt-4.1-mini"
    assert json.loads(answered["output"]) == {"outcome": "answered", "verdict": "fail"}
    assert {name: answered["usage"][name] for name in ("input", "output")} == {"input": 1000, "output": 50}
    assert answered["cost"]["total"] == pytest.approx(0.00048)
    told = answered["metadata"]
    assert (told["judged_trace_id"], told["run"], told["judge_version"]) == ("t1", "r7", version)
    assert (told["queue"], told["judge"]) == (SMALL.name, "llm:openai:gpt-4.1-mini")


def test_a_call_that_fails_is_traced_too(
    httpserver: HTTPServer, spans: list[dict[str, Any]], tracer: LangfuseTracer
) -> None:
    with judging(Model(httpserver, openai_error(500, None)), tracer=tracer, attempts=1) as judge:
        judge.judge(SMALL, [trace()])
    assert [json.loads(span["output"]) for span in spans] == [{"outcome": "failed", "verdict": None}]


def test_what_cannot_be_traced_is_judged_all_the_same(httpserver: HTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def start_observation(self, **_: Any) -> None:
            raise RuntimeError("canary-5b1f")

        def flush(self) -> None:
            raise RuntimeError("canary-5b1f")

    tracer = LangfuseTracer(Broken())
    with judging(Model(httpserver, FINE), tracer=tracer) as judge:
        (found,) = judge.judge(SMALL, [trace()])
    tracer.close()
    assert isinstance(found, Judgement)
    warned = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.getMessage() for record in warned] == [
        "calls to the model could not be traced to Langfuse (RuntimeError)"
    ] * 3


def test_the_sdk_is_not_needed_where_nothing_is_traced(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langfuse", None)  # importing it fails from here on
    with judging(Model(httpserver, FINE)) as judge:
        assert isinstance(judge.judge(SMALL, [trace()])[0], Judgement)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langfuse", None)
    with pytest.raises(ConfigError, match="with the extra `tracing`"):
        langfuse_tracer("http://127.0.0.1:1", SecretStr("pk"), SecretStr("sk"))
