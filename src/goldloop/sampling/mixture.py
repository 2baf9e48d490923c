"""Policies as distributions over candidates, and their mixture.

With budget B, shares s_k and policies q_k (each sums to 1 over the frame), candidate i gets the design probability
pi_i proportional to sum_k s_k q_k(i), at most 1 and scaled so that the pi sum to B: the pi-ps design of Hartley & Rao
(1962), where what is above 1 is shared out again (Sarndal, Swensson & Wretman, *Model Assisted Survey Sampling*, 1992,
section 3.6). `sampling.levels` does so, and holds the caps.
"""

from collections.abc import Mapping

import numpy as np

from goldloop.errors import ConfigError
from goldloop.numeric import Floats

RANDOM_FLOOR = 0.1
"""The least share of `random`, by default."""
HIGHEST_FLOOR = 0.3
"""The most that the floor can be set to: above it, a mix could hardly look for failures at all."""


def check_shares(shares: Mapping[str, float], floor: float = RANDOM_FLOOR) -> None:
    """`ConfigError` unless the shares are at least 0, sum to 1, and leave `random` its floor (itself at most 0.3)."""
    if not 0 <= floor <= HIGHEST_FLOOR:
        raise ConfigError(f"the floor of random is {floor:g}: set it between 0 and {HIGHEST_FLOOR:g}.")
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ConfigError(f"the share of {name} is {share:g}: set it between 0 and 1.")
    total = sum(shares.values())
    if abs(total - 1) > 1e-9:  # noqa: PLR2004 - rounding of decimal shares
        raise ConfigError(f"the shares of the mix sum to {total:g}: make them sum to 1.")
    if shares.get("random", 0.0) < floor - 1e-9:
        raise ConfigError(
            f"random has a share of {shares.get('random', 0.0):g}, below its floor of {floor:g}: give it more,"
            " or the numbers would rest on the other policies alone."
        )


def effective_shares(shares: Mapping[str, float], policies: Mapping[str, Floats | None]) -> dict[str, float]:
    """The shares after every policy without candidates gave its own back, to the others in proportion; sums to 1.

    Policies without a share are left out, so that they change nothing; empty where no policy has candidates. The
    share of `random` can only grow.
    """
    able = {name: share for name, share in sorted(shares.items()) if share > 0 and policies.get(name) is not None}
    total = sum(able.values())
    return {name: share / total for name, share in able.items()}


def mix(policies: Mapping[str, Floats], shares: Mapping[str, float]) -> Floats:
    """sum_k s_k q_k(i): shape (n,), sums to the sum of the shares."""
    return np.asarray(sum(share * policies[name] for name, share in shares.items()), dtype=np.float64)


def combined(pis: Floats) -> Floats:
    """The probability that at least one of several independent draws takes a candidate: 1 - prod_d (1 - pi_di).

    Shape (d, n) -> (n,); a draw whose frame lacks the candidate gives 0. Exact where each draw looked at the
    candidate whatever the others took; later draws that leave out what earlier ones took give the same product with
    their pi conditional on not having been taken.
    """
    return np.asarray(1 - np.prod(1 - np.asarray(pis, dtype=np.float64), axis=0), dtype=np.float64)
