"""The named mixes: what share of a draw each policy gets. docs/sampling.md says which one suits whom, with figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from goldloop.codebook.sampling import PolicyName, PolicySettings


@dataclass(frozen=True)
class Mix:
    """Shares that sum to 1, with what they are for in one sentence."""

    name: str
    purpose: str
    shares: Mapping[PolicyName, float] = field(default_factory=dict)


BALANCED = Mix(
    "balanced",
    "finds about twice the failures of plain random, with a shorter interval",
    {"random": 0.25, "stratified": 0.25, "negative": 0.30, "uncertainty": 0.10, "targeted": 0.10},
)
HUNT = Mix(
    "hunt",
    "finds the most failures; the interval is no longer than plain random's",
    {"random": 0.28, "risk": 0.72},
)
MEASURE = Mix(
    "measure",
    "gives the shortest interval; finds somewhat more failures than plain random",
    {"random": 0.25, "uncertainty": 0.75},
)
RANDOM = Mix("random", "plain random, to compare with", {"random": 1.0})

DEFAULT = BALANCED
NAMED: Mapping[str, Mix] = {mix.name: mix for mix in (BALANCED, HUNT, MEASURE, RANDOM)}


def settled(shares: Mapping[PolicyName, float], settings: PolicySettings, now: datetime) -> dict[PolicyName, float]:
    """The shares with `risk` in the place of `targeted` while no slice is a target.

    So a quiet day's share goes to what the judge and users point at, not back to every policy. Where they point at
    nothing either, `risk` has no candidates and gives it back in proportion.
    """
    if any(now <= part.expires for part in settings.slices):
        return dict(shares)
    kept: dict[PolicyName, float] = {name: share for name, share in shares.items() if name != "targeted"}
    if "targeted" in shares:
        kept["risk"] = kept.get("risk", 0.0) + shares["targeted"]
    return kept
