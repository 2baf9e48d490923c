"""The sample keeps what it promises: its bytes, its counts and rates, and that each verdict has its reasons."""

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from goldloop.devstack.sample import __main__ as command
from goldloop.devstack.sample import sample_path
from goldloop.devstack.sample.assemble import lines
from goldloop.devstack.sample.behaviour import RATERS
from goldloop.devstack.sample.facts import moments
from goldloop.devstack.sample.material import CATEGORIES, ERROR_TYPES, Answer, Dissent, load

Trace = dict[str, Any]


@pytest.fixture(scope="module")
def traces() -> list[Trace]:
    return [json.loads(line) for line in sample_path().read_text(encoding="utf-8").splitlines()]


def failed(traces: list[Trace]) -> list[Trace]:
    return [trace for trace in traces if trace["failure"]]


def verdicts(trace: Trace) -> list[str]:
    return [rating["verdict"] for rating in trace["human"]["ratings"] if not rating.get("skipped")]


def test_regeneration_is_byte_identical() -> None:
    assert sample_path().read_bytes() == lines().encode()
    assert command.main(["--check"]) == 0


def test_a_stale_file_is_found_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = tmp_path / "sample_traces.jsonl"
    stale.write_text("{}\n")
    monkeypatch.setattr(command, "sample_path", lambda: stale)
    assert command.main(["--check"]) == 1
    assert "is stale" in capsys.readouterr().err
    assert stale.read_text() == "{}\n"
    assert command.main([]) == 0
    assert stale.read_bytes() == sample_path().read_bytes()


def test_another_seed_makes_other_traces_of_the_same_prose() -> None:
    other = lines(seed=1)
    assert other != lines()
    assert len(other.splitlines()) == len(lines().splitlines())


def test_size(traces: list[Trace]) -> None:
    assert len(traces) >= 240
    assert sample_path().stat().st_size < 1_500_000
    assert len({trace["id"] for trace in traces}) == len(traces)
    assert all(re.fullmatch("[0-9a-f]{32}", trace["id"]) for trace in traces)


def test_each_line_has_the_documented_fields(traces: list[Trace]) -> None:
    first = ["id", "timestamp", "user_id", "session_id", "name", "category", "input", "context", "output", "model"]
    then = ["model_params", "steps", "tags", "latency_s", "cost_usd", "release", "signals", "human"]
    fields = [*first, *then, "failure", "failure_types"]
    for trace in traces:
        assert list(trace) == fields
        assert trace["input"][0]["role"] == "system"
        assert trace["input"][-1]["role"] == "user"
        assert {step["type"] for step in trace["steps"]} <= {"tool", "retriever", "generation"}


def test_categories_are_many_and_uneven(traces: list[Trace]) -> None:
    counts = Counter(trace["category"] for trace in traces)
    assert set(counts) == set(CATEGORIES)
    assert len(counts) >= 8
    assert min(counts.values()) < 12
    assert max(counts.values()) > 60


def test_the_small_model_and_some_categories_fail_more_often(traces: list[Trace]) -> None:
    assert 0.18 <= len(failed(traces)) / len(traces) <= 0.25
    for field, at_least in (("model", 1.5), ("category", 1.5)):
        total = Counter(trace[field] for trace in traces)
        rates = {name: sum(trace[field] == name for trace in failed(traces)) / total[name] for name in total}
        assert max(rates.values()) > at_least * min(rates.values())
        assert field != "model" or max(rates, key=rates.__getitem__) == "nova-small-2"
    assert {trace["model"] for trace in traces} == {"nova-small-2", "nova-large-1"}


def test_every_kind_of_failure_is_there(traces: list[Trace]) -> None:
    kinds = Counter(kind for trace in traces for kind in trace["failure_types"])
    assert set(kinds) == set(ERROR_TYPES)
    assert min(kinds.values()) >= 4


def test_conversations_and_tools(traces: list[Trace]) -> None:
    later = [trace for trace in traces if sum(message["role"] == "user" for message in trace["input"]) > 1]
    tools = [trace for trace in traces if any(step["type"] == "tool" for step in trace["steps"])]
    assert len(later) >= 35
    assert len(tools) >= 30
    assert all(trace["name"] == "support-agent" for trace in tools)
    by_session = {(trace["session_id"], len(trace["input"])): trace for trace in traces}
    for trace in later:
        before = by_session[trace["session_id"], len(trace["input"]) - 2]
        assert trace["input"][:-2] == before["input"]
        assert trace["input"][-2] == {"role": "assistant", "content": before["output"]}
        assert trace["user_id"] == before["user_id"]
        assert trace["timestamp"] > before["timestamp"]


def test_prose_is_varied(traces: list[Trace]) -> None:
    texts = Counter((json.dumps(trace["input"]), trace["output"]) for trace in traces)
    assert sum(count > 1 for count in texts.values()) == 2  # real traffic repeats itself, now and then
    assert len({trace["output"] for trace in traces}) >= 200
    assert sum(trace["output"] == "" for trace in traces) >= 3
    assert sum("|---" in trace["output"] or "|--" in trace["output"] for trace in traces) >= 4
    assert any("```json" in trace["output"] for trace in traces)
    assert sum("\n2. " in trace["output"] for trace in traces) >= 5
    users = {trace["user_id"] for trace in traces}
    assert {"🚲pedalpaul", "نور.حداد", "עדי.כהן"} <= users


def test_nothing_is_left_to_fill_in(traces: list[Trace]) -> None:
    for trace in traces:
        assert "$" not in json.dumps(trace, ensure_ascii=False)


def test_raters(traces: list[Trace]) -> None:
    disagreed = [trace for trace in traces if len(set(verdicts(trace))) > 1]
    assert 0.12 <= len(disagreed) / len(traces) <= 0.18
    skipped = [trace for trace in traces if len(verdicts(trace)) < 3]
    assert 0.02 <= len(skipped) / len(traces) <= 0.04
    for trace in traces:
        ratings = trace["human"]["ratings"]
        assert [rating["rater"] for rating in ratings] == list(RATERS)
        assert len(verdicts(trace)) >= 2
        assert all(rating["note"] for rating in ratings if rating.get("skipped"))


def test_the_majority_is_the_answer(traces: list[Trace]) -> None:
    for trace in traces:
        fails = [rating for rating in trace["human"]["ratings"] if rating.get("verdict") == "fail"]
        assert trace["failure"] == (2 * len(fails) > len(verdicts(trace)))
        named = Counter(kind for rating in fails for kind in rating["error_types"])
        expected = {kind for kind in named if named[kind] > 1} if trace["failure"] else set()
        assert set(trace["failure_types"]) == expected


def test_every_fail_has_an_error_type_and_a_correction(traces: list[Trace]) -> None:
    for trace in traces:
        for rating in trace["human"]["ratings"]:
            if rating.get("verdict") == "fail":
                assert set(rating["error_types"]) <= set(ERROR_TYPES)
                assert rating["error_types"]
                assert rating["correction"]
                assert rating["correction"] != trace["output"]
            else:
                assert "correction" not in rating
                assert not rating.get("error_types")


def test_contexts_are_from_the_knowledge_base(traces: list[Trace]) -> None:
    articles = load().articles
    assert len(articles) >= 25
    assert all(60 <= len(article["text"].split()) <= 150 for article in articles.values())
    for trace in traces:
        assert trace["context"]
        for found in trace["context"]:
            assert {key: found[key] for key in ("id", "title", "text")} == articles[found["id"]]
        scores = [found["score"] for found in trace["context"]]
        assert scores == sorted(scores, reverse=True)


def test_signals_have_lifelike_rates(traces: list[Trace]) -> None:
    def rate(name: str, among: list[Trace]) -> float:
        return sum(any(signal["name"] == name for signal in trace["signals"]) for trace in among) / len(among)

    right = [trace for trace in traces if not trace["failure"]]
    assert 0 < rate("user_rating", traces) < 0.05
    for name in ("regenerate", "edit", "follow_up"):
        assert rate(name, failed(traces)) > rate(name, right) > 0
    assert rate("copy", right) > rate("copy", failed(traces)) > 0
    assert 0.6 < rate("dwell_s", traces) < 0.85
    thumbs = [(s["value"], t["failure"]) for t in traces for s in t["signals"] if s["name"] == "user_rating"]
    assert thumbs.count((0, True)) > thumbs.count((0, False)) > 0
    edits = [signal["comment"] for trace in traces for signal in trace["signals"] if signal["name"] == "edit"]
    assert all(edits)


def test_times_are_two_weeks_with_a_rhythm(traces: list[Trace]) -> None:
    times = [datetime.fromisoformat(trace["timestamp"]) for trace in traces]
    assert times == sorted(times)
    assert {f"{time:%m-%d}" for time in times} == {f"11-{day:02d}" for day in range(2, 16)}
    assert {time.year for time in times} == {2026}
    night = sum(time.hour < 6 for time in times)
    assert night < sum(9 <= time.hour < 12 for time in times) / 4


def test_moments_ascend_and_stay_inside() -> None:
    times = moments(1000)
    assert times == sorted(times)
    assert f"{times[0]:%Y-%m-%d}" == "2026-11-02"
    assert f"{times[-1]:%Y-%m-%d}" == "2026-11-15"


def test_material_explains_each_failure() -> None:
    answers: list[Answer] = [answer for scene in load().scenes for answer in scene.answers]
    assert all(bool(answer.fails) == bool(answer.fix) == bool(answer.notes) for answer in answers)
    objections: list[Dissent] = [answer.dissent for answer in answers if answer.dissent]
    assert {objection.by for objection in objections} == set(RATERS)
