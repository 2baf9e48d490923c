"""How probable a, b and tie are on each pair, from a judge that never saw the votes on the pair's own group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from goldloop.backtest.pairs import WINNERS, Pair, groups_of
from goldloop.errors import InputError
from goldloop.judge.features import features
from goldloop.judge.groups import folds, parts
from goldloop.numeric import Floats, Ints, expit, fitted
from goldloop.records import Message, Trace

OFFLINE = "offline"
_RIDGE = 10.0
_WEIGHT = 1.0
_ANY = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class JudgedPairs:
    """n pairs that people voted on and the judge judges.

    `probability` is (n, 3), in the order of WINNERS and cross-fitted by group; `label` (n,) the place of what most
    voted for, `groups` (n,) the group of each.
    """

    name: str
    probability: Floats
    label: Ints
    groups: Ints
    left_out: int


def judged(pairs: Sequence[Pair], judge: str) -> JudgedPairs:
    """`judge` is `offline` (what the texts' words say) or one of the file's own.

    Raises:
        InputError: where no pair has both votes and what that judge needs.
    """
    usable = [pair for pair in pairs if pair.votes and (_has_texts(pair) if judge == OFFLINE else pair.verdict(judge))]
    if not usable:
        missing = (
            "both answers' texts: name a judge's verdicts by --judge" if judge == OFFLINE else f"{judge}'s verdict"
        )
        raise InputError(f"no pair with votes has {missing}")
    label = np.array([WINNERS.index(pair.winner or "tie") for pair in usable], dtype=np.int64)
    groups = groups_of(usable)
    if judge == OFFLINE:
        name, x, fit = "offline judge, cross-fitted by group", np.array([_differences(pair) for pair in usable]), _fit
    else:
        names = sorted({str(pair.judges[judge]) for pair in usable})
        x = np.array([[float(pair.judges[judge] == one) for one in names] for pair in usable])
        name, fit = f"{judge}, calibrated by group", _count
    return JudgedPairs(name, _cross_fitted(fit, x, label, folds(groups)), label, groups, len(pairs) - len(usable))


def _cross_fitted(
    fit: Callable[[Floats, Floats], Callable[[Floats], Floats]], x: Floats, label: Ints, fold: Ints
) -> Floats:
    """(n, 3): what the fit on all other folds says of each row."""
    one_hot = np.eye(len(WINNERS))[label]
    said = np.tile(one_hot.mean(axis=0), (len(label), 1))
    for mine, others in parts(fold):
        said[mine] = fit(x[others], one_hot[others])(x[mine])
    return said


def _count(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """How often each label goes with each verdict (a column of x); the labels' rates have the weight of one pair."""
    table = (x.T @ y + _WEIGHT * y.mean(axis=0)) / (x.sum(axis=0)[:, None] + _WEIGHT)
    return lambda rows: rows @ table


def _fit(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """A ridge logistic regression for each label on standardised columns, brought to a sum of 1."""
    middle, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)

    def columns(rows: Floats) -> Floats:
        return np.hstack([np.ones((len(rows), 1)), (rows - middle) / scale])

    precision = np.full(x.shape[1] + 1, _RIDGE)
    precision[0] = 0.01
    b = np.stack([fitted(columns(x), one, np.zeros(len(precision)), precision) for one in y.T], axis=1)

    def said(rows: Floats) -> Floats:
        each = expit(columns(rows) @ b)
        return np.asarray(each / each.sum(axis=1, keepdims=True), dtype=np.float64)

    return said


def _has_texts(pair: Pair) -> bool:
    return pair.a.output is not None and pair.b.output is not None


def _differences(pair: Pair) -> list[float]:
    """What a's features have over b's, and by how much they differ: the first tells sides apart, the second ties."""
    a, b = (np.array(features(_trace(pair, side.output or ""))) for side in (pair.a, pair.b))
    return [*(a - b), *np.abs(a - b)]


def _trace(pair: Pair, output: str) -> Trace:
    messages = tuple(Message(role=said.role, content=said.content) for said in pair.input)
    return Trace(trace_id=pair.id, timestamp=_ANY, messages=messages, output=output)
