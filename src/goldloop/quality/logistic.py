"""A judge's number, recalibrated by a logistic regression of two coefficients."""

import numpy as np

from goldloop.numeric import Floats, fitted

__all__ = ["fitted", "recalibrated"]


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
