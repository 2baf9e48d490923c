"""How much of the labelling a judge takes off people: it labels everything, they take over what it is least sure of.

A person's label counts as right, by definition: the labels that the judge is held against are people's. What people
get wrong is therefore no part of these numbers.
"""

from dataclasses import dataclass

import numpy as np

from goldloop.judge.groups import bootstrapped
from goldloop.numeric import Floats, Ints

_SLACK = 1e-9
"""Of an accuracy: what adding up in floating point can take away from it."""
_EVEN = 0.5


@dataclass(frozen=True)
class Curve:
    """Accuracy of the whole set of labels once people have labelled the k least certain of n traces, k = 0..n.

    `accuracy` (n + 1,) is what it was, `expected` (n + 1,) what the judge's own probabilities said it would be. Neither
    ever falls, and both end at 1.
    """

    accuracy: Floats
    expected: Floats

    @property
    def size(self) -> int:
        return len(self.accuracy) - 1

    def share_for(self, target: float) -> float:
        """The smallest share of human labels with which this accuracy is reached."""
        return _first(self.accuracy, target) / self.size

    def stopped_at(self, target: float) -> tuple[float, float]:
        """(share of human labels, accuracy there) where the judge's own probabilities say that the target is reached.

        This is how one has to stop in practice, where nobody knows the accuracy.
        """
        place = _first(self.expected, target)
        return place / self.size, float(self.accuracy[place])


def curve(certainty: Floats, right: Floats) -> Curve:
    """From the probability (n,) that each of the judge's labels is right, and whether it is (n,), 0 to 1.

    People take equal certainties in random order: the curve is then the mean over all orders.
    """
    if not len(certainty):
        raise ValueError("a curve needs at least one trace")
    _, place, count = np.unique(certainty, return_inverse=True, return_counts=True)
    wrong = (np.bincount(place, weights=1 - right) / count)[np.sort(place)]
    return Curve(_left(wrong), _left(1 - np.sort(certainty)))


def of_two(probability: Floats, failed: Floats) -> tuple[Floats, Floats]:
    """(certainty, right), each (n,), of the probabilities (n,) of failure where the labels `failed` (n,) are 0 or 1.

    The judge calls what is more probable; at exactly 1/2 it throws a coin, and is half right.
    """
    right = np.where(probability == _EVEN, _EVEN, (probability > _EVEN) == (failed > _EVEN))
    return np.maximum(probability, 1 - probability), np.asarray(right, dtype=np.float64)


def of_several(probabilities: Floats, label: Ints) -> tuple[Floats, Floats]:
    """The same of (n, k) probabilities of k labels and the right ones (n,); equal best ones are right in part."""
    best = probabilities.max(axis=1)
    called = probabilities == best[:, None]
    right = called[np.arange(len(label)), label] / called.sum(axis=1)
    return best, np.asarray(right, dtype=np.float64)


def resampled(
    certainty: Floats, right: Floats, groups: Ints, target: float, rng: np.random.Generator, reps: int = 1000
) -> tuple[float, float]:
    """95 % interval of `share_for(target)`: percentiles over bootstrap samples of whole groups (n,).

    The judge is not fitted anew in each, so this is chance in which traces were there, and not in what the judge
    learned from.
    """
    shares = [curve(certainty[rows], right[rows]).share_for(target) for rows in bootstrapped(groups, rng, reps)]
    low, high = np.percentile(shares, [2.5, 97.5])
    return float(low), float(high)


def _left(wrong: Floats) -> Floats:
    """1 less the share of wrong labels that are left, (n + 1,), after people took the first 0, 1, .. n of them."""
    return np.asarray(1 - np.append(np.cumsum(wrong[::-1])[::-1], 0.0) / len(wrong), dtype=np.float64)


def _first(accuracy: Floats, target: float) -> int:
    return int(np.argmax(accuracy >= target - _SLACK))
