"""Wilson's interval, what a judge foresees, and the interval made of both."""

import numpy as np
import pytest

from goldloop.numeric import expit, fitted, logit
from goldloop.quality.intervals import Interval, Population, normal_quantile, score_interval, wilson
from goldloop.quality.logistic import recalibrated
from goldloop.quality.variance import Variance

NOTHING = Variance(0.0, 0.0)


def test_wilson() -> None:
    # 5 of 50, z = 1.96: (0.1 + 0.03842) / 1.07683 -+ 1.96 / 1.07683 * sqrt(0.0018 + 0.000384) = 0.1285 -+ 0.0851
    found = wilson(5, 50)
    assert [found.low, found.high] == pytest.approx([0.0435, 0.2136], abs=5e-5)
    assert wilson(0, 0) == Interval(0.0, 1.0)
    # z^2 / (n + z^2) = 3.8415 / 13.8415
    assert [wilson(0, 10).low, wilson(0, 10).high] == pytest.approx([0, 0.2775], abs=5e-5)
    assert wilson(10, 10).high == 1.0


def test_wilson_of_a_finite_population() -> None:
    # 50 of 101: as if n were 50 * 100 / 51
    assert wilson(5, 50, population=101) == wilson(5 * 100 / 51, 50 * 100 / 51)
    assert wilson(5, 50, population=50) == Interval(0.1, 0.1)


def test_quantiles() -> None:
    assert normal_quantile(0.95) == pytest.approx(1.959964, abs=1e-6)


@pytest.mark.parametrize("failures", [0, 1, 8, 40])
def test_without_a_judge_and_with_equal_probabilities_it_is_wilsons(failures: int) -> None:
    population = Population.of(np.full(400, 0.1), np.full(400, 0.5))
    rates, foreseen = population.foreseen((0.0, 1.0), 1.0)
    found = score_interval(failures / 40, rates, foreseen, NOTHING)
    wanted = wilson(failures / 0.9, 40 / 0.9)  # the variance is (1 - 0.1) rate (1 - rate) / 40
    # Straight lines between the rates of the row err by some thousandths.
    assert [found.low, found.high] == pytest.approx([wanted.low, wanted.high], abs=0.006)


def test_what_the_judge_foresees_is_the_variance_of_its_own_lottery() -> None:
    """Against 20,000 draws of failures and, by Poisson's plain formula, of samples of them."""
    rng = np.random.default_rng(3)
    pi, m = rng.uniform(0.1, 0.9, 50), rng.uniform(0.05, 0.6, 50)
    rates, foreseen = Population.of(pi, m).foreseen((0.0, 1.0), 0.8)
    middle = int(np.argmin(abs(rates - m.mean())))  # no shift
    p = 0.97 * m + 0.03 * m.mean()
    failed = rng.random((20_000, 50)) < p
    residual = failed - 0.8 * m - (rates[middle] - 0.8 * m.mean())
    mean = residual @ (1 - pi) / ((1 - pi) @ pi)
    # Hajek's variance for the known residuals, sum (1 - pi) / pi (e - B pi)^2; that of the mean B itself over the
    # lottery, which `foreseen` leaves out, makes it a little smaller.
    known = ((residual - mean[:, None] * pi) ** 2 @ ((1 - pi) / pi)).mean() / 50**2
    assert rates[middle] == pytest.approx(m.mean(), abs=1e-3)
    assert foreseen[middle] == pytest.approx(known, rel=0.06)


def test_a_sample_that_shows_more_spread_widens_and_one_that_shows_less_narrows_a_little() -> None:
    rates, foreseen = Population.of(np.full(400, 0.1), np.full(400, 0.5)).foreseen((0.0, 1.0), 1.0)
    expected = float(np.interp(0.2, rates, foreseen))
    # (5 + 20 times 4) / 25 and (20 + 20 / 4) / 40: Wilson's with so many times fewer traces.
    for value, ratio in ((4 * expected, 3.4), (expected / 4, 0.625)):
        found = score_interval(0.2, rates, foreseen, Variance(value, 20.0))
        wanted = wilson(0.2 * (size := 40 / 0.9 / ratio), size)
        assert [found.low, found.high] == pytest.approx([wanted.low, wanted.high], abs=0.004)


def test_where_every_trace_was_certain_the_rate_is_known() -> None:
    rates, foreseen = Population.of(np.ones(9), np.full(9, 0.3)).foreseen((0.0, 1.0), 1.0)
    assert score_interval(2 / 9, rates, foreseen, NOTHING) == Interval(2 / 9, 2 / 9)


def test_a_population_that_could_not_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Population.of(np.array([0.5, 0.0]), np.array([0.5, 0.5]))


def test_a_sample_stands_for_its_population_by_its_weights() -> None:
    pi, m = np.array([0.5, 0.25]), np.array([0.2, 0.6])
    sample = Population.of(pi, m, 1 / pi)
    assert sample.size == pytest.approx(6)
    assert sample.mean_predicted == pytest.approx((2 * 0.2 + 4 * 0.6) / 6)
    whole = Population.of(np.repeat(pi, [2, 4]), np.repeat(m, [2, 4]))
    for one, other in zip(sample.foreseen((0.1, 0.9), 1.0), whole.foreseen((0.1, 0.9), 1.0), strict=True):
        assert one == pytest.approx(other)


def test_logistic_regression_finds_what_made_the_labels() -> None:
    rng = np.random.default_rng(1)
    x = np.stack([np.ones(20_000), rng.normal(size=20_000)], axis=1)
    y = (rng.random(20_000) < expit(x @ np.array([-1.0, 0.7]))).astype(np.float64)
    assert fitted(x, y, np.zeros(2), np.zeros(2)) == pytest.approx(np.array([-1.0, 0.7]), abs=0.06)


def test_logistic_regression_without_labels_is_its_prior() -> None:
    assert fitted(np.zeros((0, 2)), np.zeros(0), np.array([1.0, 2.0]), np.ones(2)) == pytest.approx([1.0, 2.0])
    assert recalibrated(np.zeros(0), np.zeros(0)) == pytest.approx((0.0, 1.0))


def test_recalibration_mends_a_judge_that_is_too_sure() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(-1, 1.5, 20_000)
    y = (rng.random(20_000) < expit(truth)).astype(np.float64)
    assert recalibrated(2 * truth + 1, y) == pytest.approx((-0.5, 0.5), abs=0.05)


def test_log_odds_and_back() -> None:
    assert expit(logit(np.array([0.2, 0.9]))) == pytest.approx(np.array([0.2, 0.9]))
