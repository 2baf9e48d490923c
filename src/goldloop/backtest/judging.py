"""A probability of failure for each trace, from a judge that never saw the labels of the trace's own group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from goldloop.backtest.grounding import features
from goldloop.backtest.traces import LabelledTrace
from goldloop.numeric import Floats, Ints, expit
from goldloop.quality.logistic import fitted

_FOLDS = 10
_RIDGE = 2.0
_SUREST = 0.02
_MOST_NAMES = 20


@dataclass(frozen=True)
class Judged:
    """`probability` (n,) of failure by group-wise cross-fitting, and how well it tells failures apart (AUROC)."""

    name: str
    probability: Floats
    auroc: float


def offline(traces: Sequence[LabelledTrace], failed: Floats, groups: Ints) -> Judged:
    """Logistic regression on lexical grounding features, category and model, cross-fitted by group."""
    numbers = np.array([features(trace) for trace in traces])
    names = [_dummies([trace.category for trace in traces]), _dummies([trace.model or "" for trace in traces])]
    columns = np.hstack([numbers, *names])
    return _judged("offline judge, cross-fitted by group", columns, failed, groups)


def column(name: str, scores: Sequence[float | None], failed: Floats, groups: Ints) -> Judged:
    """A judge's numbers, turned into probabilities by Platt's scaling, cross-fitted by group.

    Whether high means good or bad is learned with it; a trace without a number gets the rate of those without.
    """
    missing = np.array([score is None for score in scores])
    given = np.array([np.nan if score is None else score for score in scores], dtype=np.float64)
    filled = np.where(missing, np.nanmean(given), given)
    columns = np.stack([filled, missing.astype(np.float64)], axis=1)
    return _judged(f"column {name}, calibrated by group", columns, failed, groups)


def auroc(score: Floats, failed: Floats) -> float:
    """P(score of a failure > score of a success), ties half (Mann & Whitney 1947); 1/2 where there is one kind."""
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    positive, negative = failed.sum(), (1 - failed).sum()
    if not positive or not negative:
        return 0.5
    return float((ranks @ failed - positive * (positive + 1) / 2) / (positive * negative))


def folds(groups: Ints) -> Ints:
    """The fold of each row (n,): groups whole, the largest first into the smallest fold, always the same."""
    numbers, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    load = np.zeros(min(_FOLDS, len(numbers)))
    mine = np.zeros(len(numbers), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        mine[group] = int(np.argmin(load))
        load[mine[group]] += sizes[group]
    return np.asarray(mine[place], dtype=np.int64)


def cross_fitted(
    fit: Callable[[Floats, Floats], Callable[[Floats], Floats]], x: Floats, y: Floats, fold: Ints
) -> Floats:
    """(n,): what the fit on all other folds says of each row."""
    said = np.full(len(y), float(y.mean()))
    for one in np.unique(fold):
        mine = fold == one
        if not mine.all():
            said[mine] = fit(x[~mine], y[~mine])(x[mine])
    return said


def _judged(name: str, columns: Floats, failed: Floats, groups: Ints) -> Judged:
    probability = np.clip(cross_fitted(_regression, columns, failed, folds(groups)), _SUREST, 1 - _SUREST)
    return Judged(name, probability, auroc(probability, failed))


def _regression(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Ridge logistic regression on standardised columns; the intercept is all but free."""
    middle, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    def columns(rows: Floats) -> Floats:
        return np.hstack([np.ones((len(rows), 1)), (rows - middle) / scale])

    precision = np.full(x.shape[1] + 1, _RIDGE)
    precision[0] = 0.01
    b = fitted(columns(x), y, np.zeros(x.shape[1] + 1), precision)
    return lambda rows: expit(columns(rows) @ b)


def _dummies(names: Sequence[str]) -> Floats:
    """A column of 0 and 1 for each of the most frequent names, (n, k)."""
    table, place, count = np.unique(np.array(names), return_inverse=True, return_counts=True)
    kept = np.argsort(-count, kind="stable")[:_MOST_NAMES]
    return (
        np.asarray(place[:, None] == kept[None, :], dtype=np.float64) if len(table) > 1 else np.zeros((len(names), 0))
    )
