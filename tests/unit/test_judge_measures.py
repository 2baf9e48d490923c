"""Measures of judges, against values that are worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldloop.judge.measures import accuracy, auroc, cohen_kappa, ece, expected_ece, wilson_lower


def test_auroc() -> None:
    failed = np.array([1.0, 0, 1, 0])
    # of four pairs two are right, one is a tie
    assert auroc(np.array([0.9, 0.5, 0.5, 0.7]), failed) == pytest.approx(2.5 / 4)
    assert auroc(np.array([0.9, 0.5]), np.ones(2)) == 0.5
    assert auroc(np.zeros(0), np.zeros(0)) == 0.5


def test_kappa_of_two_labels() -> None:
    # 20 + 15 of 50 agree: p_o = 0.7; given 25 / 25, true 30 / 20: p_e = 0.5 * 0.6 + 0.5 * 0.4 = 0.5; (0.7 - 0.5) / 0.5
    mine = ["a"] * 20 + ["a"] * 5 + ["b"] * 10 + ["b"] * 15
    theirs = ["a"] * 20 + ["b"] * 5 + ["a"] * 10 + ["b"] * 15
    assert cohen_kappa(mine, theirs) == pytest.approx(0.4)
    assert accuracy(mine, theirs) == pytest.approx(0.7)


def test_kappa_of_three_labels() -> None:
    # 3 of 6 agree: p_o = 1/2; each gives each label twice: p_e = 3 * 1/9 = 1/3; (1/2 - 1/3) / (2/3) = 1/4
    assert cohen_kappa([*"aabbcc"], [*"abbcca"]) == pytest.approx(0.25)


def test_kappa_where_there_is_nothing_to_show() -> None:
    assert cohen_kappa(["a", "a"], ["a", "a"]) == 0.0
    assert cohen_kappa([], []) == 0.0
    assert accuracy([], []) == 0.0
    assert cohen_kappa(["a", "b"], ["b", "a"]) == pytest.approx(-1.0)  # p_o = 0, p_e = 1/2


def test_ece_by_hand() -> None:
    # bins of two: (0.1, 0.3 | none right) off by 0.2; (0.6, 0.8 | one right) off by 0.7 - 0.5 = 0.2; mean 0.2
    assert ece(np.array([0.8, 0.1, 0.6, 0.3]), np.array([1.0, 0, 0, 0]), 2) == pytest.approx(0.2)
    # each row a bin of its own: 0.1 + 0.3 + 0.6 + 0.2, over 4
    assert ece(np.array([0.8, 0.1, 0.6, 0.3]), np.array([1.0, 0, 0, 0])) == pytest.approx(0.3)
    assert ece(np.zeros(0), np.zeros(0)) == 0.0


def test_equal_probabilities_count_with_their_mean() -> None:
    assert ece(np.full(20, 0.25), np.tile([0.0, 0, 0, 1], 5)) == pytest.approx(0)
    assert ece(np.full(20, 0.25), np.repeat([0.0, 1], [15, 5])) == pytest.approx(0)


def test_even_a_perfect_judge_shows_an_ece() -> None:
    rng = np.random.default_rng(1)
    p = np.repeat([0.1, 0.9], 185) + rng.normal(0, 1e-6, 370)
    # ten bins of 37 at p (1 - p) = 0.09: sqrt(2 / pi * 0.09 / 37) = 0.0393
    assert expected_ece(p, rng) == pytest.approx(0.0393, abs=0.003)


def test_wilsons_lower_end() -> None:
    # all of n right: n / (n + z^2) = 52 / 54.706
    assert wilson_lower(52, 52) == pytest.approx(0.9505, abs=1e-4)
    # z = 1.96 and 45 of 50: 1 less the upper end for 5 of 50, 0.2136
    assert wilson_lower(45, 50, 1.96) == pytest.approx(0.7864, abs=1e-4)
    assert (wilson_lower(0, 0), wilson_lower(0, 9)) == (0.0, 0.0)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_measures_do_not_depend_on_the_order(rows: list[tuple[float, bool]]) -> None:
    def of(rows: list[tuple[float, bool]]) -> tuple[float, float]:
        p, y = np.array([one for one, _ in rows]), np.array([float(one) for _, one in rows])
        return auroc(p, y), ece(p, y)

    turned = rows[::-1]
    assert of(rows) == pytest.approx(of(turned))
    assert 0 <= of(rows)[1] <= 1
