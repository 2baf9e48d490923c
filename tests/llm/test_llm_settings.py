"""By which settings which model is asked, and what is said of wrong ones; no secret and no payload in any log."""

import logging
import sys
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from builders import NOW, trace
from builders_llm import (
    CLAUDE,
    MODEL,
    SECRET,
    SMALL,
    Model,
    anthropic_error,
    completion,
    judging,
    message,
    openai_error,
    said,
)
from fakes.ledger import FakeLedger
from goldloop.adapters.llm import connect
from goldloop.adapters.llm.judge import LlmJudge
from goldloop.adapters.llm.schema import unions, with_unions
from goldloop.adapters.llm.way import Abilities, way_of
from goldloop.errors import ConfigError, FatalError
from goldloop.judge.settings import JudgeSettings

ALL = Abilities(native=True, tools=True, temperature=True, logprobs=True)
NONE = Abilities(native=False, tools=False, temperature=False, logprobs=False)


def connected(model: str, **settings: Any) -> LlmJudge:
    return connect(JudgeSettings.model_validate(settings), model, FakeLedger(), run="r", clock=lambda: NOW)


def refused(model: str, **settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        connected(model, **settings)
    return str(caught.value)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


# -- which model, where, by which key


@pytest.mark.parametrize("model", ["gpt-4.1-mini", "gemini:flash", "openai:", "openai", ":x"])
def test_a_name_that_names_no_model_is_refused(model: str) -> None:
    told = refused(model, api_key=SECRET)
    assert told.startswith(f"GOLDLOOP_JUDGE__MODEL={model} names no model: set it to openai:NAME or anthropic:NAME")
    assert SECRET not in told


@pytest.mark.parametrize(("model", "variable"), [(MODEL, "OPENAI_API_KEY"), (CLAUDE, "ANTHROPIC_API_KEY")])
def test_a_model_needs_a_key(model: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(model) == f"the model has no key: set GOLDLOOP_JUDGE__API_KEY, or {variable}."
    monkeypatch.setenv(variable, SECRET)
    connected(model).close()


@pytest.mark.parametrize("model", [MODEL, CLAUDE])
def test_the_providers_own_key_goes_to_its_proxy(
    model: str, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-anthropic")
    fine = completion(said("fail", sure=0.8)) if model == MODEL else message(said("fail", sure=0.8))
    server = Model(httpserver, fine)
    with judging(server, model, api_key=None) as judge:
        judge.judge(SMALL, [trace()])
    (headers,) = server.headers
    assert headers["authorization"] == f"Bearer sk-of-{model.partition(':')[0]}"


@pytest.mark.parametrize("key", ["sk with blanks", "sk-\u00e4", "sk-a\nb"])
def test_a_key_that_is_none_is_refused_and_not_repeated(key: str) -> None:
    assert key not in refused(MODEL, api_key=key)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://127.0.0.1/v1", "http://", "http://[::1", "http://h:x/v1"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert "GOLDLOOP_JUDGE__BASE_URL is no http(s) address" in refused("llama3.1", base_url=url)


@pytest.mark.parametrize("url", ["http://u:secret@h/v1", "http://h/v1?key=secret", "http://h/v1#secret"])
def test_an_address_with_more_in_it_is_refused_and_not_repeated(url: str) -> None:
    told = refused("llama3.1", base_url=url)
    assert "holds more than an address" in told
    assert "secret" not in told


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("goldloop.adapters.llm.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    assert "install goldloop with the extra `llm`" in refused(MODEL, api_key=SECRET)


# -- the way


@pytest.mark.parametrize(
    ("settings", "can", "method", "says_sure"),
    [
        ({}, ALL, "logprobs", True),
        ({"votes": 3}, ALL, "logprobs", False),
        ({}, NONE, "verbalised", True),
        ({"votes": 3}, NONE, "votes", False),
        ({"output": "tool"}, ALL, "verbalised", True),
        ({"confidence": "logprobs"}, ALL, "logprobs", False),
        ({"confidence": "verbalised", "votes": 3}, ALL, "verbalised", True),
        ({"confidence": "votes", "votes": 2}, ALL, "votes", False),
    ],
)
def test_where_a_probability_comes_from(settings: dict[str, Any], can: Abilities, method: str, says_sure: bool) -> None:
    way = way_of(JudgeSettings.model_validate(settings), "m", can)
    assert (way.method, way.says_sure, way.logprobs) == (method, says_sure, method == "logprobs")


@pytest.mark.parametrize(
    ("settings", "can", "told"),
    [
        ({"confidence": "votes"}, ALL, "set GOLDLOOP_JUDGE__VOTES to 3 or 5"),
        ({"confidence": "logprobs"}, NONE, "gives no log-probabilities"),
        ({"confidence": "logprobs", "output": "tool"}, ALL, "with its answer as a tool's call"),
        ({"output": "native"}, NONE, "GOLDLOOP_JUDGE__OUTPUT=native"),
        ({"output": "tool"}, NONE, "GOLDLOOP_JUDGE__OUTPUT=tool"),
    ],
)
def test_a_way_that_the_model_cannot_go_is_refused(settings: dict[str, Any], can: Abilities, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        way_of(JudgeSettings.model_validate(settings), "m", can)


def test_one_asking_goes_without_chance_and_votes_with_it() -> None:
    assert way_of(JudgeSettings(), "m", ALL).temperature == 0.0
    assert way_of(JudgeSettings(votes=3), "m", ALL).temperature == 1.0
    assert way_of(JudgeSettings(), "m", NONE).temperature is None


def test_the_best_output_that_a_model_has() -> None:
    assert way_of(JudgeSettings(), "m", ALL).output == "native"
    assert way_of(JudgeSettings(), "m", Abilities(False, True, True, True)).output == "tool"
    assert way_of(JudgeSettings(), "m", NONE).output == "prompted"


# -- Anthropic's schema


def test_lists_of_types_become_unions() -> None:
    schema = {
        "type": "object",
        "properties": {
            "verdict": {"type": ["string", "null"], "enum": ["pass", None], "description": "Good?"},
            "sure": {"type": ["number", "null"], "minimum": 0},
            "reason": {"type": "string"},
        },
        "required": ["verdict", "sure", "reason"],
    }
    changed = with_unions(schema)
    assert changed["properties"] == {
        "verdict": {"anyOf": [{"type": "string", "enum": ["pass"]}, {"type": "null"}], "description": "Good?"},
        "sure": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
        "reason": {"type": "string"},
    }
    assert changed["required"] == schema["required"]
    assert unions(schema) == unions(changed) == 2


# -- secrets and payloads


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        (
            MODEL,
            [
                completion(said("fail", sure=0.8)),
                completion("?"),
                openai_error(500, None, "canary-5b1f"),
                openai_error(401, None, "canary-5b1f " + SECRET),
            ],
        ),
        (
            CLAUDE,
            [
                message(said("fail", sure=0.8)),
                message("?"),
                anthropic_error(500, "api_error", "canary-5b1f"),
                anthropic_error(401, "authentication_error", "canary-5b1f " + SECRET),
            ],
        ),
    ],
)
def test_neither_the_key_nor_what_is_judged_is_logged_or_told(
    name: str, answers: list[Any], httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = Model(httpserver, *answers)
    told = []
    with judging(model, name, attempts=1) as judge:
        told += [repr(judge), str(vars(judge))]
        for number in range(4):
            try:
                found = judge.judge(SMALL, [trace(f"t{number}", output=f"canary-5b1f {number}")])
                told.append(repr(found))
            except FatalError as error:
                told += [str(error), repr(error.__cause__), repr(error.__context__)]
    assert any("refuses the key" in each for each in told)
    whole = "\n".join([*told, caplog.text])
    assert SECRET not in whole
    assert "canary-5b1f" not in whole


def test_the_key_is_in_no_representation() -> None:
    judge = connected(MODEL, api_key=SecretStr(SECRET))
    assert SECRET not in repr(judge._named)
    judge.close()
