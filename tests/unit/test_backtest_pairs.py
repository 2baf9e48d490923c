"""Pairs of answers, votes on them and judges' verdicts: read, aligned, held against each other."""

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from goldloop.backtest.effort import replay_effort
from goldloop.backtest.pair_judging import judged
from goldloop.backtest.pairs import Pair, agreement, among_people, holds_pairs, read, three_way
from goldloop.errors import ConfigError, InputError

Write = Callable[[Sequence[dict[str, Any] | str]], Path]


def row(number: int, votes: str, verdict: str | None, **more: Any) -> dict[str, Any]:
    """`votes` as "a b tie"."""
    opinions = [{"rater": f"r{place}", "winner": winner} for place, winner in enumerate(votes.split())]
    return {"id": f"p{number}", "votes": opinions, "judges": {"gpt": verdict}} | more


def pair(number: int, votes: str, verdict: str | None, **more: Any) -> Pair:
    return Pair.model_validate(row(number, votes, verdict, **more))


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def writing(rows: Sequence[dict[str, Any] | str]) -> Path:
        path = tmp_path / "pairs.jsonl.gz"
        lines = [one if isinstance(one, str) else json.dumps(one) for one in rows]
        path.write_bytes(gzip.compress("\n".join(lines).encode()))
        return path

    return writing


@pytest.mark.parametrize(
    ("said", "meant"),
    [("a", "a"), ("model_b", "b"), ("tie", "tie"), ("tie (inconsistent)", "tie"), ("both", None), ("", None)],
)
def test_verdicts_are_three_way(said: str, meant: str | None) -> None:
    assert three_way(said) == meant


@pytest.mark.parametrize(
    ("votes", "winner"), [("a a b", "a"), ("a b", "tie"), ("tie b", "tie"), ("b", "b"), ("", None)]
)
def test_most_votes_win_and_none_wins_alone(votes: str, winner: str | None) -> None:
    assert pair(1, votes, None).winner == winner


def test_each_vote_is_held_against_the_verdict() -> None:
    # Verdict, vote: a a, a a, a b, b b, b b, tie tie; the fourth row was not judged, the fifth not voted on.
    pairs = [pair(1, "a a b", "a"), pair(2, "b b", "b"), pair(3, "tie", "tie (inconsistent)")]
    made = agreement([*pairs, pair(4, "a", None), pair(5, "", "b")], "gpt")
    assert (made.pairs, made.votes) == (3, 6)
    assert made.same == pytest.approx(5 / 6)
    # Judge: a 3, b 2, tie 1; votes: a 2, b 3, tie 1. By chance (3*2 + 2*3 + 1*1) / 36 = 13/36; (30 - 13) / (36 - 13).
    assert made.kappa == pytest.approx(17 / 23)
    assert made.kappa_most == 1.0
    # Both ways round: a 5, b 5, tie 2 of 12 on either side. By chance (25 + 25 + 4) / 144; (120 - 54) / (144 - 54).
    assert made.kappa_even == pytest.approx(66 / 90)
    assert made.low <= made.kappa <= made.high


def test_people_are_held_against_each_other_both_ways() -> None:
    # Met: (a, b), (b, a), (a, a) twice. Each side: a 3, b 1. Same 1/2, by chance (9 + 1) / 16; (8 - 10) / (16 - 10).
    assert among_people([pair(1, "a b", None), pair(2, "a a", None), pair(3, "a", None)]) == pytest.approx(-1 / 3)
    assert among_people([pair(1, "a", None)]) is None


def test_a_judge_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(InputError, match="verdict of other; there are those of: gpt"):
        agreement([pair(1, "a", "a")], "other")


def test_a_verdicts_probability_is_what_it_was_worth_in_the_other_groups() -> None:
    # Three groups of two pairs. Group 0's come from the others: "a" went with a three times of four, with b once.
    pairs = [
        pair(number, votes, "a", group_id=group)
        for number, (group, votes) in enumerate(
            [("x", "b"), ("x", "b"), ("y", "a"), ("y", "a"), ("z", "a"), ("z", "b")]
        )
    ]
    made = judged(pairs, "gpt")
    # One pair more at the rates .75 and .25: (3 + .75) / 5, (1 + .25) / 5.
    assert made.probability[0] == pytest.approx([0.75, 0.25, 0.0])
    assert made.label.tolist() == [1, 1, 0, 0, 0, 1]
    assert made.probability[2] == pytest.approx([0.25, 0.75, 0.0])


def test_the_offline_judge_reads_both_answers() -> None:
    def texts(number: int) -> dict[str, Any]:
        good, bad = {"output": "It takes 30 days, from delivery on."}, {"output": "I am unable to say. Sorry."}
        return {"a": good, "b": bad} if number % 2 else {"a": bad, "b": good}

    pairs = [pair(number, "a" if number % 2 else "b", None, **texts(number)) for number in range(40)]
    made = judged([*pairs, pair(40, "a", None)], "offline")
    assert made.left_out == 1
    assert (made.probability.argmax(axis=1) == made.label).all()
    assert made.probability.sum(axis=1) == pytest.approx([1.0] * 40)


def test_effort_on_a_file_of_pairs(write: Write) -> None:
    path = write([row(number, "a" if number % 4 else "b", "a" if number % 4 else "b") for number in range(40)])
    assert holds_pairs(path)
    made = replay_effort(path, judge="gpt")
    assert (made.rows, made.accuracy, made.human) == (40, 1.0, "a, b or tie, by most votes")
    assert [target.share for target in made.targets] == [0.0, 0.0]
    assert [(target.random, target.best) for target in made.targets] == [(0.0, 0.0)] * 2


def test_effort_without_a_judge_is_refused(write: Write) -> None:
    with pytest.raises(ConfigError, match="name one by --judge"):
        replay_effort(write([row(1, "a", "a")]), judge="none")


def test_a_file_of_traces_holds_no_pairs(write: Write) -> None:
    assert not holds_pairs(write([{"id": "t1", "failure": True}]))
    assert not holds_pairs(write(["{", "{"]))
    assert not holds_pairs(write([]))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([row(1, "a", "a"), row(1, "b", "a")], r":2: id: p1 is there already"),
        ([row(1, "c", "a")], r":1: votes.0.winner: .*docs/judges.md"),
        ([row(1, "a", "left")], r":1: judges.gpt: .*'left' is no verdict"),
        (["{"], r":1: this line is not JSON"),
        ([], r"there is no pair in it"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(write: Write, lines: list[dict[str, Any] | str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(write(lines))
