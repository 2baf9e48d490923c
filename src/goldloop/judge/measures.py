"""How well a judge's answers and probabilities go with people's labels."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from goldloop.numeric import Floats

ONE_SIDED_95: Final = 1.6449
"""The z of which a standard normal number is smaller with probability 0.95."""


def auroc(score: Floats, positive: Floats) -> float:
    """P(score of a positive > score of a negative), ties half; 1/2 where there is one kind.

    `score` (n,), `positive` (n,) of 0 and 1. Area under the ROC curve, by ranks (Mann & Whitney 1947).
    """
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positives, negatives = positive.sum(), (1 - positive).sum()
    if not positives or not negatives:
        return 0.5
    return float((ranks @ positive - positives * (positives + 1) / 2) / (positives * negatives))


def accuracy(given: Sequence[str], true: Sequence[str]) -> float:
    """The share of answers that are people's; 0 of none."""
    return sum(one == other for one, other in zip(given, true, strict=True)) / len(true) if true else 0.0


def cohen_kappa(given: Sequence[str], true: Sequence[str]) -> float:
    """Agreement beyond chance, (p_o - p_e) / (1 - p_e), of any number of labels (Cohen 1960).

    p_e is the agreement of two that give labels as often as these two do, and at random. 0 where it is 1: both give one
    label only, which shows nothing.
    """
    if not true:
        return 0.0
    mine, theirs = Counter(given), Counter(true)
    chance = sum(mine[label] * theirs[label] for label in theirs) / len(true) ** 2
    return (accuracy(given, true) - chance) / (1 - chance) if chance < 1 else 0.0


def ece(probability: Floats, right: Floats, bins: int = 10) -> float:
    """Expected calibration error: sum over bins b of n_b / n * |mean probability - share right| in b.

    `probability` (n,), `right` (n,) of 0 and 1. Bins hold equally many rows, by ascending probability (Nguyen &
    O'Connor 2015); rows of equal probability count with their mean, so that their order is of no matter. It is never 0
    by chance: a judge that is perfectly calibrated shows about sum_b n_b / n * sqrt(2 / pi * p_b * (1 - p_b) / n_b),
    0.04 with 369 rows at p = 0.9 or 0.1 (`expected_ece`). Roelofs et al., "Mitigating bias in calibration error
    estimation" (2022), have more on it.
    """
    if not len(probability):
        return 0.0
    _, place, count = np.unique(probability, return_inverse=True, return_counts=True)
    mean_right = (np.bincount(place, weights=right) / count)[place]
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return float(sum(abs((probability[part] - mean_right[part]).sum()) for part in parts) / len(order))


def expected_ece(probability: Floats, rng: np.random.Generator, bins: int = 10, reps: int = 200) -> float:
    """The `ece` that these probabilities (n,) would show on average if each of them were true, by simulation."""
    drawn = [(rng.random(len(probability)) < probability).astype(np.float64) for _ in range(reps)]
    return float(np.mean([ece(probability, right, bins) for right in drawn]))


def wilson_lower(right: float, n: float, z: float = ONE_SIDED_95) -> float:
    """Lower end of Wilson's (1927) score interval of right / n; one-sided 95 % as it stands, 0 where n is 0."""
    if n <= 0:
        return 0.0
    rate = right / n
    half = z * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    return max(0.0, (rate + z * z / (2 * n) - half) / (1 + z * z / n))
