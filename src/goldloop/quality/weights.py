"""What weights cost: the size of a plain random sample that would tell as much."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def kish(weights: Floats) -> float:
    """Effective sample size n_eff = (sum w)^2 / sum w^2 of weights (n,) >= 0; 0 where there are none.

    Kish, *Survey Sampling* (1965), section 11.7. Of the means that such a sample can give it holds for one that has
    nothing to do with the weights.
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def design_effect(weights: Floats) -> float:
    """By how much the variance of a mean grows through unequal weights (n,), 1 where they are equal: n / n_eff."""
    effective = kish(weights)
    return len(weights) / effective if effective > 0 else 1.0
