"""What the judge makes of what Anthropic's server answers, over real sockets."""

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from builders import codebook, trace
from builders_llm import CLAUDE, SMALL, FakeWaits, Model, anthropic_error, judging, message, said
from fakes.ledger import FakeLedger
from goldloop.codebook.schema import Question
from goldloop.errors import FatalError
from goldloop.judge.examples import ShownExample
from goldloop.records import Judgement, Unjudged

FINE = message(said("fail", sure=0.8))


def one(model: Model, name: str = CLAUDE, **more: Any) -> Judgement | Unjudged:
    with judging(model, name, **more) as judge:
        return judge.judge(SMALL, [trace()])[0]


def judged(model: Model, **more: Any) -> Judgement:
    found = one(model, **more)
    assert isinstance(found, Judgement), found
    return found


def unjudged(model: Model, **more: Any) -> Unjudged:
    found = one(model, **more)
    assert isinstance(found, Unjudged), found
    return found


def test_an_answer_is_a_judgement_with_its_probability_and_its_cost(httpserver: HTTPServer) -> None:
    found = judged(Model(httpserver, FINE), confidence="auto")
    assert (found.judge, found.answers) == ("llm:anthropic:claude-haiku-4-5", {"verdict": "fail"})
    assert (found.probability, found.risk, found.method) == (0.8, 0.8, "verbalised")
    # claude-haiku-4-5: 1 USD for a million tokens in, 5 out: 1,000 * 1e-6 + 50 * 5e-6.
    assert found.usd == pytest.approx(0.00125)
    assert (found.input_tokens, found.output_tokens) == (1000, 50)


def test_the_request_is_what_the_api_takes(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    one(model)
    (body,) = model.asked
    assert body["model"] == "claude-haiku-4-5"
    assert body["max_tokens"] == 8192
    assert body["temperature"] == 0.0
    (system,) = body["system"]
    assert system["text"].startswith("You review the answer")
    assert system["cache_control"]["type"] == "ephemeral"
    assert [part["role"] for part in body["messages"]] == ["user"]
    assert model.users[0].startswith("<trace>\n{")
    form = body["output_config"]["format"]
    assert form["type"] == "json_schema"
    answers = form["schema"]["properties"]["answers"]["properties"]
    assert [*form["schema"]["properties"]] == ["reason", "abstained", "answers", "confidence"]
    assert answers["verdict"]["anyOf"] == [{"enum": ["pass", "fail"]}, {"type": "null"}]
    assert model.headers[0]["authorization"] == "Bearer sk-test-6f1c3a52"


def test_examples_are_cached_apart_from_the_trace(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    example = ShownExample(trace("e1", output="Something else, and longer than that."), {"verdict": "pass"})
    with judging(model, CLAUDE, examples=[example]) as judge:
        judge.judge(SMALL, [trace(messages=[{"role": "user", "content": "Another question altogether?"}])])
    shown, asked = model.asked[0]["messages"][0]["content"]
    assert shown["text"].startswith("<example>")
    assert shown["cache_control"]["type"] == "ephemeral"
    assert asked["text"].startswith("<trace>")
    assert "cache_control" not in asked


def test_a_model_that_thinks_has_room_for_it_and_takes_no_temperature(httpserver: HTTPServer) -> None:
    thought = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": said("fail", sure=0.8)},
    ]
    model = Model(httpserver, message(content=thought))
    assert judged(model, name="anthropic:claude-opus-5").answers == {"verdict": "fail"}
    assert "temperature" not in model.asked[0]
    assert model.asked[0]["max_tokens"] == 16384


@pytest.mark.filterwarnings("ignore:The model 'claude-3-5-haiku-latest' is deprecated:DeprecationWarning")
def test_an_older_model_answers_by_a_tool(httpserver: HTTPServer) -> None:
    content = [{"type": "tool_use", "id": "tool_1", "name": "judgement", "input": json.loads(said("fail", sure=0.8))}]
    model = Model(httpserver, message(stop="tool_use", content=content))
    found = judged(model, name="anthropic:claude-3-5-haiku-latest")
    assert (found.answers, found.probability) == ({"verdict": "fail"}, 0.8)
    (tool,) = model.asked[0]["tools"]
    assert tool["name"] == "judgement"
    assert model.asked[0]["tool_choice"]["type"] in {"any", "tool"}
    assert "output_config" not in model.asked[0]


def test_a_codebook_of_many_questions_is_answered_by_a_tool(httpserver: HTTPServer) -> None:
    # Anthropic enforces a schema of at most sixteen parts that may be null: here 15 questions, a cause, a confidence.
    more = tuple(Question(name=f"note_{n}", kind="text", text="Why?") for n in range(14))
    book = SMALL.model_copy(update={"questions": (SMALL.questions[0], *more)})
    answers = {question.name: None for question in book.questions} | {"verdict": "fail"}
    whole = {"reason": "So.", "abstained": None, "answers": answers, "confidence": 0.8}
    content = [{"type": "tool_use", "id": "tool_1", "name": "judgement", "input": whole}]
    model = Model(httpserver, message(stop="tool_use", content=content))
    with judging(model, CLAUDE) as judge:
        (found,) = judge.judge(book, [trace()])
    assert isinstance(found, Judgement)
    assert found.answers == {"verdict": "fail"}
    assert "tools" in model.asked[0]


def test_the_shipped_codebook_fits_its_schema(httpserver: HTTPServer) -> None:
    answers = {question.name: None for question in codebook().questions} | {"verdict": "pass"}
    whole = {"reason": "So.", "abstained": None, "answers": answers, "confidence": 0.8}
    model = Model(httpserver, message(json.dumps(whole)))
    with judging(model, CLAUDE) as judge:
        (found,) = judge.judge(codebook(), [trace()])
    assert isinstance(found, Judgement)
    assert "output_config" in model.asked[0]


def test_the_answer_by_the_prompt_alone(httpserver: HTTPServer) -> None:
    model = Model(httpserver, FINE)
    assert judged(model, output="prompted").answers == {"verdict": "fail"}
    assert not {"output_config", "tools"} & model.asked[0].keys()


def test_votes_have_a_temperature(httpserver: HTTPServer) -> None:
    model = Model(httpserver, message(said("fail")), message(said("fail")), message(said("pass")))
    found = judged(model, confidence="auto", votes=3)
    # Two of three say fail: (2 + 1) / (3 + 2).
    assert (found.answers["verdict"], found.probability, found.risk, found.method) == ("fail", 0.6, 0.6, "votes")
    assert [body["temperature"] for body in model.asked] == [1.0] * 3


@pytest.mark.parametrize(
    "answer",
    [message(stop="refusal", content=[]), message("I can't", stop="refusal")],
)
def test_a_model_that_declines_abstains(answer: dict[str, Any], httpserver: HTTPServer) -> None:
    assert judged(Model(httpserver, answer)).abstained == "the model declines to judge this trace"


def test_a_trace_that_is_too_long_is_an_abstention(httpserver: HTTPServer) -> None:
    answer = anthropic_error(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    assert judged(Model(httpserver, answer)).abstained == "the trace is longer than the model reads"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (message(said("fail", sure=0.8)[:30], stop="max_tokens"), "truncated"),
        (message("{"), "malformed"),
        (message(content=[]), "empty"),
        (message(said("perfect", sure=0.8)), "unknown_choice"),
        (message(said("fail", sure=0.8, mood=1)), "wrong_shape"),
    ],
)
def test_an_answer_of_no_use_is_asked_for_once_more(
    answer: dict[str, Any], reason: str, httpserver: HTTPServer
) -> None:
    model = Model(httpserver, answer, FINE)
    found = judged(model)
    assert found.usd == pytest.approx(2 * 0.00125)
    assert "Your last answer could not be used" in model.users[1]
    ledger = FakeLedger()
    model.answers = [answer]
    assert unjudged(model, ledger=ledger).reason == reason
    assert [call.outcome for call in ledger.calls] == ["unusable", "unusable"]


@pytest.mark.parametrize(
    "answer",
    [
        anthropic_error(429, "rate_limit_error", **{"retry-after": "3"}),
        anthropic_error(529, "overloaded_error", **{"retry-after": "3"}),
        anthropic_error(500, "api_error", **{"retry-after": "3"}),
    ],
)
def test_a_server_that_may_answer_later_is_asked_again(answer: Response, httpserver: HTTPServer) -> None:
    waits = FakeWaits()
    model = Model(httpserver, answer, FINE)
    assert judged(model, waits=waits).answers == {"verdict": "fail"}
    assert waits.slept == [3.0]
    model.answers = [answer]
    assert unjudged(model, attempts=2).cause == "later"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (anthropic_error(401, "authentication_error"), "refuses the key (401)"),
        (anthropic_error(403, "permission_error"), "refuses the key (403)"),
        (anthropic_error(404, "not_found_error", "model: claude-haiku-4-5"), "knows no such model (404)"),
        (anthropic_error(400, "invalid_request_error", "Your credit balance is too low."), "nothing left to spend"),
        (Response("<html>Hello</html>", content_type="text/html"), "leads to something that is no API"),
    ],
)
def test_what_no_trace_can_help_stops_the_page(answer: Response, told: str, httpserver: HTTPServer) -> None:
    with judging(Model(httpserver, answer), CLAUDE) as judge, pytest.raises(FatalError) as caught:
        judge.judge(SMALL, [trace()])
    assert told in str(caught.value)
