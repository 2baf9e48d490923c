"""A probability of failure for each trace, from a judge that never saw the labels of the trace's own group."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from goldloop.backtest.traces import LabelledTrace
from goldloop.judge.calibration import EDGE, fitted_calibration
from goldloop.judge.features import features
from goldloop.judge.groups import folds, parts
from goldloop.judge.learning import Rows, held_out
from goldloop.judge.measures import auroc
from goldloop.numeric import Floats, Ints, expit
from goldloop.records import Document, Message, Trace

_SUREST = 0.02
_LABELS: Final = ("pass", "fail")
_NO_TIME: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Judged:
    """`probability` (n,) of failure by group-wise cross-fitting, and how well it tells failures apart (AUROC)."""

    name: str
    probability: Floats
    auroc: float


def offline(traces: Sequence[LabelledTrace], failed: Floats, groups: Ints) -> Judged:
    """The learned judge's regression, fitted to the labels `failed` (n,) of other groups (n,), however few there are.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    values = np.array([features(as_trace(trace)) for trace in traces])
    _, said = held_out(Rows(values, [_LABELS[int(label)] for label in failed], groups, _LABELS))
    return _judged("offline judge, cross-fitted by group", said[:, 1], failed)


def column(name: str, scores: Sequence[float | None], failed: Floats, groups: Ints) -> Judged:
    """A judge's numbers, turned into probabilities by calibration, cross-fitted by group.

    Whether high means good or bad is learned with it; a trace without a number gets the rate of those without.
    """
    given = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
    probability = np.full(len(failed), float(failed.mean()))
    for mine, others in parts(folds(groups)):
        probability[mine] = _calibrated(given[mine], given[others], failed[others], groups[others])
    return _judged(f"column {name}, calibrated by group", probability, failed)


def as_trace(trace: LabelledTrace) -> Trace:
    """The same as the pipeline has it; of its times none is known."""
    return Trace(
        trace_id=trace.id,
        timestamp=_NO_TIME,
        user_id=trace.user_id,
        session_id=trace.session_id,
        messages=tuple(Message(role=message.role, content=message.content) for message in trace.input),
        output=trace.output,
        documents=tuple(Document(title=document.title or "", text=document.text) for document in trace.context),
        model=trace.model,
        release=trace.release,
    )


def _calibrated(mine: Floats, given: Floats, failed: Floats, groups: Ints) -> Floats:
    """What the numbers `mine` come to by those `given` to traces whose labels are known; NaN is no number."""
    there = ~np.isnan(given)
    known = given[there]
    middle, scale = (known.mean(), known.std() or 1.0) if len(known) else (0.0, 1.0)
    turned = -1.0 if auroc(known, failed[there]) < 0.5 else 1.0  # noqa: PLR2004 - of a coin

    def raw(numbers: Floats) -> Floats:
        return expit(turned * np.clip((numbers - middle) / scale, -5, 5))

    found = fitted_calibration(raw(known), failed[there], groups[there]).apply(raw(mine))
    # One more trace that fails as often as all do, so that a handful without a number does not make it certain.
    without = (failed[~there].sum() + failed.mean()) / (np.count_nonzero(~there) + 1)
    return np.where(np.isnan(mine), np.clip(without, EDGE, 1 - EDGE), found)


def _judged(name: str, probability: Floats, failed: Floats) -> Judged:
    probability = np.clip(probability, _SUREST, 1 - _SUREST)
    return Judged(name, probability, auroc(probability, failed))
