"""The design of one draw: every candidate's inclusion probability, before any dice are thrown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from goldloop.codebook.sampling import Caps, PolicyName, PolicySettings
from goldloop.numeric import Bools, Floats
from goldloop.sampling.frame import Frame
from goldloop.sampling.levels import capped_inclusion, room
from goldloop.sampling.mixture import RANDOM_FLOOR, check_shares, effective_shares, mix
from goldloop.sampling.policies import distributions
from goldloop.sampling.units import Units


@dataclass(frozen=True)
class Design:
    """Inclusion probabilities `pi` (n,) of a draw of fixed size, and how they came about.

    `size` is the sum of pi, a whole number: the budget, or less where candidates or caps do not let it be reached.
    `policies` holds the distributions of those with an effective share, `shares` these shares, `asked` what was asked
    for, `candidates` how many rows each policy asked for gives a weight. `missed` are must-review rows (n,) that
    budget or caps keep from being certain; `capped_users` and `capped_sessions` (n,), at the units' numbers, those
    whose cap lowered their pi.
    """

    frame: Frame
    budget: int
    asked: dict[str, float]
    shares: dict[str, float]
    policies: dict[str, Floats]
    candidates: dict[str, int]
    units: Units
    pi: Floats
    size: int
    missed: Bools
    capped_users: Bools
    capped_sessions: Bools


def design(
    frame: Frame,
    shares: Mapping[PolicyName, float],
    budget: int,
    *,
    now: datetime,
    settings: PolicySettings | None = None,
    caps: Caps | None = None,
    floor: float = RANDOM_FLOOR,
) -> Design:
    """The design of a mix of policies; `ConfigError` where the shares do not fit (`mixture.check_shares`)."""
    named: dict[str, float] = {name: share for name, share in shares.items()}  # noqa: C416 - dict() keeps the narrow key
    check_shares(named, floor)
    asked = [name for name, share in shares.items() if share > 0]
    return design_of(frame, distributions(asked, frame, settings or PolicySettings(), now), named, budget, caps)


def design_of(
    frame: Frame,
    policies: Mapping[str, Floats | None],
    shares: Mapping[str, float],
    budget: int,
    caps: Caps | None = None,
) -> Design:
    """The design of any distributions (n,) over the frame, with their shares; floors are not looked at.

    Must-review rows come first: certain, unless there are more of them than the budget, a user's or a session's cap
    holds, which then share it alike. The rest goes by the mixture's weight, within what the caps leave.
    """
    caps = caps or Caps()
    effective = effective_shares(shares, policies)
    able = {name: q for name, q in sorted(policies.items()) if q is not None and name in effective}
    units = Units.of(frame, caps)
    nothing: Floats = np.zeros(len(frame))
    nobody: Bools = np.zeros(len(frame), dtype=np.bool_)
    pi, users, sessions = nothing, nobody, nobody
    weight = mix(able, effective) if able else nothing
    if frame.must.any():
        pi, users, sessions = capped_inclusion(frame.must.astype(np.float64), budget, units, room(caps, units, nothing))
        weight = np.where(frame.must, 0.0, weight)
    left = budget - float(pi.sum())
    if left > 1e-9:  # noqa: PLR2004 - rounding of a sum of whole numbers
        rest, more_users, more_sessions = capped_inclusion(weight, round(left), units, room(caps, units, pi))
        pi, users, sessions = pi + rest, users | more_users, sessions | more_sessions
    return Design(
        frame=frame,
        budget=budget,
        asked=dict(sorted(shares.items())),
        shares=effective,
        policies=able,
        candidates={name: 0 if q is None else int(np.count_nonzero(q)) for name, q in sorted(policies.items())},
        units=units,
        pi=pi,
        size=round(float(pi.sum())),
        missed=frame.must & (pi < 1),
        capped_users=users,
        capped_sessions=sessions,
    )
