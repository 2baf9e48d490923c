"""Which policy's traces turn out to be failures, and what shares that speaks for. A person decides."""

from collections.abc import Mapping, Sequence

from goldloop.quality.intervals import wilson
from goldloop.records import Record

ENOUGH = 30
"""Answered traces below which a policy keeps its share: its interval is wider than what there is to tell."""
_FACTOR = 2.0
"""No share grows or shrinks by more than this at once."""


class PolicyCount(Record):
    """Of the traces stamped with one policy: how many were drawn, how many have an answer, how many of those failed."""

    policy: str
    drawn: int
    answered: int
    failures: int


class PolicyYield(Record):
    """A policy's rate of confirmed failures with its 95 % interval, its share now, and the share it speaks for."""

    policy: str
    drawn: int
    answered: int
    failures: int
    rate: float | None
    low: float
    high: float
    share: float
    proposed: float


def yields(counts: Sequence[PolicyCount], shares: Mapping[str, float]) -> list[PolicyYield]:
    """A row for each policy that drew or has a share, the greatest rate first, those without an answer last.

    The rate is of the traces stamped with the policy, a stamp being a random one of those that could have drawn the
    trace; its interval is Wilson's (1927), as if each trace came by itself.
    """
    by_name = {count.policy: count for count in counts}
    wanted = proposed(counts, shares)
    rows = []
    for name in {**by_name, **dict.fromkeys(shares)}:
        count = by_name.get(name, PolicyCount(policy=name, drawn=0, answered=0, failures=0))
        interval = wilson(count.failures, count.answered)
        rows.append(
            PolicyYield(
                policy=name,
                drawn=count.drawn,
                answered=count.answered,
                failures=count.failures,
                rate=count.failures / count.answered if count.answered else None,
                low=interval.low,
                high=interval.high,
                share=shares.get(name, 0.0),
                proposed=wanted.get(name, 0.0),
            )
        )
    return sorted(rows, key=lambda row: (row.rate is None, -(row.rate or 0.0), row.policy))


def proposed(counts: Sequence[PolicyCount], shares: Mapping[str, float]) -> dict[str, float]:
    """New shares: `random` as it is, the others' sum as it is, within it each times its rate over the others' mean.

    Only policies with 30 answers move, by a factor of 2 at most, and what they gain or lose is scaled so that their
    own sum stays; with one such policy or none nothing moves. `random` stays because every rate rests on it, and
    `stratified` because it looks where nobody complains.
    """
    by_name = {count.policy: count for count in counts}
    moving = [
        name
        for name, share in shares.items()
        if share > 0 and name not in ("random", "stratified") and name in by_name and by_name[name].answered >= ENOUGH
    ]
    total = sum(shares[name] for name in moving)
    # Half a failure and half a success each, so that a policy which found nothing is not worth nothing (Jeffreys 1946).
    rate = {name: (by_name[name].failures + 0.5) / (by_name[name].answered + 1) for name in moving}
    mean = sum(shares[name] * rate[name] for name in moving) / total if total else 0.0
    factor = {name: min(_FACTOR, max(1 / _FACTOR, rate[name] / mean)) for name in moving}
    grown = sum(shares[name] * factor[name] for name in moving)
    moved = {name: shares[name] * factor[name] * total / grown for name in moving} if len(moving) > 1 else {}
    return {name: moved.get(name, share) for name, share in shares.items()}
