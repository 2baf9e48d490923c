"""Reasons: what moved the judge most, in words, at most three."""

import numpy as np

from goldloop.judge.features import NAMES
from goldloop.judge.reasons import reasons


def _told(values: dict[str, float], pulls: dict[str, float]) -> str:
    row, pull = (np.array([[given.get(name, 0.0) for name in NAMES]]) for given in (values, pulls))
    (found,) = reasons(row, pull)
    return found


def test_the_strongest_come_first_and_three_are_enough() -> None:
    pulls = {"refuses": 2.0, "messages, log": 1.0, "answer asks back": 0.9, "repeated sentences": 0.8}
    values = {"refuses": 1.0, "words of the question in the sources": 0.25, "messages, log": np.log(2)}
    assert _told(values, pulls) == (
        "It refuses, and 25 % of the question's words are in the sources; the conversation has 1 message; "
        "the answer ends in no question."
    )


def test_what_says_the_same_counts_together() -> None:
    # 1.5 - 1.4 of one kind is less than what is needed; pairs alone are left
    pulls = {"words backed by the sources": 1.5, "least backed sentence": -1.4, "word pairs backed": 0.3}
    assert _told({"word pairs backed": 0.5}, pulls) == "50 % of its word pairs stand so in the sources."


def test_what_pulled_the_other_way_is_no_reason() -> None:
    assert _told({}, {"refuses": -3.0, "no answer": 0.1}) == ""


def test_every_feature_is_told_of() -> None:
    for name in NAMES:
        for value in (0.0, 1.0):
            assert _told({name: value}, {name: 1.0}).endswith(".")


def test_counts_are_whole() -> None:
    assert _told({"unbacked numbers, log": np.log(3)}, {"unbacked numbers, log": 1}) == (
        "2 of its numbers are in no source."
    )
    assert _told({}, {"unbacked numbers, log": 1}) == "It has no number that no source has."
