"""Logistic regression with a prior, in a few Newton steps: small enough to need no library."""

import numpy as np

from goldloop.numeric import Floats, expit

_STEPS = 50
_LONGEST = 4.0
_LEAST = 1e-9


def fitted(x: Floats, y: Floats, prior: Floats, precision: Floats) -> Floats:
    """Coefficients b (k,) of P(y = 1) = expit(x b) that make the posterior greatest.

    x is (n, k) with a column of ones where an intercept is wanted, y (n,) of 0 and 1; each b_j has a normal prior of
    mean prior_j and variance 1 / precision_j (ridge). Newton-Raphson (iteratively reweighted least squares; McCullagh
    & Nelder, *Generalized Linear Models*, 1989, section 2.5), each step no longer than 4.
    """
    b = prior.copy()
    for _ in range(_STEPS):
        p = expit(x @ b)
        slope = x.T @ (y - p) - precision * (b - prior)
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(precision + _LEAST)
        step = np.linalg.solve(curve, slope)
        longest = float(np.abs(step).max())
        b = b + step * min(1.0, _LONGEST / max(longest, _LEAST))
        if longest < 1e-7:  # noqa: PLR2004 - far below what a probability shows
            break
    return np.asarray(b, dtype=np.float64)


def recalibrated(log_odds: Floats, y: Floats) -> tuple[float, float]:
    """(a, b) so that expit(a + b * log_odds) fits the labels y (n,), with a prior of b = 1.

    Platt's (1999) scaling. The prior on the slope weighs 1, the one on the level (relative to the mean log-odds) 1/4: a
    few labels move the level at once and the slope slowly; no label at all leaves the judge as it is.
    """
    middle = float(log_odds.mean()) if len(log_odds) else 0.0
    x = np.stack([np.ones_like(log_odds), log_odds - middle], axis=1)
    a, b = fitted(x, y, np.array([middle, 1.0]), np.array([0.25, 1.0]))
    slope = max(float(b), 0.0)
    return float(a) - slope * middle, slope
