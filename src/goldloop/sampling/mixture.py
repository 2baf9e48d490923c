"""Policies as distributions over candidates, and their mixture as inclusion probabilities.

With budget B, shares s_k and policies q_k (each sums to 1 over the frame), candidate i gets the design probability
pi_i proportional to sum_k s_k q_k(i), capped at 1 and scaled so that the pi sum to B: the pi-ps design of Hartley &
Rao (1962), with the caps of Sarndal, Swensson & Wretman, *Model Assisted Survey Sampling* (1992), section 3.6.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def random(strata: Sequence[str]) -> Floats:
    """The same probability for each of the n candidates; shape (n,), sums to 1."""
    return np.full(len(strata), 1 / len(strata))


def stratified(strata: Sequence[str], power: float) -> Floats:
    """Uniform within a stratum, a stratum weighing its size to the `power`; shape (n,), sums to 1."""
    _, place, size = np.unique(np.asarray(strata), return_inverse=True, return_counts=True)
    weight = size.astype(np.float64) ** power
    return np.asarray((weight / weight.sum() / size)[place], dtype=np.float64)


def mix(policies: Mapping[str, Floats], shares: Mapping[str, float]) -> Floats:
    """sum_k s_k q_k(i): shape (n,), sums to the sum of the shares."""
    return np.asarray(sum(share * policies[name] for name, share in shares.items()), dtype=np.float64)


def inclusion(weight: Floats, budget: int) -> Floats:
    """Inclusion probabilities pi of a draw of `budget` by these weights: shape (n,), each <= 1, sum min(budget, n).

    Whoever would get more than 1 is drawn for certain, and the rest of the budget is shared out again by weight. A
    weight of 0 keeps pi at 0.
    """
    if budget >= np.count_nonzero(weight):
        return (weight > 0).astype(np.float64)
    pi = np.zeros_like(weight)
    certain = np.zeros(len(weight), dtype=bool)
    while True:
        free = ~certain
        pi[free] = weight[free] * ((budget - certain.sum()) / weight[free].sum())
        over = free & (pi >= 1)
        if not over.any():
            return pi
        certain |= over
        pi[certain] = 1.0


def posterior(policies: Mapping[str, Floats], shares: Mapping[str, float], i: int) -> dict[str, float]:
    """Which policy candidate i was drawn for, as probabilities: s_k q_k(i) over their sum."""
    parts = {name: float(share * policies[name][i]) for name, share in shares.items()}
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}
