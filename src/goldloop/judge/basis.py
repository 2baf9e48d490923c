"""A judge held against people's blind labels: what a calibration and a combination start from."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np

from goldloop.codebook.schema import Question
from goldloop.judge.measures import accuracy, auroc, cohen_kappa, ece
from goldloop.numeric import Floats, Ints
from goldloop.records import JudgeQuality

LEAST: Final = 30
"""Blind labels, below which a judge's numbers are left as they are: two coefficients learned from fewer are noise."""
LEAST_OF_EACH: Final = 5
"""Of each of two outcomes: what was never seen to fail can't be told from what can't."""
LEAST_GROUPS: Final = 5


@dataclass(frozen=True)
class Asked:
    """What is fitted: one question of one queue, and how often an answer that is called confident has to be right."""

    queue: str
    question: Question
    since: str
    wanted: float
    at: datetime

    @property
    def sides(self) -> tuple[str, str] | None:
        """(the label that fails, the one that does not), see `two_sides`."""
        return two_sides(self.question)


@dataclass(frozen=True)
class People:
    """Blind labels of one question by trace id, and the group of each trace: groups never straddle folds."""

    labels: Mapping[str, str]
    groups: Mapping[str, int]

    def of(self, trace_ids: Sequence[str]) -> tuple[list[str], Ints]:
        """Labels and groups of these traces."""
        groups = np.array([self.groups[trace_id] for trace_id in trace_ids], dtype=np.int64)
        return [self.labels[trace_id] for trace_id in trace_ids], groups


def two_sides(question: Question) -> tuple[str, str] | None:
    """(the label that fails, the one that does not) of a verdict of two labels; None of any other question.

    Of such a verdict the risk of failure says everything: over a half it fails.
    """
    failing = [name for name in question.label_names if name in question.failure]
    passing = [name for name in question.label_names if name not in question.failure]
    return (failing[0], passing[0]) if len(failing) == len(passing) == 1 else None


def enough(happened: Floats, groups: Ints) -> bool:
    """Whether so many labels, with so many of each outcome (n,) of 0 and 1, are worth fitting to."""
    each = min(happened.sum(), (1 - happened).sum())
    return len(happened) >= LEAST and each >= LEAST_OF_EACH and len(np.unique(groups)) >= LEAST_GROUPS


def version_of(*parts: Any) -> str:
    """A hash of what a fit was made from; numbers count to six digits, so that it is the same on every machine."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def quality(
    true: Sequence[str], given: Sequence[str], probability: Floats, *, score: Floats, positive: Floats, groups: Ints
) -> JudgeQuality:
    """`probability` (n,) of the answers given; `score` (n,) is what should be high where `positive` (n,) is 1."""
    right = np.array([one == other for one, other in zip(true, given, strict=True)], dtype=np.float64)
    return JudgeQuality(
        labels=dict(sorted(Counter(true).items())),
        groups=len(np.unique(groups)),
        auroc=auroc(score, positive),
        kappa=cohen_kappa(given, true),
        ece=ece(probability, right),
        accuracy=accuracy(given, true),
    )
