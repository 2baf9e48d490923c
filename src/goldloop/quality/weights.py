"""What unequal weights cost an estimate."""

from goldloop.numeric import Floats, kish


def design_effect(weights: Floats) -> float:
    """By how much the variance of a mean grows through unequal weights (n,), 1 where they are equal: n / n_eff."""
    effective = kish(weights)
    return len(weights) / effective if effective > 0 else 1.0
