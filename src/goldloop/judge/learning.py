"""Learning to judge from people's blind labels: which words-only numbers go with which answer.

Three layers, each held against labels that it never saw. Innermost, regressions on four fifths of the groups choose how
strong the ridge has to be, and say how their probabilities have to be calibrated. That makes one model. Ten such models
on nine tenths of the groups each judge the tenth that is left: those are the held-out probabilities, from which all
quality is measured. What is kept is one more model, made from all.
"""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Final

import numpy as np

from goldloop.codebook.schema import Codebook, Question
from goldloop.errors import ConfigError
from goldloop.judge.basis import Asked, quality, version_of
from goldloop.judge.calibration import Calibration, confident_from, fitted_calibration
from goldloop.judge.features import VERSION
from goldloop.judge.groups import folds, groups_of, numbered, parts
from goldloop.judge.model import Columns, Model, scores, softmax
from goldloop.numeric import Floats, Ints
from goldloop.records import BlindLabel, JudgeFit, TraceFeatures

NAME: Final = "learned"
KINDS: Final = frozenset({"binary", "choice", "rating"})
MINIMUM_GROUPS: Final = 5
"""Labels of fewer separate questions or sessions can't show what holds for others."""
_FORMAT: Final = 1
_INNER: Final = 5
_RIDGES: Final = (100.0, 30.0, 10.0, 3.0, 1.0)
"""Precisions of the coefficients' prior that are tried, the strongest first; columns are standardised."""
_STEPS: Final = 2000
_NO_EXTRA: Final = "learning from labels needs scikit-learn: install goldloop with the extra `learned`"
_LEAST: Final = 1e-6


@dataclass(frozen=True)
class Learned:
    """Fits, one a question; what their likes that never saw a trace's group said of it; and what was short of labels.

    `held_out`: question -> trace id -> label -> probability. `short`: question -> label -> blind labels.
    """

    fits: list[JudgeFit] = field(default_factory=list)
    held_out: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    short: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """What is learned from: features (n, k), people's labels (n), groups (n,), and which labels can be answers."""

    values: Floats
    true: Sequence[str]
    groups: Ints
    labels: tuple[str, ...]

    def take(self, mine: Ints) -> "Rows":
        return Rows(self.values[mine], [self.true[row] for row in mine], self.groups[mine], self.labels)

    @property
    def rest(self) -> dict[str, float]:
        """The shares of the labels that are no answers in all of those."""
        rare = Counter(label for label in self.true if label not in self.labels)
        return {label: rare[label] / rare.total() for label in sorted(rare)}

    @property
    def classes(self) -> Ints:
        """(n,): the label's place in `labels`; one behind the last for all others."""
        places = {label: place for place, label in enumerate(self.labels)}
        return np.array([places.get(label, len(places)) for label in self.true], dtype=np.int64)


def learn(
    codebook: Codebook,
    labels: Sequence[BlindLabel],
    features: Mapping[str, TraceFeatures],
    at: datetime,
    *,
    floor: int = 50,
    confident: float = 0.95,
    known: Mapping[str, JudgeFit] = MappingProxyType({}),
) -> Learned:
    """A fit for each question of one label for which two labels have `floor` blind labels or more.

    Args:
        codebook: its questions of other kinds, and a comparison of two answers, are passed over.
        labels: of what the questions mean now; traces without features of this version are left out.
        features: by trace id.
        at: written into the fits; it changes nothing else.
        floor: labels given less often are learned as "another label", which is never an answer.
        confident: how often an answer that is called confident has to be right.
        known: fits by version: one of just these labels is taken as it is, and has nothing in `held_out`.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    read = {trace_id: one for trace_id, one in features.items() if one.version == VERSION}
    usable = [label for label in labels if label.trace_id in read]
    groups = groups_of(usable, read)
    learned = Learned()
    for question in codebook.questions if not codebook.pairwise else ():
        if question.kind not in KINDS:
            continue
        mine = _answers(question, usable)
        count = Counter(label.value for label in mine)
        kept = tuple(name for name in question.label_names if count[name] >= floor)
        place = numbered(groups[label.trace_id] for label in mine)
        if len(kept) < 2 or len(np.unique(place)) < MINIMUM_GROUPS:  # noqa: PLR2004 - one label is no choice
            learned.short[question.name] = {name: count[name] for name in question.label_names}
            continue
        values = np.array([read[label.trace_id].values for label in mine], dtype=np.float64)
        rows = Rows(values, [str(label.value) for label in mine], place, kept)
        asked = Asked(codebook.name, question, max(label.since for label in mine), confident, at)
        version = _version(asked, mine, rows)
        if version in known:
            learned.fits.append(known[version])
            continue
        names, said = held_out(rows)
        learned.fits.append(_fit(asked, version, rows, names, said))
        learned.held_out[question.name] = {
            label.trace_id: dict(zip(names, map(float, row), strict=True))
            for label, row in zip(mine, said, strict=True)
        }
    return learned


@contextmanager
def _one_thread() -> Iterator[None]:
    """Linear algebra on one core: these are hundreds of tiny fits, and threads that wait for each other cost more.

    A fit that stopped early is no cause for a warning: what it is worth, held-out labels say.
    """
    try:
        # scikit-learn is an extra, takes seconds to import, and has no types; threadpoolctl comes with it.
        from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped]  # noqa: PLC0415 - see above
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - see above
    except ImportError:
        raise ConfigError(_NO_EXTRA) from None
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@_one_thread()
def held_out(rows: Rows) -> tuple[tuple[str, ...], Floats]:
    """Names of labels, and the probability of each (n, names) by a model that never saw the row's group.

    Where all rows are of one group no such model can be: each row gets the labels' shares.
    """
    names = (*rows.labels, *rows.rest)
    said = np.tile([rows.true.count(name) / max(len(rows.true), 1) for name in names], (len(rows.true), 1))
    for mine, others in parts(folds(rows.groups)):
        model = model_of(rows.take(others))
        said[mine] = 0.0  # a label that the others lack
        columns = np.array([names.index(name) for name in model.names])
        said[mine[:, None], columns] = model.probabilities(rows.values[mine])
    return names, said


@_one_thread()
def model_of(rows: Rows) -> Model:
    """Ridge and calibration chosen by cross-fitting within these rows; coefficients from all of them.

    The ridge of the smallest log loss; the same rows' probabilities are what the calibration is fitted to.
    """
    classes = rows.classes
    several = len(rows.labels) + bool(rows.rest)
    fold = folds(rows.groups, _INNER)
    found = {ridge: np.full((len(classes), several), 1 / several) for ridge in _RIDGES}
    for mine, others in parts(fold):
        columns = Columns.of(rows.values[others])
        x, mine_x = columns(rows.values[others]), columns(rows.values[mine])
        for ridge in _RIDGES:
            weights = _weights(x, classes[others], several, ridge)
            found[ridge][mine] = softmax(scores(weights, mine_x))
    row = np.arange(len(classes))
    ridge = min(_RIDGES, key=lambda one: -np.log(np.maximum(found[one][row, classes], _LEAST)).mean())
    columns = Columns.of(rows.values)
    return Model(
        labels=rows.labels,
        rest=rows.rest,
        columns=columns,
        weights=_weights(columns(rows.values), classes, several, ridge),
        calibrations=_calibrations(found[ridge], classes, rows.groups),
    )


def _answers(question: Question, labels: Sequence[BlindLabel]) -> list[BlindLabel]:
    """Those to this question, one a trace, by trace id, so that their order is of no matter."""
    mine = [label for label in labels if label.question == question.name and label.value in question.label_names]
    return [*{label.trace_id: label for label in sorted(mine, key=lambda one: (one.trace_id, str(one.value)))}.values()]


def _version(asked: Asked, labels: Sequence[BlindLabel], rows: Rows) -> str:
    """A hash of all that a fit comes from; numbers count to six digits, so that it is the same on every machine."""
    told = [
        [label.trace_id, label.value, int(group), [f"{value:.6g}" for value in values]]
        for label, group, values in zip(labels, rows.groups, rows.values, strict=True)
    ]
    question = [asked.question.name, asked.question.label_names, asked.question.failure]
    return version_of(_FORMAT, VERSION, asked.queue, question, asked.since, rows.labels, asked.wanted, told)


def _fit(asked: Asked, version: str, rows: Rows, names: tuple[str, ...], said: Floats) -> JudgeFit:
    best = said[:, : len(rows.labels)].argmax(axis=1)
    given = [rows.labels[place] for place in best]
    probability = said[np.arange(len(said)), best]
    right = np.array([one == other for one, other in zip(given, rows.true, strict=True)], dtype=np.float64)
    score, positive = probability, right
    if asked.question.failure:
        score = said[:, [name in asked.question.failure for name in names]].sum(axis=1)
        positive = np.array([label in asked.question.failure for label in rows.true], dtype=np.float64)
    return JudgeFit(
        queue=asked.queue,
        question=asked.question.name,
        since=asked.since,
        judge=NAME,
        version=version,
        body=model_of(rows).to_json(VERSION),
        quality=quality(rows.true, given, probability, score=score, positive=positive, groups=rows.groups),
        threshold=confident_from(probability, right, asked.wanted),
        fitted_at=asked.at,
    )


def _weights(x: Floats, classes: Ints, several: int, ridge: float) -> Floats:
    """Coefficients (several, 1 + k) of standardised features (n, k) and classes (n,); an intercept first, not shrunk.

    A class that no row has gets the odds of one half of a row, and no feature speaks for it.
    """
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

    weights = np.zeros((several, 1 + x.shape[1]))
    count = np.bincount(classes, minlength=several)
    weights[:, 0] = np.log((count + 0.5) / (len(classes) + 0.5 * several))
    there = np.flatnonzero(count)
    if len(there) > 1:
        fit = LogisticRegression(C=1 / ridge, max_iter=_STEPS).fit(x, classes)
        found = np.hstack([fit.intercept_[:, None], fit.coef_])
        weights[there] = found if len(found) > 1 else np.stack([-found[0] / 2, found[0] / 2])
        missing = np.flatnonzero(count == 0)
        weights[missing, 0] = weights[there, 0].mean() + np.log(0.5 / len(classes))
    return weights


def _calibrations(raw: Floats, classes: Ints, groups: Ints) -> tuple[Calibration, ...]:
    wanted = range(1, 2) if raw.shape[1] == 2 else range(raw.shape[1])  # noqa: PLR2004 - of two, one says all
    return tuple(fitted_calibration(raw[:, place], (classes == place).astype(np.float64), groups) for place in wanted)
