"""`goldloop draw --dry-run` and `goldloop slice`: what a draw would do, told so that it can be acted on."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from builders import QUEUE, candidate
from cli.terminal import Goldloop
from goldloop.adapters.store import SqlStore, open_store
from goldloop.records import Signal, State

_YAML = Path("label_configs/answer-quality.yaml")


def opened() -> SqlStore:
    return open_store("sqlite:///.goldloop/goldloop.db")


def queue_is(**settings: object) -> None:
    """The shipped codebook with these settings of its queue alone."""
    before, _, _ = _YAML.read_text(encoding="utf-8").partition("\nqueue:")
    _YAML.write_text(f"{before}\nqueue: {json.dumps(settings)}\n", encoding="utf-8")


def fill(count: int = 60) -> None:
    from goldloop.bootstrap import utc_now  # noqa: PLC0415 - the real clock: the command has it too

    now = utc_now()
    before = now - timedelta(hours=1)
    rows = [
        candidate(
            f"t{place:02}", category=("billing", "returns")[place % 2], user="loud" if place < 20 else f"u{place}"
        )
        for place in range(count)
    ]
    with opened() as store:
        store.save_candidates([row.model_copy(update={"timestamp": before, "tags": ("beta",)}) for row in rows], now)
        store.save_signals(
            [
                Signal(signal_id=f"g{place}", trace_id=f"t{place:02}", name="thumbs", value=0.0, at=before)
                for place in range(0, count, 6)
            ]
        )


def test_a_dry_run_explains_and_writes_nothing(goldloop: Goldloop) -> None:
    queue_is(budget=20, mix="balanced", caps={"user": 2}, queue_cap=15)
    fill()
    ended = goldloop("draw", "--dry-run", "--seed", "7")
    assert ended.code == 0, ended.err
    lines = [line.split() for line in ended.out.splitlines() if line.strip()]
    assert ["policy", "asked", "share", "candidates", "expected", "drawn"] in lines
    assert [line[:4] for line in lines if line[0] in {"negative", "risk"}] == [
        ["negative", "30.0%", "30.0%", "10"],
        ["risk", "10.0%", "10.0%", "60"],
    ]
    assert ["drawn", "15"] in lines
    assert ["design", "effect"] in [line[:2] for line in lines]
    assert "The cap of 2 a user bit 1: loud" in ended.out
    assert "overflow 5 would be parked: the queue has room for 15" in ended.out
    assert ended.out.rstrip().endswith("Nothing was written. Next: goldloop draw")
    assert all(len(line) <= 80 for line in ended.out.splitlines())
    with opened() as store:
        assert store.draw_runs(QUEUE) == []
        assert store.parked() == []


def test_numbers_stand_below_each_other(goldloop: Goldloop) -> None:
    queue_is(budget=20, mix="balanced")
    fill()
    out = goldloop("draw", "--dry-run").out.splitlines()
    table = [line.rstrip() for line in out[out.index(next(line for line in out if "policy" in line)) :]]
    ends = {len(line) for line in table[: table.index("")] if line and "─" not in line}
    assert len(ends) == 1


def test_a_draw_does_what_its_dry_run_said(goldloop: Goldloop, servers: HTTPServer) -> None:
    queue_is(budget=20, mix={"random": 0.5, "negative": 0.5})
    fill()
    told = json.loads(goldloop("draw", "--dry-run", "--seed", "7", "--json").out)
    made = json.loads(goldloop("draw", "--seed", "7", "--json").out)
    assert told["run_id"] is None
    assert told["explanation"] == made["explanation"]
    assert told["by_policy"] == made["by_policy"]
    again = goldloop("draw", "--dry-run")
    assert "The day's budget is drawn" in again.out


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"budget": 5}, "Next: goldloop pull"),
        ({"budget": 5, "mix": {"stratified": 1.0}}, "random has a share of 0, below its floor of 0.1"),
    ],
)
def test_a_draw_that_cannot_be_says_why(goldloop: Goldloop, settings: dict[str, object], told: str) -> None:
    queue_is(**settings)
    ended = goldloop("draw", "--dry-run")
    assert told in " ".join((ended.out + ended.err).split())


def test_the_summary_tells_what_the_weights_cost(goldloop: Goldloop, servers: HTTPServer) -> None:
    queue_is(budget=20, mix="balanced")
    fill()
    ended = goldloop("draw")
    assert "effective size" in ended.out
    assert all(len(line) <= 80 for line in ended.out.splitlines())


def test_a_slice_is_added_shown_used_and_removed(goldloop: Goldloop) -> None:
    queue_is(budget=20, mix="balanced")
    fill()
    quiet = goldloop("draw", "--dry-run").out
    assert "No candidates" not in quiet
    assert "No slice is a target, so the 10.0% of targeted went to risk\n" in quiet
    added = goldloop("slice", "add", "beta", "--tag", "beta", "--category", "billing", "--days", "2", "--note", "new")
    assert added.code == 0, added.err
    assert "Next: goldloop draw --dry-run" in added.out
    shown = goldloop("slice", "list").out
    assert "category billing; tag beta (new)" in " ".join(shown.split())
    assert "targeted" in shown
    explained = json.loads(goldloop("draw", "--dry-run", "--json").out)["explanation"]
    assert [line["candidates"] for line in explained["policies"] if line["policy"] == "targeted"] == [30]
    assert explained["moved"] == 0
    assert goldloop("slice", "remove", "beta").code == 0
    assert "There are no slices" in goldloop("slice", "list").out


def test_single_traces_can_be_drawn_for_certain(goldloop: Goldloop, servers: HTTPServer) -> None:
    queue_is(budget=4, mix={"random": 1.0})
    fill()
    added = goldloop("slice", "add", "alert", "--must-review", "--trace", "t07", "--trace", "t41")
    assert added.code == 0, added.err
    assert goldloop("draw").code == 0
    with opened() as store:
        assert {one.trace_id for one in store.draws(QUEUE, State.DRAWN) if one.certain} == {"t07", "t41"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "names no condition: give it one"),
        (("--trace", "t01"), "--must-review only: add it"),
        (("--must-review", "--trace", "nosuch"), "nosuch was never pulled"),
        (("--must-review", "--trace", "t01", "--tag", "a"), "make one slice of each"),
    ],
)
def test_a_slice_that_cannot_be_is_refused(goldloop: Goldloop, arguments: tuple[str, ...], told: str) -> None:
    fill(3)
    ended = goldloop("slice", "add", "s", *arguments)
    assert ended.code == 2
    assert told in ended.sentence


def test_a_slice_that_is_not_there_cannot_be_removed(goldloop: Goldloop) -> None:
    ended = goldloop("slice", "remove", "nosuch")
    assert ended.code == 2
    assert "there is no slice 'nosuch'" in ended.sentence


def test_times_of_a_slice_are_in_utc(goldloop: Goldloop) -> None:
    added = json.loads(goldloop("slice", "add", "s", "--since", "2026-03-01", "--json").out)
    assert added["where"] == {"start": "2026-03-01T00:00:00+00:00"}
