"""Who judges a queue, by the settings; and the examples that models are shown."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from builders import QUEUE, trace
from goldloop.adapters.llm import tracing
from goldloop.bootstrap.judges import examples_of, judge_of
from goldloop.errors import ConfigError, RetryableError
from goldloop.judge.panel import Panel
from goldloop.judge.settings import JudgeSettings
from goldloop.pipeline.examples import approve
from goldloop.ports import TraceSource
from goldloop.settings import Settings
from pipeline.loop import Loop

MODELS: dict[str, Any] = {
    "model": ("openai:gpt-4.1-mini", "anthropic:claude-haiku-4-5"),
    "api_key": SecretStr("sk-test"),
}


def settings(**judge: object) -> Settings:
    return Settings.model_construct(judge=JudgeSettings.model_validate(judge), langfuse_host=None)


def panel(loop: Loop, source: Callable[[], TraceSource] | None = None, **judge: object) -> Panel:
    return judge_of(settings(**judge), loop.store, QUEUE, run="r", clock=loop.clock, source=source)


def never() -> TraceSource:
    raise AssertionError("nobody has to ask Langfuse")


def answered(loop: Loop, *trace_ids: str) -> None:
    loop.queue(*trace_ids)
    for trace_id in trace_ids:
        loop.annotate(trace_id, "fail")
        loop.annotate(trace_id, "fail", by="ben@example.org")
    loop.gather()
    loop.resolve()


def test_without_a_setting_the_learned_judge_judges_alone_and_abstains(loop: Loop) -> None:
    with panel(loop, never) as made:
        assert made.name == "learned"
        (outcome,) = made.judge(loop.codebook, [trace("t1")])
    assert getattr(outcome, "abstained", "").startswith("uncalibrated: 0 of 50 blind labels for ")


def test_members_come_in_the_order_of_the_settings_and_once(loop: Loop) -> None:
    with panel(loop, never, members=("lexical", "learned", "lexical")) as made:
        assert made.name == "lexical-grounding+learned"


def test_each_model_is_a_member(loop: Loop) -> None:
    with panel(loop, never, **MODELS) as made:
        assert made.name == "llm:openai:gpt-4.1-mini+llm:anthropic:claude-haiku-4-5+learned"


def test_a_model_that_is_wanted_and_not_set_is_a_wrong_setting(loop: Loop) -> None:
    with pytest.raises(ConfigError, match="set GOLDLOOP_JUDGE__MODEL, such as openai:gpt-"):
        panel(loop, members=("llm",))


def test_before_any_version_was_saved_there_is_a_judge_too(loop: Loop) -> None:
    with judge_of(settings(), loop.store, "another-queue", run="r", clock=loop.clock) as made:
        assert made.version(loop.codebook)


def test_tracing_needs_langfuse(loop: Loop) -> None:
    with pytest.raises(ConfigError, match="LANGFUSE_SECRET_KEY, or unset it"):
        panel(loop, trace=True, **MODELS)


def test_the_tracer_is_closed_with_the_panel(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    class Tracer:
        def __init__(self, host: str, *_: object) -> None:
            self.host = host

        def call(self, made: object) -> None: ...

        def flush(self) -> None: ...

        def close(self) -> None:
            closed.append(self.host)

    monkeypatch.setattr(tracing, "langfuse_tracer", Tracer)
    key = SecretStr("k")
    given = settings(trace=True, **MODELS).model_copy(
        update={"langfuse_host": "http://langfuse.test", "langfuse_public_key": key, "langfuse_secret_key": key}
    )
    with judge_of(given, loop.store, QUEUE, run="r", clock=loop.clock):
        assert closed == []
    assert closed == ["http://langfuse.test"]
    broken = given.model_copy(update={"judge": given.judge.model_copy(update={"model": ("nobody:knows",)})})
    with pytest.raises(ConfigError):
        judge_of(broken, loop.store, QUEUE, run="r", clock=loop.clock)
    assert closed == ["http://langfuse.test"] * 2


def test_examples_are_what_people_answered(loop: Loop) -> None:
    answered(loop, "t1", "t2")
    approve(loop.codebook, loop.store, ["t2"], "", loop.clock())
    (shown,) = examples_of(loop.store, QUEUE, loop.source)
    assert (shown.trace.trace_id, shown.answers) == ("t2", {"verdict": "fail"})


def test_an_example_changes_a_model_s_version(loop: Loop) -> None:
    with panel(loop, lambda: loop.source, **MODELS) as made:
        before = made.version(loop.codebook)
    answered(loop, "t1")
    approve(loop.codebook, loop.store, ["t1"], "", loop.clock())
    with panel(loop, lambda: loop.source, **MODELS) as made:
        assert made.version(loop.codebook) != before
    with panel(loop, never, examples=0, **MODELS) as made:
        assert made.version(loop.codebook)


def test_an_example_that_is_gone_is_left_out(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    answered(loop, "t1", "t2")
    approve(loop.codebook, loop.store, ["t1", "t2"], "", loop.clock())
    loop.source.delete("t1")
    with caplog.at_level(logging.WARNING):
        assert [one.trace.trace_id for one in examples_of(loop.store, QUEUE, loop.source)] == ["t2"]
    assert caplog.messages == ["the example t1 is left out: trace_gone"]


def test_an_example_whose_verdict_was_set_aside_is_left_out(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    answered(loop, "t1")
    approve(loop.codebook, loop.store, ["t1"], "", loop.clock())
    newer = loop.codebook.model_copy(update={"version": "2.0.0"})
    since = {question.name: "2.0.0" for question in newer.questions}
    loop.store.save_codebook(newer, loop.clock(), since)
    loop.store.publish_codebook(QUEUE, "2.0.0", since, loop.clock(), resolve_all=False)
    with caplog.at_level(logging.WARNING):
        assert examples_of(loop.store, QUEUE, loop.source) == []
    assert caplog.messages == ["the example t1 is left out: its verdict does not count any more"]


def test_langfuse_being_away_is_told(loop: Loop) -> None:
    answered(loop, "t1")
    approve(loop.codebook, loop.store, ["t1"], "", loop.clock())
    loop.source.failing = RetryableError("Langfuse", "it is away: try again later")
    with pytest.raises(RetryableError):
        panel(loop, lambda: loop.source, **MODELS)
