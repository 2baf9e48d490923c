"""What a backtest compares: policies and mixes, as a person writes them.

`default`, `balanced`, `hunt`, `measure`, `random`: the named mixes. `stratified`, `negative`, ...: one policy alone.
`random=0.3+risk^3=0.7`: a mix of one's own, shares that sum to 1; `^3` sets that policy's power. `top`: the highest
predicted risk first, without any chance: what not to do.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from pydantic import ValidationError

from goldloop.codebook.mixes import DEFAULT, NAMED, settled
from goldloop.codebook.sampling import PolicyName, PolicySettings
from goldloop.errors import ConfigError
from goldloop.sampling.mixture import check_shares

TOP = "top"
_POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
_POWERS = {
    "stratified": "stratified_power",
    "negative": "negative_power",
    "uncertainty": "uncertainty_power",
    "risk": "risk_power",
}
_PART = re.compile(r"([a-z]+)(?:\^([\d.]+))?=([\d.]+)")


@dataclass(frozen=True)
class Plan:
    """One row of the table: `shares` is empty for `top`. A `named` mix looks at risk while nothing is a target."""

    name: str
    shares: dict[PolicyName, float]
    settings: PolicySettings = field(default_factory=PolicySettings)
    named: bool = False

    def at(self, now: datetime) -> dict[PolicyName, float]:
        """The shares that a draw at this time asks for."""
        return settled(self.shares, self.settings, now) if self.named else self.shares


def plans(text: str) -> list[Plan]:
    """From a list with commas; `ConfigError` where a name, a share or a power is wrong."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError("no policy is named: give --policies a list such as balanced,random")
    return [plan(name) for name in dict.fromkeys(names)]


def plan(name: str) -> Plan:
    """One of them."""
    if name == TOP:
        return Plan(name, {})
    if name == "default" or name in NAMED:
        return Plan(name, dict(NAMED.get(name, DEFAULT).shares), named=True)
    if "=" in name:
        return _written(name)
    for policy in _POLICIES:
        if policy == name:
            return Plan(name, {policy: 1.0})
    known = ", ".join(dict.fromkeys(["default", *NAMED, *_POLICIES, TOP]))
    raise ConfigError(f"there is no policy {name!r}: take one of {known}, or write a mix such as random=0.3+risk=0.7")


def _written(name: str) -> Plan:
    shares: dict[PolicyName, float] = {}
    powers: dict[str, float] = {}
    for part in name.split("+"):
        found = _PART.fullmatch(part.strip())
        policy = next((one for one in _POLICIES if found and one == found[1]), None)
        if found is None or policy is None:
            raise ConfigError(f"{part!r} in {name!r} is no share: write a policy and its share, such as risk=0.7")
        shares[policy] = shares.get(policy, 0.0) + _number(found[3], name)
        if found[2] and policy not in _POWERS:
            raise ConfigError(f"{policy} in {name!r} has no power: those that have one are {', '.join(_POWERS)}")
        if found[2]:
            powers[_POWERS[policy]] = _number(found[2], name)
    check_shares({one: share for one, share in shares.items()}, floor=0.0)  # noqa: C416 - dict() keeps the narrow key
    try:
        return Plan(name, shares, PolicySettings.model_validate(powers))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConfigError(f"the power in {name!r}: {first['msg']}") from None


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"{text!r} in {name!r} is no number: write one such as 0.7") from None
