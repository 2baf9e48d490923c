"""Totals and rates of a population from a sample drawn with known, unequal probabilities.

`failed` (n,) holds 1 for a failure and 0 for none, `pi` (n,) each trace's inclusion probability, in (0, 1].
`predicted` is a judge's probability of failure, made without the sampled labels (or cross-fitted).
"""

import numpy as np

from goldloop.numeric import Floats, kish

PRIOR_SIZE = 20.0
"""How many effective traces the belief weighs that the judge is right as it stands (power 1)."""
_HIGHEST_POWER = 1.5


def total(failed: Floats, pi: Floats) -> float:
    """Number of failures in the population, sum y_i / pi_i: unbiased (Horvitz & Thompson 1952)."""
    return float((failed / pi).sum())


def hajek(failed: Floats, pi: Floats) -> float:
    """Failure rate (sum y_i / pi_i) / (sum 1 / pi_i): nearly unbiased, and exact where all or none failed.

    Hajek, in *Foundations of Statistical Inference* (1971), p. 236.
    """
    return total(failed, pi) / float((1 / pi).sum())


def aipw(failed: Floats, pi: Floats, predicted: Floats, mean_predicted: float, power: float = 1.0) -> float:
    """Failure rate: power * mean_U(m) + (sum (y_i - power * m_i) / pi_i) / (sum 1 / pi_i).

    The judge's mean over the whole population, corrected by what the sample says of its errors: Robins, Rotnitzky &
    Zhao (1994) with known probabilities, the difference estimator of Sarndal, Swensson & Wretman (1992), section 6.3,
    its correction normalised as Hajek's rate is; `power` as in Angelopoulos, Duchi & Zrnic, *PPI++* (2023). Nearly
    unbiased however wrong the judge; power 0 is Hajek's rate.
    """
    return power * mean_predicted + hajek(failed - power * predicted, pi)


def ratio_bias(residual: Floats, pi: Floats) -> float:
    """How far a rate with sum 1 / pi_i below the line is off on average, estimated from the sample (n,).

    -Cov(sum e_i / pi_i, sum 1 / pi_i) / N^2 for residuals e_i around the rate: to be taken from it (Tin 1965). The
    covariance is of a fixed-size draw's, as `variance.of_total` has it, and N is sum 1 / pi_i. Without this a draw that
    hunts is off by up to half a point at n = 80.
    """
    open_ = pi < 1
    if int(open_.sum()) < 2:  # noqa: PLR2004 - one trace has no spread
        return 0.0
    share, weight = 1 - pi[open_], 1 / pi[open_]
    error = residual[open_] * weight
    product = (error - (share @ error) / share.sum()) * (weight - (share @ weight) / share.sum())
    count = len(weight)
    return -float(share @ product) * count / (count - 1) / float((1 / pi).sum()) ** 2


def tuned_power(failed: Floats, pi: Floats, predicted: Floats) -> float:
    """The power that makes the variance of `aipw` least, drawn towards 1; in [0, 1.5].

    PPI++'s Cov(m, y) / Var(m), the covariances weighted as the design's variance weighs them, by (1 - pi) / pi^2. The
    prior keeps a small sample from tuning to its own noise: with n_eff effective traces the sample counts
    n_eff / (n_eff + 20). Nothing to tune (a constant judge, or every trace certain) gives 1.
    """
    weight = (1 - pi) / pi**2
    own = 1 / pi
    y = failed - (own @ failed) / own.sum()
    m = predicted - (own @ predicted) / own.sum()
    spread = float(weight @ m**2)
    if spread <= 1e-12 * max(1.0, float(weight.sum())):
        return 1.0
    prior = PRIOR_SIZE / kish(weight)
    return float(np.clip((float(weight @ (m * y)) / spread + prior) / (1 + prior), 0.0, _HIGHEST_POWER))
