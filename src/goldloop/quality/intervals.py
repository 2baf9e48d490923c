"""Intervals for rates that hold at small samples too: Wilson's, and its like for a weighted draw with a judge.

docs/decisions/0013-the-interval.md says what else was tried.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from goldloop.numeric import Floats, expit, logit
from goldloop.quality.variance import Variance

BACKGROUND = 0.03
"""The share of traces on which a judge is taken to know nothing, for the variance: no judge is surer than that."""
MODEL_SIZE = 20.0
"""How many degrees of freedom the variance that the judge foresees counts for, beside a smaller one of the sample."""
WARNED_SIZE = 5.0
"""The same beside a larger one: what a sample did show weighs more than what it may have missed."""
_SHIFTS: Floats = np.concatenate([np.linspace(-9, -3, 15)[:-1], np.linspace(-3, 3, 49), np.linspace(3, 9, 15)[1:]])
_BIN = 0.02
_SUREST = 1e-4


@dataclass(frozen=True)
class Interval:
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


def normal_quantile(confidence: float) -> float:
    """The z with P(|Z| <= z) = confidence."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(failures: float, n: float, confidence: float = 0.95, population: int | None = None) -> Interval:
    """Wilson's (1927) score interval of a rate: {p: |f/n - p| <= z sqrt(p (1 - p) / n)}; [0, 1] where n is 0.

    Of a plain random sample of a finite `population` of N the variance is smaller by (N - n) / (N - 1), as if n were
    larger by its inverse; the whole population gives the rate itself.
    """
    if n <= 0:
        return Interval(0.0, 1.0)
    rate = failures / n
    if population is not None:
        if population <= n:
            return Interval(rate, rate)
        n = n * (population - 1) / (population - n)
    z = normal_quantile(confidence)
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Interval(0.0 if rate == 0 else low, 1.0 if rate == 1 else high)


@dataclass(frozen=True)
class Population:
    """What the variance needs to know of N candidates, in bins of the judge's log-odds; arrays are (bins,).

    `odds` the bins' log-odds and `count` their candidates; sums over the candidates of a = (1 - pi) / pi, of a * m, of
    1 - pi, and as numbers those of a, a * m, a * m^2, (1 - pi) * m, (1 - pi) * pi; the mean of m, the judge's
    probability.
    """

    size: float
    mean_predicted: float
    odds: Floats
    count: Floats
    spread: Floats
    spread_m: Floats
    rest: Floats
    spread_mm: float
    rest_m: float
    rest_pi: float

    @classmethod
    def of(cls, pi: Floats, predicted: Floats, weight: Floats | None = None) -> Self:
        """Of each candidate's pi, in (0, 1], and m (N,); with `weight` 1 / pi, of a sample that stands for them.

        ValueError where a candidate could not have been drawn.
        """
        if len(pi) == 0 or float(pi.min()) <= 0:
            raise ValueError("every candidate needs an inclusion probability above 0")
        each = np.ones_like(pi) if weight is None else weight
        odds = logit(np.clip(predicted, _SUREST, 1 - _SUREST))
        _, place = np.unique(np.rint(odds / _BIN), return_inverse=True)
        spread, rest = each * (1 - pi) / pi, each * (1 - pi)

        def binned(value: Floats) -> Floats:
            return np.bincount(place, value).astype(np.float64)

        count = binned(each)
        return cls(
            size=float(each.sum()),
            mean_predicted=float((each * predicted).sum() / each.sum()),
            odds=binned(each * odds) / count,
            count=count,
            spread=binned(spread),
            spread_m=binned(spread * predicted),
            rest=binned(rest),
            spread_mm=float(spread @ predicted**2),
            rest_m=float(rest @ predicted),
            rest_pi=float(rest @ pi),
        )

    def foreseen(self, scaling: tuple[float, float], power: float) -> tuple[Floats, Floats]:
        """(rates, variances): the variance of `rates.aipw` that the judge foresees, for a row of possible true rates.

        With p_i the judge's probability, rescaled by expit(a + b * log-odds), moved by a shift of its log-odds so that
        their mean is the true rate, and 3 % of it replaced by that mean, the failures are independent with p_i, and the
        residuals e_i = y_i - power * m_i - (rate - power * mean(m)). The variance of sum e_i / pi_i under a fixed-size
        draw is sum (1 - pi_i) / pi_i * E e_i^2 - (sum (1 - pi_i) E e_i)^2 / sum (1 - pi_i) pi_i: Hajek's (1964), in
        expectation, which is Isaki & Fuller's (1982) anticipated variance. A constant judge and equal pi give
        (1 - n / N) * rate * (1 - rate) / n.
        """
        a, b = scaling
        p = expit(a + b * self.odds[None, :] + _SHIFTS[:, None])
        rates = p @ self.count / self.size
        p = (1 - BACKGROUND) * p + BACKGROUND * rates[:, None]
        offset = rates - power * self.mean_predicted
        of_p = p @ self.spread
        squares = (
            of_p
            - 2 * power * (p @ self.spread_m)
            - 2 * offset * of_p
            + power**2 * self.spread_mm
            + 2 * power * offset * float(self.spread_m.sum())
            + offset**2 * float(self.spread.sum())
        )
        if self.rest_pi > 0:
            mean = p @ self.rest - power * self.rest_m - offset * float(self.rest.sum())
            squares = squares - mean**2 / self.rest_pi
        return rates, np.maximum(squares, 0.0) / self.size**2


def score_interval(
    rate: float, rates: Floats, foreseen: Floats, sampled: Variance, confidence: float = 0.95
) -> Interval:
    """{t: |rate - t| <= z sqrt(r * V(t))} with V what the judge foresees (`Population.foreseen`, both (g,)).

    Wilson's idea with another variance: it is that at the tested rate t, not at the estimate, so that few failures do
    not make a short interval. r draws V towards the sample's own variance v with f degrees of freedom:
    r = (k + f * v / V(rate)) / (k + f), k = 20 where v is the smaller one and 5 where it is the larger. With equal pi
    and no judge it is Wilson's interval.
    """
    rate = min(max(rate, 0.0), 1.0)
    expected = float(np.interp(rate, rates, foreseen))
    ratio = 1.0
    if expected > 0 and sampled.value > 0:
        model = WARNED_SIZE if sampled.value > expected else MODEL_SIZE
        ratio = (model + sampled.freedom * sampled.value / expected) / (model + sampled.freedom)
    reach = normal_quantile(confidence) * np.sqrt(ratio * foreseen)
    if float(reach.max()) <= 0:  # every trace was certain
        return Interval(rate, rate)
    below = _crossing(rates, rate - rates - reach)
    above = _crossing(1 - rates[::-1], (rates - rate - reach)[::-1])
    return Interval(min(below, rate), max(1 - above, rate))


def _crossing(at: Floats, excess: Floats) -> float:
    """Where the excess, a function of ascending `at`, turns negative for good, by straight lines; 0 if at once."""
    positive = np.flatnonzero(excess >= 0)
    if len(positive) == 0:
        return 0.0
    i = int(positive[-1])
    if i + 1 == len(at):
        return float(at[i])
    step = float(excess[i] / (excess[i] - excess[i + 1]))
    return float(at[i] + step * (at[i + 1] - at[i]))
