"""Traces that know of each other, and folds that keep them together.

Whoever has seen one answer to a question knows something of the next answer to it. A judge is therefore held against
labels of groups that it never saw.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from goldloop.numeric import Floats, Ints
from goldloop.records import BlindLabel, TraceFeatures

_COMMON = 10
_COMMON_SHARE = 20


def groups_of(labels: Sequence[BlindLabel], features: Mapping[str, TraceFeatures]) -> dict[str, int]:
    """The group of each labelled trace: those of one session or of one question asked are together, in a chain too.

    A message that more than 10 traces and more than a twentieth of them share ("go on", a prompt's template) is no
    question: there only the same input as a whole counts. A trace without features goes by its session. The numbers do
    not depend on the order of the labels.
    """
    sessions = {label.trace_id: label.session_id for label in sorted(labels, key=lambda one: one.trace_id)}
    asked = {trace_id: features[trace_id].asked for trace_id in sessions if trace_id in features}
    often = Counter(_message(one) for one in asked.values())
    common = {one for one, count in often.items() if count > max(_COMMON, len(sessions) // _COMMON_SHARE)}
    chain = _Chain(sessions)
    for trace_id, session in sessions.items():
        if session:
            chain.link(trace_id, ("session", session))
        question = asked.get(trace_id)
        if question:
            chain.link(trace_id, ("input", question))
            if _message(question) and _message(question) not in common:
                chain.link(trace_id, ("question", _message(question)))
    numbers: dict[str, int] = {}
    return {trace_id: numbers.setdefault(chain.end(trace_id), len(numbers)) for trace_id in sessions}


def numbered(groups: Iterable[int]) -> Ints:
    """(n,): the same groups numbered by first appearance, so that other traces' groups are of no matter."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def folds(groups: Ints, most: int = 10) -> Ints:
    """The fold of each row (n,): groups whole, the largest first into the smallest fold, always the same."""
    numbers, place, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    load = np.zeros(min(most, len(numbers)))
    mine = np.zeros(len(numbers), dtype=np.int64)
    for group in np.argsort(-sizes, kind="stable"):
        mine[group] = int(np.argmin(load))
        load[mine[group]] += sizes[group]
    return np.asarray(mine[place], dtype=np.int64)


def cross_fitted(
    fit: Callable[[Floats, Floats], Callable[[Floats], Floats]], x: Floats, y: Floats, fold: Ints
) -> Floats:
    """(n,): what the fit on all other folds says of each row; the mean of y where there is one fold only."""
    said = np.full(len(y), float(y.mean()) if len(y) else 0.0)
    for mine, others in parts(fold):
        said[mine] = fit(x[others], y[others])(x[mine])
    return said


def parts(fold: Ints) -> Iterator[tuple[Ints, Ints]]:
    """(rows of a fold, all other rows) for each fold (n,); nothing where there is one fold."""
    for one in np.unique(fold):
        mine = fold == one
        if not mine.all():
            yield np.flatnonzero(mine), np.flatnonzero(~mine)


def bootstrapped(groups: Ints, rng: np.random.Generator, reps: int) -> Iterator[Ints]:
    """The rows of each of so many bootstrap samples of whole groups (n,).

    Field & Welsh, "Bootstrapping clustered data" (2007), the cluster bootstrap.
    """
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    for _ in range(reps):
        yield np.concatenate([members[one] for one in rng.integers(0, len(members), len(members))])


def _message(asked: str) -> str:
    return asked.partition(".")[0]


class _Chain:
    """Connected parts, by union and find."""

    def __init__(self, names: Iterable[str]) -> None:
        self._next = {name: name for name in names}
        self._first: dict[tuple[str, str], str] = {}

    def end(self, name: str) -> str:
        while self._next[name] != name:
            self._next[name] = self._next[self._next[name]]
            name = self._next[name]
        return name

    def link(self, name: str, by: tuple[str, str]) -> None:
        """Put it together with all that were linked by the same."""
        self._next[self.end(name)] = self.end(self._first.setdefault(by, name))
