"""What a learned judge has learned of one question, in numbers: applied by numpy alone, kept as JSON."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from goldloop.judge.calibration import EDGE, Calibration
from goldloop.numeric import Bools, Floats

_FARTHEST: Final = 5.0
"""Standard deviations from the middle that count: a trace of a million letters is long, and no more than that."""
_LARGEST: Final = 1e9
"""Shares, logarithms and flags are no larger; what is counts as no number."""


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    features: str
    labels: tuple[str, ...]
    rest: dict[str, float]
    middle: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    calibrations: tuple[dict[str, JsonValue], ...]


@dataclass(frozen=True)
class Columns:
    """Numbers of k features made comparable: (value - middle) / scale, at most 5 from 0; what is no number is 0."""

    middle: Floats
    scale: Floats

    @classmethod
    def of(cls, values: Floats) -> Self:
        """By these rows (n, k); a constant column is 0 in each."""
        known = _is_number(values)
        count = np.maximum(known.sum(axis=0), 1)
        middle = np.where(known, values, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, values - middle, 0.0) ** 2).sum(axis=0) / count)
        return cls(middle, np.where(spread > np.abs(middle) * 1e-9 + 1e-12, spread, np.inf))

    def __call__(self, values: Floats) -> Floats:
        """(n, k) of (n, k)."""
        apart = (np.where(_is_number(values), values, self.middle) - self.middle) / self.scale
        return np.asarray(np.clip(apart, -_FARTHEST, _FARTHEST), dtype=np.float64)


@dataclass(frozen=True)
class Model:
    """Multinomial logistic regression, each label's probability calibrated by labels that it was not fitted to.

    `labels` can be given as answers. Labels too rare for that share one row of `weights` (classes, 1 + k), the last;
    `rest` has them with their shares in it. `calibrations`: one a class; of two classes one, that of the second.
    """

    labels: tuple[str, ...]
    rest: dict[str, float]
    columns: Columns
    weights: Floats
    calibrations: tuple[Calibration, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that `probabilities` speaks of, in its order."""
        return (*self.labels, *self.rest)

    def probabilities(self, values: Floats) -> Floats:
        """(n, names) of features (n, k)."""
        found = calibrated(softmax(scores(self.weights, self.columns(values))), self.calibrations)
        if not self.rest:
            return found
        shares = np.array([*self.rest.values()])
        return np.hstack([found[:, :-1], found[:, -1:] * shares])

    def pulls(self, values: Floats) -> Floats:
        """(n, labels, k): how much each feature moved the trace towards a label, and away from the mean of the others.

        In log-odds before calibration, from where a trace that is average in everything stands.
        """
        weights = self.weights[:, 1:]
        others = (weights.sum(axis=0) - weights) / (len(weights) - 1)
        towards = (weights - others)[: len(self.labels)]
        return np.asarray(self.columns(values)[:, None, :] * towards[None, :, :], dtype=np.float64)

    def to_json(self, features: str) -> dict[str, JsonValue]:
        """`features` is the version of the features that it reads."""
        scale = np.where(np.isfinite(self.columns.scale), self.columns.scale, 0.0)
        written: dict[str, Any] = {
            "features": features,
            "labels": [*self.labels],
            "rest": self.rest,
            "middle": self.columns.middle.tolist(),
            "scale": scale.tolist(),
            "weights": self.weights.tolist(),
            "calibrations": [one.to_json() for one in self.calibrations],
        }
        return written

    @classmethod
    def from_json(cls, body: object, features: str) -> Self | None:
        """None where it reads features of another version, or is of another form."""
        try:
            written = _Written.model_validate(body)
            calibrations = tuple(Calibration.from_json(one) for one in written.calibrations)
        except (ValidationError, ValueError):
            return None
        if written.features != features:
            return None
        scale = np.array(written.scale)
        columns = Columns(np.array(written.middle), np.where(scale > 0, scale, np.inf))
        return cls(written.labels, dict(written.rest), columns, np.array(written.weights), calibrations)


def _is_number(values: Floats) -> Bools:
    return np.asarray(np.abs(np.nan_to_num(values, nan=np.inf)) <= _LARGEST, dtype=np.bool_)


def scores(weights: Floats, columns: Floats) -> Floats:
    """(n, classes) of standardised features (n, k)."""
    return np.asarray(weights[:, 0] + columns @ weights[:, 1:].T, dtype=np.float64)


def softmax(score: Floats) -> Floats:
    """exp(score) over its sum, by row."""
    risen = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(risen / risen.sum(axis=1, keepdims=True), dtype=np.float64)


def calibrated(raw: Floats, calibrations: tuple[Calibration, ...]) -> Floats:
    """(n, classes): each class by its own calibration, then made to sum to 1."""
    if len(calibrations) == 1:
        second = calibrations[0].apply(raw[:, 1])
        return np.stack([1 - second, second], axis=1)
    each = np.stack([one.apply(raw[:, place]) for place, one in enumerate(calibrations)], axis=1)
    return np.asarray(np.clip(each / each.sum(axis=1, keepdims=True), EDGE, 1 - EDGE), dtype=np.float64)
