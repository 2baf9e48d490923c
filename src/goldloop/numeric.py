"""What the core counts with: types of arrays, log-odds, the size that weights leave, a regression with a prior."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEVEL_PRECISION = 0.25
_STEPS = 50
_LONGEST = 4.0
_LEAST = 1e-9
_NEAR = 1e-7
"""Far below what a probability shows."""


def logit(p: Floats) -> Floats:
    """log(p / (1 - p)), p in (0, 1)."""
    return np.asarray(np.log(p / (1 - p)), dtype=np.float64)


def expit(x: Floats) -> Floats:
    """1 / (1 + exp(-x))."""
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float64)


def kish(weights: Floats) -> float:
    """Effective sample size n_eff = (sum w)^2 / sum w^2 of weights (n,) >= 0; 0 where there are none.

    Kish, *Survey Sampling* (1965), section 11.7. Of the means that such a sample can give it holds for one that has
    nothing to do with the weights.
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def line_of(log_odds: Floats, y: Floats) -> tuple[float, float, float]:
    """(middle, level, slope) so that expit(level + slope * (log_odds - middle)) fits the labels y (n,).

    Platt's (1999) scaling, `middle` being the mean log-odds. The slope's prior is 1 and weighs 1, the level's is the
    middle and weighs 1/4: a few labels move the level at once and the slope slowly; no label leaves them as they are.
    """
    middle = float(log_odds.mean()) if len(log_odds) else 0.0
    x = np.stack([np.ones_like(log_odds), log_odds - middle], axis=1)
    level, slope = fitted(x, y, np.array([middle, 1.0]), np.array([LEVEL_PRECISION, 1.0]))
    return middle, float(level), float(slope)


def fitted(x: Floats, y: Floats, prior: Floats, precision: Floats) -> Floats:
    """Logistic regression with a prior: coefficients b (k,) of P(y = 1) = expit(x b) that make the posterior greatest.

    x is (n, k) with a column of ones where an intercept is wanted, y (n,) of 0 and 1; each b_j has a normal prior of
    mean prior_j and variance 1 / precision_j (ridge). Newton-Raphson (iteratively reweighted least squares; McCullagh
    & Nelder, *Generalized Linear Models*, 1989, section 2.5), each step no longer than 4, and halved until the
    posterior rises: from a prior that is far too sure a whole step overshoots, there and back.
    """

    def log_posterior(b: Floats) -> float:
        odds = x @ b
        return float(y @ odds - np.logaddexp(0.0, odds).sum() - precision @ (b - prior) ** 2 / 2)

    b, height = prior.copy(), log_posterior(prior)
    for _ in range(_STEPS):
        p = expit(x @ b)
        slope = x.T @ (y - p) - precision * (b - prior)
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(precision + _LEAST)
        step = np.linalg.solve(curve, slope)
        step *= min(1.0, _LONGEST / max(float(np.abs(step).max()), _LEAST))
        while (found := log_posterior(b + step)) < height and float(np.abs(step).max()) >= _NEAR:
            step /= 2
        if float(np.abs(step).max()) < _NEAR:
            break
        b, height = b + step, found
    return np.asarray(b, dtype=np.float64)
