"""What each policy's traces turned out to be."""

import pytest

from goldloop.quality.intervals import wilson
from goldloop.quality.yields import PolicyCount, proposed, yields

SHARES = {"random": 0.4, "negative": 0.4, "risk": 0.2}


def _count(policy: str, answered: int, failures: int) -> PolicyCount:
    return PolicyCount(policy=policy, drawn=answered + 5, answered=answered, failures=failures)


def test_rates_with_their_intervals_the_greatest_first() -> None:
    rows = yields([_count("random", 40, 4), _count("risk", 10, 6), _count("negative", 0, 0)], SHARES)
    assert [row.policy for row in rows] == ["risk", "random", "negative"]
    assert rows[0].rate == pytest.approx(0.6)
    assert (rows[1].low, rows[1].high) == (wilson(4, 40).low, wilson(4, 40).high)
    assert (rows[2].rate, rows[2].low, rows[2].high) == (None, 0.0, 1.0)
    assert [row.share for row in rows] == [0.2, 0.4, 0.4]


def test_a_policy_that_drew_once_and_has_no_share_now_is_told() -> None:
    rows = yields([_count("audit", 40, 4)], SHARES)
    assert (rows[0].policy, rows[0].share, rows[0].proposed) == ("audit", 0.0, 0.0)
    assert len(rows) == 4


def test_few_answers_propose_nothing() -> None:
    assert proposed([_count("risk", 29, 29), _count("negative", 500, 5)], SHARES) == SHARES
    assert proposed([], SHARES) == SHARES


def test_shares_go_to_what_finds_more() -> None:
    # Rates (9.5 / 100, 39.5 / 100) with shares 0.4 and 0.2: mean (0.038 + 0.079) / 0.6 = 0.195; the factors 0.487 and
    # 2.026 are cut to 1/2 and 2: 0.2 and 0.4, which is 0.6 already.
    found = proposed([_count("random", 200, 20), _count("negative", 99, 9), _count("risk", 99, 39)], SHARES)
    assert found == pytest.approx({"random": 0.4, "negative": 0.2, "risk": 0.4})
    assert sum(found.values()) == pytest.approx(1)


def test_a_policy_that_found_nothing_keeps_something() -> None:
    found = proposed([_count("negative", 100, 0), _count("risk", 100, 50)], SHARES)
    assert 0 < found["negative"] < 0.4
    assert found["random"] == 0.4
