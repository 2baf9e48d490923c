"""From labelled traces to a failure rate that can be read: with an interval, or with the reason why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from goldloop.numeric import Floats, Ints, kish, logit
from goldloop.quality import rates
from goldloop.quality.intervals import Population, score_interval
from goldloop.quality.logistic import recalibrated
from goldloop.quality.variance import of_total
from goldloop.records import Record

FEWEST = 10
"""Labelled traces (and half as many effective ones) that an interval needs."""
WIDEST = 0.5
"""An interval wider than this says nothing."""
_SUREST = 0.01


@dataclass(frozen=True)
class Labelled:
    """n traces whose answer is known: `failed` 0 or 1, `pi` in (0, 1], both (n,).

    `predicted` (n,) is a judge's probability of failure, made without these labels; `clusters` (n,) numbers the user
    or session of each, where the rate is to hold beyond these traces.
    """

    failed: Floats
    pi: Floats
    predicted: Floats | None = None
    clusters: Ints | None = None

    def rows(self, chosen: NDArray[np.bool_]) -> "Labelled":
        """Those rows (a mask)."""
        return Labelled(
            self.failed[chosen],
            self.pi[chosen],
            None if self.predicted is None else self.predicted[chosen],
            None if self.clusters is None else self.clusters[chosen],
        )


@dataclass(frozen=True)
class Candidates:
    """All N candidates that could have been drawn: `pi` in (0, 1] and the judge's `predicted`, both (N,)."""

    pi: Floats
    predicted: Floats

    def rows(self, chosen: NDArray[np.bool_]) -> "Candidates":
        return Candidates(self.pi[chosen], self.predicted[chosen])


class Estimate(Record):
    """A failure rate of `population` traces with its interval, both in 0..1; `failures` is their number."""

    method: Literal["hajek", "aipw"]
    rate: float
    low: float
    high: float
    confidence: float
    labelled: int
    effective_size: float
    population: float
    failures: float
    power: float


class Insufficient(Record):
    """No interval that anyone should read, and why."""

    reason: str
    labelled: int
    effective_size: float


def estimate(
    labelled: Labelled,
    candidates: Candidates | None = None,
    *,
    method: Literal["hajek", "aipw"] = "aipw",
    confidence: float = 0.95,
    widest: float = WIDEST,
) -> Estimate | Insufficient:
    """The failure rate of the candidates, or of a domain of them where both arguments hold that domain's rows only.

    `aipw` needs the judge's probability of every candidate (ValueError without); `hajek` uses it, where there is one,
    for the interval alone. Without candidates the sample stands for them, by its weights. A simulation sets `widest` to
    1: leaving out the samples with the widest intervals would leave out those with the highest rates.
    """
    size = kish(1 / labelled.pi) if len(labelled.pi) else 0.0
    lack = _lack(labelled, candidates, size)
    if lack:
        return Insufficient(reason=lack, labelled=len(labelled.pi), effective_size=size)
    judged = labelled.predicted if labelled.predicted is not None else np.full(len(labelled.pi), 0.5)
    if method == "aipw" and (candidates is None or labelled.predicted is None):
        raise ValueError("aipw needs the judge's probability of each candidate: use hajek without a judge")
    if candidates is not None and labelled.predicted is not None:
        population = Population.of(candidates.pi, candidates.predicted)
    elif candidates is not None:
        population = Population.of(candidates.pi, np.full(len(candidates.pi), 0.5))
    else:
        population = Population.of(labelled.pi, judged, 1 / labelled.pi)
    power = rates.tuned_power(labelled.failed, labelled.pi, judged) if method == "aipw" else 0.0
    rate = rates.aipw(labelled.failed, labelled.pi, judged, population.mean_predicted, power)
    residual = labelled.failed - power * judged - (rate - power * population.mean_predicted)
    rate -= rates.ratio_bias(residual, labelled.pi)
    own = of_total(residual, labelled.pi, labelled.clusters)
    own = replace(own, value=own.value / population.size**2)
    scaling = recalibrated(logit(np.clip(judged, _SUREST, 1 - _SUREST)), labelled.failed)
    interval = score_interval(rate, *population.foreseen(scaling, power), own, confidence)
    if interval.width > widest:
        points = 100 * interval.width
        return Insufficient(
            reason=f"the interval is {points:.0f} points wide, and says nothing above {100 * widest:.0f}",
            labelled=len(labelled.pi),
            effective_size=size,
        )
    rate = min(max(rate, 0.0), 1.0)
    return Estimate(
        method=method,
        rate=rate,
        low=interval.low,
        high=interval.high,
        confidence=confidence,
        labelled=len(labelled.pi),
        effective_size=size,
        population=population.size,
        failures=rate * population.size,
        power=power,
    )


def by_domain(
    labelled: Labelled,
    domain: Sequence[str],
    candidates: Candidates | None = None,
    candidates_domain: Sequence[str] | None = None,
    *,
    method: Literal["hajek", "aipw"] = "aipw",
    confidence: float = 0.95,
) -> Mapping[str, Estimate | Insufficient]:
    """`estimate` by category, model, prompt version or week: `domain` names that of each labelled trace, (n,).

    `candidates_domain` (N,) does so for the candidates. Domains come in the order of their names; one of which nothing
    is labelled is insufficient. Small ones rest on few traces: the intervals are each for itself, not for all at once.
    """
    if (candidates is None) != (candidates_domain is None):
        raise ValueError("candidates and their domains come together")
    mine = np.asarray(domain, dtype=object)
    theirs = mine if candidates_domain is None else np.asarray(candidates_domain, dtype=object)
    found: dict[str, Estimate | Insufficient] = {}
    for name in sorted({*domain, *(candidates_domain or ())}):
        inside = None if candidates is None else candidates.rows(theirs == name)
        found[name] = estimate(labelled.rows(mine == name), inside, method=method, confidence=confidence)
    return found


def _lack(labelled: Labelled, candidates: Candidates | None, size: float) -> str:
    if len(labelled.pi) < FEWEST:
        return f"{len(labelled.pi)} traces are labelled, and an interval needs {FEWEST}"
    if size < FEWEST / 2:
        return (
            f"the {len(labelled.pi)} labelled traces weigh as much as {size:.1f}, and an interval needs {FEWEST // 2}"
        )
    if candidates is not None and (candidates.pi <= 0).any():
        never, of = int(np.count_nonzero(candidates.pi <= 0)), len(candidates.pi)
        return f"{never:,} of {of:,} traces could not be drawn, so no draw speaks of them"
    return ""
