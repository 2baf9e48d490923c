"""Totals, rates, power and variance on samples small enough to work out by hand."""

import numpy as np
import pytest

from goldloop.numeric import kish
from goldloop.quality.rates import aipw, hajek, ratio_bias, total, tuned_power
from goldloop.quality.variance import of_total
from goldloop.quality.weights import design_effect

FAILED = np.array([1.0, 0.0, 1.0, 0.0])
PI = np.array([0.5, 0.25, 1.0, 0.25])


def test_effective_size() -> None:
    # (1 + 1 + 2)^2 / (1 + 1 + 4) = 16 / 6
    assert kish(np.array([1.0, 1.0, 2.0])) == pytest.approx(16 / 6)
    assert design_effect(np.array([1.0, 1.0, 2.0])) == pytest.approx(3 * 6 / 16)
    assert kish(np.ones(7)) == pytest.approx(7)
    assert design_effect(np.ones(7)) == pytest.approx(1)
    assert kish(np.array([])) == 0.0


def test_a_total_counts_each_failure_for_those_that_it_stands_for() -> None:
    # 1 / 0.5 + 1 / 1
    assert total(FAILED, PI) == pytest.approx(3)


def test_hajeks_rate() -> None:
    # (2 + 1) of weights 2 + 4 + 1 + 4
    assert hajek(FAILED, PI) == pytest.approx(3 / 11)
    assert hajek(np.ones(4), PI) == pytest.approx(1)


def test_aipw_corrects_the_judges_mean_by_its_weighted_errors() -> None:
    predicted = np.array([0.5, 0.5, 1.0, 0.0])
    # errors 0.5, -0.5, 0, 0 of weights 2, 4, 1, 4: (1 - 2) / 11
    assert aipw(FAILED, PI, predicted, 0.3) == pytest.approx(0.3 - 1 / 11)
    # power 1/2: errors 0.75, -0.25, 0.5, 0: (1.5 - 1 + 0.5) / 11
    assert aipw(FAILED, PI, predicted, 0.3, 0.5) == pytest.approx(0.15 + 1 / 11)
    assert aipw(FAILED, PI, predicted, 0.3, 0.0) == pytest.approx(hajek(FAILED, PI))


def test_power_of_a_judge_that_says_nothing_is_left_alone() -> None:
    assert tuned_power(FAILED, PI, np.full(4, 0.3)) == 1.0
    assert tuned_power(FAILED, np.ones(4), FAILED) == 1.0


def test_power_is_drawn_towards_one() -> None:
    failed, pi = np.array([1.0, 0.0] * 10), np.full(20, 0.5)
    # A judge that says 0.75 and 0.25 has slope (1 - 0) / (0.75 - 0.25) = 2; 20 effective traces against a prior of
    # 20 at 1 make (2 + 1) / 2. One that says the opposite has -2, so (-2 + 1) / 2, which is cut to 0.
    assert tuned_power(failed, pi, np.where(failed == 1, 0.75, 0.25)) == pytest.approx(1.5)
    assert tuned_power(failed, pi, np.where(failed == 1, 0.25, 0.75)) == 0.0
    # A judge that says 1 and 0 has slope 1.
    assert tuned_power(failed, pi, failed) == pytest.approx(1)


def test_variance_of_equal_probabilities_is_that_of_plain_random_sampling() -> None:
    # N^2 (1 - n / N) s^2 / n with n = 4, N = 8, s^2 of (1, 0, 0, 0) = 1/4: 64 * 1/2 * 1/16
    found = of_total(np.array([1.0, 0, 0, 0]), np.full(4, 0.5))
    assert found.value == pytest.approx(2)
    # Contributions (3/4)^2 and three times (1/4)^2, so (9 + 3)^2 / (81 + 3)
    assert found.freedom == pytest.approx(144 / 84)


def test_variance_of_unequal_probabilities() -> None:
    # e / pi = 2, 4, 0 with weights 1 - pi = 0.5, 0.75, 0.5: mean (1 + 3) / 1.75 = 16/7;
    # 3 / 2 * (0.5 * (2 - 16/7)^2 + 0.75 * (4 - 16/7)^2 + 0.5 * (16/7)^2) = 1.5 * (2 + 108 + 128) / 49
    found = of_total(np.array([1.0, 1, 0]), np.array([0.5, 0.25, 0.5]))
    assert found.value == pytest.approx(1.5 * 238 / 49)


def test_certain_traces_add_nothing() -> None:
    one = of_total(np.array([1.0, 1, 0, 1]), np.array([0.5, 0.25, 0.5, 1]))
    assert one == of_total(np.array([1.0, 1, 0]), np.array([0.5, 0.25, 0.5]))
    assert of_total(np.ones(3), np.ones(3)).value == 0.0
    assert of_total(np.array([1.0]), np.array([0.5])).value == 0.0


def test_clusters_are_summed_before_they_are_squared() -> None:
    residual, pi = np.array([1.0, 1, 0, 0]), np.full(4, 0.5)
    # e / pi = 2, 2, 0, 0, mean 1, so +-1 each, times sqrt(1/2). Alone 4/3 * 4 * 1/2; in pairs of the same
    # 2 / 1 * 2 * (2 * sqrt(1/2))^2; in pairs of opposites 0.
    assert of_total(residual, pi).value == pytest.approx(8 / 3)
    assert of_total(residual, pi, np.array([5, 5, 9, 9])).value == pytest.approx(8)
    assert of_total(residual, pi, np.array([5, 9, 5, 9])).value == pytest.approx(0)
    assert of_total(residual, pi, np.full(4, 5)).value == 0.0


def test_the_bias_of_a_ratio() -> None:
    # e / pi = 2, -4, 2, 0; 1 / pi = 2, 4, 2, 4 (N = 12), 1 - pi = 1/2, 3/4, 1/2, 3/4, which sum to 5/2. Weighted means
    # (1 - 3 + 1) / 2.5 = -0.4 and (1 + 3 + 1 + 3) / 2.5 = 3.2. Products (2.4)(-1.2), (-3.6)(0.8), (2.4)(-1.2) and
    # (0.4)(0.8), weighted -1.44 - 2.16 - 1.44 + 0.24 = -4.8; times 4/3, over 12^2.
    found = ratio_bias(np.array([1.0, -1, 1, 0]), np.array([0.5, 0.25, 0.5, 0.25]))
    assert found == pytest.approx(4.8 * 4 / 3 / 144)
    # A certain trace counts in N alone.
    found = ratio_bias(np.array([1.0, -1, 1, 0, 1]), np.array([0.5, 0.25, 0.5, 0.25, 1]))
    assert found == pytest.approx(4.8 * 4 / 3 / 169)
    assert ratio_bias(np.array([1.0, -1]), np.full(2, 0.5)) == pytest.approx(0)
    assert ratio_bias(np.ones(1), np.full(1, 0.5)) == 0.0
