"""From what users said and did to evidence of failure, in log-odds: a prior for the draw, never a label.

Each kind of signal shifts a trace's log-odds of failure by its weight, once however often it came, and the shifts add
up, as if kinds were independent given the truth. The weights are guesses (`codebook.sampling`) until `goldloop yield`
has measured how often such traces turn out failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import get_args

import numpy as np

from goldloop.codebook.sampling import FeedbackSettings, SignalKind
from goldloop.numeric import Bools, Floats, Ints

KINDS: tuple[SignalKind, ...] = get_args(SignalKind)
_MOST = 2.0  # times its weight: what the longest or shortest dwell counts


@dataclass(frozen=True)
class Signals:
    """k signals as columns: `row` (k,) the candidate's row; `name` and `label` (k,) int, codes into their tables.

    `value` (k,) is the number, NaN where there is none; a label's code is -1 where there is none.
    """

    row: Ints
    name: Ints
    names: Sequence[str]
    value: Floats
    label: Ints
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Evidence:
    """By candidate: `feedback` (n,) the shift of log-odds, 0 where nobody did anything; `edited` (n,).

    `counts` says how many candidates have each kind of signal.
    """

    feedback: Floats
    edited: Bools
    counts: dict[SignalKind, int]


def kinds(signals: Signals, settings: FeedbackSettings) -> Ints:
    """(k,): the place of each signal's kind in KINDS by the first rule that fits; -1 where none does."""
    found = np.full(len(signals.row), -1)
    highest = np.full(len(signals.names), -np.inf)
    np.fmax.at(highest, signals.name, signals.value)
    for rule in settings.rules:
        wanted = {label.lower() for label in rule.labels}
        names = [
            fnmatchcase(name.lower(), rule.name.lower()) and rule.on_scale in {None, bool(most > 1)}
            for name, most in zip(signals.names, highest, strict=True)
        ]
        labels = [label.lower() in wanted for label in signals.labels]
        if not any(names) or (wanted and not any(labels)):
            continue
        fits = (found < 0) & _chosen(names, signals.name)
        if rule.at_least is not None:
            fits &= signals.value >= rule.at_least  # False for NaN
        if rule.at_most is not None:
            fits &= signals.value <= rule.at_most
        if wanted:
            fits &= _chosen(labels, signals.label)
        found[fits] = KINDS.index(rule.kind)
    return found


def evidence(signals: Signals, category: Ints, settings: FeedbackSettings) -> Evidence:
    """The evidence of n candidates from their signals; category (n,) holds codes, for dwell's medians."""
    n = len(category)
    kind = kinds(signals, settings)
    feedback = np.zeros(n)
    edited: Bools = np.zeros(n, dtype=np.bool_)
    counts: dict[SignalKind, int] = {}
    for code, name in enumerate(KINDS):
        those = kind == code
        if not those.any():
            continue
        if name == "dwell":
            strength = unusual(signals.row[those], signals.value[those], category, settings)
        else:
            strength = np.zeros(n)
            strength[signals.row[those]] = 1.0
        feedback += settings.weight(name) * strength
        counts[name] = int(np.count_nonzero(strength))
        if name == "edit":
            edited = strength > 0
    return Evidence(np.clip(feedback, -settings.limit, settings.limit), edited, counts)


def unusual(row: Ints, dwell: Floats, category: Ints, settings: FeedbackSettings) -> Floats:
    """How far each candidate's dwell lies from its category's median: (n,), 0 within the ratio, then 1 to 2.

    |log(dwell / median)| by log(ratio), where that is 1 or more, and 2 at most. A candidate's dwell is the mean of its
    own; a category with too few of them takes the median of all, and all too few give 0.
    """
    n = len(category)
    times = np.bincount(row, minlength=n)
    heard = np.flatnonzero(times)
    mean = np.maximum(np.bincount(row, dwell, minlength=n)[heard] / times[heard], 1e-3)  # a ms: 0 has no logarithm
    if len(heard) < settings.dwell_least:
        return np.zeros(n)
    _, group = np.unique(category[heard], return_inverse=True)
    sizes = np.bincount(group)
    middle = np.where(sizes >= settings.dwell_least, _medians(mean, group, sizes), np.median(mean))
    far = np.abs(np.log(mean / middle[group])) / np.log(settings.dwell_ratio)
    strength = np.zeros(n)
    strength[heard] = np.where(far >= 1, np.minimum(far, _MOST), 0.0)
    return strength


def _medians(value: Floats, group: Ints, sizes: Ints) -> Floats:
    """The median of each group: the mean of its two middle values, which are one where its size is odd."""
    ordered = value[np.lexsort((value, group))]
    starts = np.cumsum(sizes) - sizes
    return np.asarray((ordered[starts + (sizes - 1) // 2] + ordered[starts + sizes // 2]) / 2, dtype=np.float64)


def _chosen(table: list[bool], code: Ints) -> Bools:
    """(k,): the table's entry by code; False for -1."""
    return np.asarray(np.array([*table, False])[code], dtype=np.bool_)
