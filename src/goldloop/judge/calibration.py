"""From what a judge says to a probability that holds, by labels; and from which one on it may be called confident."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
from pydantic import JsonValue, TypeAdapter

from goldloop.judge.groups import cross_fitted, folds, parts
from goldloop.judge.measures import wilson_lower
from goldloop.numeric import LEVEL_PRECISION, Floats, Ints, expit, fitted, line_of, logit

EDGE: Final = 0.001
"""No probability is nearer to 0 or 1: so few labels can't tell one in a thousand from none."""
MANY: Final = 1000
"""Labels from which on isotonic regression is tried too: with fewer it overfits (Niculescu-Mizil & Caruana 2005)."""
_NUMBERS = TypeAdapter(tuple[float, ...])

Method = Literal["platt", "isotonic"]


@dataclass(frozen=True)
class Calibration:
    """A rising function from [0, 1] to [0.001, 0.999].

    `platt`: expit(level + slope * log-odds), slope >= 0 (Platt 1999), numbers = (level, slope). `isotonic`: straight
    lines between points, numbers = all x, then all y.
    """

    method: Method
    numbers: tuple[float, ...]

    def apply(self, raw: Floats) -> Floats:
        """The probabilities of what a judge says, both (n,)."""
        if self.method == "platt":
            level, slope = self.numbers
            found = expit(level + slope * _log_odds(raw))
        else:
            half = len(self.numbers) // 2
            found = np.interp(raw, self.numbers[:half], self.numbers[half:])
        return np.asarray(np.clip(found, EDGE, 1 - EDGE), dtype=np.float64)

    def to_json(self) -> dict[str, JsonValue]:
        return {"method": self.method, "numbers": list(self.numbers)}

    @classmethod
    def from_json(cls, value: object) -> Self:
        """ValueError where it is of another form."""
        match value:
            case {"method": "platt" | "isotonic" as method, "numbers": numbers}:
                return cls(method, _NUMBERS.validate_python(numbers))
            case _:
                raise ValueError("a calibration has a method and numbers")


def fitted_calibration(raw: Floats, right: Floats, groups: Ints) -> Calibration:
    """Of what a judge said, (n,) in [0, 1], by whether it came true, (n,) of 0 and 1.

    Platt's scaling; from 1,000 rows on isotonic regression where its log loss is lower, both cross-fitted by group
    (n,). Nothing came true, or no row is there: a constant near that.
    """
    if len(right) >= MANY and 0 < right.sum() < len(right):
        fold = folds(groups, 5)
        loss = {fit: _log_loss(cross_fitted(_by(fit), raw, right, fold), right) for fit in (_platt, _isotonic)}
        if loss[_isotonic] < loss[_platt]:
            return _isotonic(raw, right)
    return _platt(raw, right)


def held_out(raw: Floats, right: Floats, groups: Ints) -> Floats:
    """(n,): the probability of each row by a calibration that never saw its group."""
    fold = folds(groups)
    said = np.full(len(raw), np.clip(right.mean(), EDGE, 1 - EDGE) if len(raw) else 0.5)
    for mine, others in parts(fold):
        said[mine] = fitted_calibration(raw[others], right[others], groups[others]).apply(raw[mine])
    return said


def confident_from(probability: Floats, right: Floats, wanted: float) -> float | None:
    """The smallest probability from which on answers were right at least `wanted` of the time; None where none is.

    `probability` (n,) of held-out answers and whether they were right (n,). "Were right" means the lower end of
    Wilson's interval, one-sided 95 %: at 0.95 that takes 52 answers that are all right, or 87 with one wrong. Picking
    the smallest of many costs little: of calibrated judges (150 to 1,500 answers, simulated) at most 6 % got one from
    which on they are right less often.
    """
    order = np.argsort(-probability, kind="stable")
    falling, hits = probability[order], np.cumsum(right[order])
    ends = np.flatnonzero(np.append(falling[1:] < falling[:-1], [True])) if len(falling) else np.array([], dtype=int)
    enough = [int(end) for end in ends if wilson_lower(float(hits[end]), float(end + 1)) >= wanted]
    return float(falling[enough[-1]]) if enough else None


def _platt(raw: Floats, right: Floats) -> Calibration:
    """With a prior of 1 on the slope, and of the judge's own mean on the level: few labels leave it as it is."""
    middle, level, slope = line_of(_log_odds(raw), right)
    if slope < 0:  # it says the opposite: then it says nothing
        (alone,) = fitted(np.ones((len(raw), 1)), right, np.array([middle]), np.array([LEVEL_PRECISION]))
        level, slope = float(alone), 0.0
    return Calibration("platt", (round(level - slope * middle, 9), round(slope, 9)))


def _isotonic(raw: Floats, right: Floats) -> Calibration:
    """Pool adjacent violators (Barlow et al. 1972), and half a hit and half a miss more in each pool.

    Without these the last pool, of twenty rows that came true, would be certain.
    """
    number, place, count = np.unique(raw, return_inverse=True, return_counts=True)
    pools: list[tuple[float, float, float, float]] = []  # first and last number, rows, hits
    for first, rows, hits in zip(number, count, np.bincount(place, weights=right), strict=True):
        pool = (float(first), float(first), float(rows), float(hits))
        while pools and pools[-1][3] * pool[2] >= pool[3] * pools[-1][2]:
            before = pools.pop()
            pool = (before[0], pool[1], before[2] + pool[2], before[3] + pool[3])
        pools.append(pool)
    ends = [(end, (hits + 0.5) / (rows + 1)) for low, high, rows, hits in pools for end in dict.fromkeys((low, high))]
    points = [*(x for x, _ in ends), *np.maximum.accumulate([y for _, y in ends])]
    return Calibration("isotonic", tuple(round(float(point), 9) for point in points))


def _by(fit: Callable[[Floats, Floats], Calibration]) -> Callable[[Floats, Floats], Callable[[Floats], Floats]]:
    return lambda raw, right: fit(raw, right).apply


def _log_odds(raw: Floats) -> Floats:
    return logit(np.clip(raw, EDGE, 1 - EDGE))


def _log_loss(probability: Floats, right: Floats) -> float:
    return float(-(right * np.log(probability) + (1 - right) * np.log(1 - probability)).mean())
