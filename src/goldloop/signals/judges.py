"""Which Langfuse scores are a judge's, and what they say of failure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from goldloop.codebook.sampling import FeedbackSettings
from goldloop.numeric import Floats
from goldloop.signals.evidence import Signals

_SAID = 0.9
"""The probability behind a judge's word for failure, where it gives no number."""


class JudgeScore(BaseModel):
    """Scores of one judge: the one at `boundary` is where its verdict turns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="the score's name, or a pattern with * and ?; case does not matter")
    fails: Literal["low", "high"] = Field(default="low", description="which end of the scale means failure")
    low: float = Field(default=0.0, description="the scale's lowest number")
    high: float = Field(default=1.0, description="the scale's highest number")
    boundary: float | None = Field(default=None, description="where the verdict turns; the middle without it")
    fail_labels: tuple[str, ...] = Field(default=(), description="words that mean failure")
    pass_labels: tuple[str, ...] = Field(default=(), description="words that mean none")

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2 if self.boundary is None else self.boundary

    def is_named(self, name: str) -> bool:
        return fnmatchcase(name.lower(), self.name.lower())

    @model_validator(mode="after")
    def _turns_inside(self) -> Self:
        if not self.low < self.middle < self.high:
            raise ValueError(f"the scale of {self.name} must go up: low < boundary < high")
        return self


class SignalSettings(FeedbackSettings):
    """What the scores in Langfuse mean: what users said or did, and what judges say."""

    judges: tuple[JudgeScore, ...] = Field(
        default=(), description="which scores are a judge's; of several, an earlier one goes before a later one"
    )

    def means_something(self, name: str) -> bool:
        """Whether any rule, or any judge, goes by this score's name."""
        patterns = [rule.name for rule in self.rules] + [judge.name for judge in self.judges]
        return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def judged(n: int, signals: Signals, judges: Sequence[JudgeScore], threshold: float) -> tuple[Floats, Floats]:
    """What the first, and what the second judge of each of n candidates says: probabilities of failure, (n,) each.

    Straight from 0 over the threshold at the boundary to 1; a label counts as 0.9 or 0.1. Of one judge's scores on a
    trace the last counts (signals come oldest first). NaN where there is no such judge. Not calibrated.
    """
    first: Floats = np.full(n, np.nan)
    second: Floats = np.full(n, np.nan)
    for judge in judges:
        risk = _risk(n, signals, judge, threshold)
        second = np.where(np.isnan(second) & ~np.isnan(first), risk, second)
        first = np.where(np.isnan(first), risk, first)
    return first, second


def _risk(n: int, signals: Signals, judge: JudgeScore, threshold: float) -> Floats:
    named = np.array([judge.is_named(name) for name in signals.names], dtype=np.bool_)
    those = np.flatnonzero(named[signals.name]) if len(named) else np.empty(0, dtype=np.int64)
    ends = [1.0, threshold, 0.0] if judge.fails == "low" else [0.0, threshold, 1.0]
    said = np.interp(signals.value[those], [judge.low, judge.middle, judge.high], ends)  # NaN stays NaN
    label = np.array([_of_label(word.lower(), judge) for word in signals.labels] + [np.nan])[signals.label[those]]
    said = np.where(np.isnan(said), label, said)
    risk = np.full(n, np.nan)
    known = ~np.isnan(said)
    risk[signals.row[those[known]]] = said[known]
    return risk


def _of_label(word: str, judge: JudgeScore) -> float:
    if word in {label.lower() for label in judge.fail_labels}:
        return _SAID
    return 1 - _SAID if word in {label.lower() for label in judge.pass_labels} else np.nan
