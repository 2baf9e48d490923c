"""Several judges' risks of failure as one, by people's blind labels.

For each set of members that had something to say, a logistic regression on their log-odds of failure,
log-odds = level + sum of weight_m * log-odds_m: Platt's (1999) scaling with more than one number. Its prior is the
plain average of the members, so few labels leave it there. No weight is below zero: a judge may be ignored, but not
turned around.

A set of members has a fit of its own. One that abstains does so for a reason (it had no documents to compare), so the
others are met with other traces then: neither their weights nor the level carry over, and a number put in the missing
one's place would be made up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from goldloop.judge.basis import Asked, People, enough, quality, version_of
from goldloop.judge.calibration import EDGE, confident_from
from goldloop.judge.groups import cross_fitted, folds, numbered
from goldloop.numeric import LEVEL_PRECISION, Floats, Ints, expit, fitted, logit
from goldloop.records import JudgeFit

NAME: Final = "combination"
_SUREST: Final = 0.01
"""No member is taken to be surer than this: one that says 0 or 1 would outvote all others for good."""
_WEIGHT_PRECISION: Final = 4.0
"""The weights' prior: a standard deviation of a half around the average."""
_HALF: Final = 0.5


class SetOfMembers(BaseModel):
    """What was fitted for the traces of which just these members had something to say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: tuple[str, ...]
    level: float
    weights: tuple[float, ...]
    labels: int


class Combination(BaseModel):
    """A combination's body: `sets` hold two members or more each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sets: tuple[SetOfMembers, ...]

    def risk(self, risks: Mapping[str, float]) -> float | None:
        """The probability of failure by each member's; None for a set of members that was not fitted."""
        for one in self.sets:
            if set(one.members) == set(risks):
                numbers = _log_odds(np.array([[risks[name] for name in one.members]]))
                return float(_probability(numbers, np.array([one.level, *one.weights]))[0])
        return None


@dataclass(frozen=True)
class _Rows:
    """The traces of one set of members: log-odds (n, k), failures (n,), groups (n,)."""

    members: tuple[str, ...]
    trace_ids: list[str]
    x: Floats
    failed: Floats
    groups: Ints

    @property
    def enough(self) -> bool:
        return enough(self.failed, self.groups)


def members_version(members: Sequence[tuple[str, str]]) -> str:
    """What a combination holds for: just these members (name, version), in whatever order."""
    return version_of(sorted(members))


def combination_of(
    asked: Asked,
    members: Sequence[tuple[str, str]],
    risks: Mapping[str, Mapping[str, float]],
    people: People,
    known: Mapping[str, JudgeFit],
    held_out: Mapping[str, Callable[[], Mapping[str, float]]],
) -> JudgeFit | None:
    """The members' (name, version) combination, from their risks by name and trace id; None for too few labels.

    A member that was itself fitted to these labels is in `held_out` instead: its risks come from fits that never saw
    the trace's group, and are asked for only where something changed. One of `known`, by version, where nothing did.
    Only for a verdict of two labels.
    """
    sides = asked.sides
    if sides is None or not _promises(risks, people, sides[0]):
        return None
    held_for = members_version(members)
    heard = sorted(people.labels.keys() & set().union(*risks.values()))
    told = {
        name: {one: round(risk, 6) for one, risk in said.items() if one in people.labels}
        for name, said in risks.items()
    }
    true, groups = people.of(heard)
    labels = [*zip(heard, true, numbered(groups).tolist(), strict=True)]
    version = version_of(asked.question.name, asked.since, asked.wanted, held_for, told, labels)
    if version in known:
        return known[version]
    every = {**risks, **{name: said() for name, said in held_out.items()}}
    rows = [one for one in _rows(members, every, people, sides[0]) if one.enough]
    if not rows:
        return None
    risk = np.concatenate([_held_out(one) for one in rows])
    failed = np.concatenate([one.failed for one in rows])
    groups = np.concatenate([one.groups for one in rows])
    labelled = [sides[0] if label else sides[1] for label in failed]
    given = [sides[0] if one >= _HALF else sides[1] for one in risk]
    probability = np.maximum(risk, 1 - risk)
    right = np.array([one == other for one, other in zip(given, labelled, strict=True)], dtype=np.float64)
    return JudgeFit(
        queue=asked.queue,
        question=asked.question.name,
        since=asked.since,
        judge=NAME,
        judge_version=held_for,
        version=version,
        body=Combination(sets=tuple(_set(one) for one in rows)).model_dump(mode="json"),
        quality=quality(labelled, given, probability, score=risk, positive=failed, groups=groups),
        threshold=confident_from(probability, right, asked.wanted),
        fitted_at=asked.at,
    )


def weights(x: Floats, failed: Floats) -> Floats:
    """(1 + k,): level and weights of k members from their log-odds x (n, k) and the failures (n,) of 0 and 1."""
    k = x.shape[1]
    kept = np.ones(k, dtype=np.bool_)
    while True:
        columns = np.hstack([np.ones((len(x), 1)), x[:, kept]])
        prior = np.concatenate([[0.0], np.full(int(kept.sum()), 1 / k)])
        precision = np.concatenate([[LEVEL_PRECISION], np.full(int(kept.sum()), _WEIGHT_PRECISION)])
        found = fitted(columns, failed, prior, precision)
        b = np.zeros(1 + k)
        b[0], b[1:][kept] = found[0], found[1:]
        if not (b[1:] < 0).any():
            return b
        kept &= b[1:] > 0


def _promises(risks: Mapping[str, Mapping[str, float]], people: People, failing: str) -> bool:
    """Whether the traces that somebody gave a risk, and a person a label, are enough for one set at the most."""
    trace_ids = sorted(people.labels.keys() & set().union(*risks.values()))
    true, groups = people.of(trace_ids)
    return enough(np.array([label == failing for label in true], dtype=np.float64), groups)


def _rows(
    members: Sequence[tuple[str, str]], risks: Mapping[str, Mapping[str, float]], people: People, failing: str
) -> list[_Rows]:
    """By set of two members or more, larger sets first."""
    names = sorted(name for name, _ in members)
    found = []
    for size in range(len(names), 1, -1):
        for chosen in combinations(names, size):
            trace_ids = sorted(
                trace_id
                for trace_id in people.labels
                if {name for name in names if trace_id in risks.get(name, {})} == set(chosen)
            )
            true, groups = people.of(trace_ids)
            table = np.array([[risks[name][trace_id] for name in chosen] for trace_id in trace_ids], dtype=np.float64)
            failed = np.array([label == failing for label in true], dtype=np.float64)
            found.append(_Rows(chosen, trace_ids, _log_odds(table.reshape(-1, size)), failed, groups))
    return found


def _held_out(rows: _Rows) -> Floats:
    """(n,): what the fit to all other folds says of each row."""

    def fit(x: Floats, failed: Floats) -> Callable[[Floats], Floats]:
        found = weights(x, failed)
        return lambda rest: _probability(rest, found)

    return cross_fitted(fit, rows.x, rows.failed, folds(rows.groups))


def _set(rows: _Rows) -> SetOfMembers:
    level, *each = (round(float(one), 6) for one in weights(rows.x, rows.failed))
    return SetOfMembers(members=rows.members, level=level, weights=tuple(each), labels=len(rows.failed))


def _probability(x: Floats, b: Floats) -> Floats:
    return np.clip(expit(b[0] + x @ b[1:]), EDGE, 1 - EDGE)


def _log_odds(risk: Floats) -> Floats:
    return logit(np.clip(risk, _SUREST, 1 - _SUREST))
