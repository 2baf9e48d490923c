"""Inclusion probabilities under caps: weights poured into vessels until they hold the budget.

Each row of a user, a session or the whole draw gets pi_i = min(ceiling_i, level * weight_i), at the one level at which
the unit holds what it may. What a cap keeps from one unit raises the level of the others.
"""

import numpy as np

from goldloop.codebook.sampling import Caps
from goldloop.numeric import Bools, Floats, Ints
from goldloop.sampling.units import Units

_ROUNDING = 1e-12
_WHOLE = 1e-6  # far above the rounding of a sum, far below what a whole number is missed by otherwise


def filled(weight: Floats, ceiling: Floats, most: float) -> Floats:
    """min(ceiling_i, level * weight_i) at the level where they sum to `most`, or the ceilings where they sum to less.

    weight, ceiling (n,), at least 0, and a ceiling of 0 wherever the weight is 0. Newton's method on a concave,
    piecewise linear function, from the left: exact in a few steps, each linear in n.
    """
    if ceiling.sum() <= most * (1 + _ROUNDING):
        return ceiling
    free, room = weight.copy(), most
    while room > 0 and (total := free.sum()) > 0:
        level = room / total
        full = np.flatnonzero((level * free >= ceiling) & (free > 0))
        if not len(full):
            return np.where(free > 0, level * free, ceiling)
        room -= float(ceiling[full].sum())
        free[full] = 0.0
    return np.where(free > 0, 0.0, ceiling)


def poured(weight: Floats, ceiling: Floats, unit: Ints, most: Floats) -> Floats:
    """`filled` in each unit apart: unit (n,) holds positions in `most` (m,)."""
    whole = np.bincount(unit, ceiling, minlength=len(most)) <= most * (1 + _ROUNDING)
    full = whole[unit] | (weight <= 0)
    while True:
        room = most - np.bincount(unit, ceiling * full, minlength=len(most))
        free = np.bincount(unit, weight * ~full, minlength=len(most))
        level = np.divide(room, free, out=np.zeros_like(free), where=(room > 0) & (free > 0))[unit]
        more = ~full & (level * weight >= ceiling) & (level > 0)
        if not more.any():
            return np.where(full, ceiling, np.minimum(ceiling, level * weight))
        full |= more


def capped_inclusion(
    weight: Floats, budget: float, units: Units, room: tuple[Floats | None, Floats | None]
) -> tuple[Floats, Bools, Bools]:
    """Inclusion probabilities by weight that sum to the budget, or to what the caps let through; and who was capped.

    `room` holds what each user and each session may still take, shape (n,) at the units' numbers; None: no cap. The
    two masks (n,), at the units' numbers too, say which users and which sessions a cap kept below the draw's level.
    The level only rises from round to round, so a unit once capped stays capped; sessions come before their users.
    A draw's size is whole: where shared sessions let through a part of a candidate, it is left.
    """
    ceiling = (weight > 0).astype(np.float64)
    capped = [np.zeros(len(weight), dtype=np.bool_) for _ in room]
    pairs = ((1, units.session, room[1]), (0, units.user, room[0]))
    while True:
        pi = filled(weight, ceiling, budget)
        before = ceiling
        for which, unit, most in pairs:
            if most is None:
                continue
            given = pi if ceiling is before else np.minimum(pi, ceiling)
            over = np.bincount(unit, given, minlength=len(most)) > most * (1 + _ROUNDING)
            if over.any():
                rows = np.flatnonzero(over[unit])
                place = (np.cumsum(over) - 1)[unit[rows]]
                ceiling = ceiling.copy()
                ceiling[rows] = poured(weight[rows], ceiling[rows], place, most[over])
                capped[which] |= over
        if ceiling is before:
            break
    total = float(pi.sum())
    if abs(total - round(total)) > _WHOLE:
        pi = filled(weight, ceiling, float(np.floor(total)))
    return pi, capped[0], capped[1]


def room(caps: Caps, units: Units, taken: Floats) -> tuple[Floats | None, Floats | None]:
    """What each user and each session may take beside the pi that are `taken` (n,); shape (n,) each, or None."""
    rooms: list[Floats | None] = []
    for cap, unit in ((caps.user, units.user), (caps.session, units.session)):
        if cap is None:
            rooms.append(None)
            continue
        left = cap - np.bincount(unit, taken, minlength=len(taken))
        whole = np.rint(left)
        near = np.abs(left - whole) < _WHOLE
        rooms.append(np.maximum(np.where(near, whole, left), 0.0))
    return rooms[0], rooms[1]
