"""What sampling, signals and statistics all count with: types of arrays, log-odds, the size that weights leave."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
