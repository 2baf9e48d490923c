"""Variance of an estimate from the sample itself, for the draw that was used."""

from dataclasses import dataclass

import numpy as np

from goldloop.numeric import Floats, Ints, kish


@dataclass(frozen=True)
class Variance:
    """A variance (of a total) and how many independent squares it rests on: its degrees of freedom, 0 where it is 0."""

    value: float
    freedom: float


def of_total(residual: Floats, pi: Floats, clusters: Ints | None = None) -> Variance:
    """Variance of sum e_i / pi_i under a fixed-size pi-ps draw in random order, from its sample (n,).

    n / (n - 1) * sum (1 - pi_i) (e_i / pi_i - B)^2 with B the mean of e_i / pi_i weighted by 1 - pi_i: Hajek's (1964)
    approximation in Deville's (1999) form, which needs no joint probabilities. It is right for draws of high entropy;
    a randomised systematic draw is nearly one, and its rows of one user, which lie side by side, keep each other out
    if anything, which makes the variance smaller. Certain traces (pi = 1) add nothing, and do not count in n.

    With `clusters` (n,) the contributions are summed within a cluster before they are squared, G clusters instead of n
    traces (Binder 1983): for a rate that is to hold for other traffic of such users, not for these traces alone.
    The degrees of freedom are Satterthwaite's (1946): (sum of squares)^2 / sum of their squares.
    """
    open_ = pi < 1
    residual, pi = residual[open_], pi[open_]
    share = 1 - pi
    if len(pi) < 2:  # noqa: PLR2004 - one trace has no spread
        return Variance(0.0, 0.0)
    expanded = residual / pi
    part = np.sqrt(share) * (expanded - (share @ expanded) / share.sum())
    count = len(pi)
    if clusters is not None:
        _, place = np.unique(clusters[open_], return_inverse=True)
        part = np.bincount(place, part)
        count = len(part)
        if count < 2:  # noqa: PLR2004 - one cluster has no spread
            return Variance(0.0, 0.0)
    square = part**2 * (count / (count - 1))
    return Variance(float(square.sum()), kish(square))
