"""One randomised draw of fixed size, with exact inclusion probabilities and exact caps.

Randomised systematic pi-ps sampling (Hartley & Rao 1962): candidates lie on a line, each as long as its pi, the users
in random order, each user's sessions side by side, each session's traces side by side; a comb with teeth one apart is
laid on it from a uniform start. No candidate comes twice, and whatever lies side by side and is P long gets P teeth,
rounded down or up: where P is within its cap, so is the count. A user whose sessions are its own has both.
Where users share sessions no line keeps both together: there `sampling.crossing` rounds the counts first.
"""

from dataclasses import dataclass, replace

import numpy as np

from goldloop.numeric import Bools, Floats, Ints
from goldloop.sampling.crossing import Lines, lines
from goldloop.sampling.design import Design
from goldloop.sampling.units import Units

_TRIES = 10
_CHUNK = 1_000_000  # rows of `samples` at once


@dataclass(frozen=True)
class Sample:
    """m drawn rows: `index` (m,) into the frame, certain ones first, then as the line has them; `pi` and `unit` (m,).

    `unit` is the number of the row's user (`units.Units`): the cluster of a variance estimate. The order is what a
    successive-difference variance needs where the line was sorted.
    """

    index: Ints
    pi: Floats
    unit: Ints

    def __len__(self) -> int:
        return len(self.index)


def sample(design: Design, rng: np.random.Generator, order: Floats | None = None) -> Sample:
    """`design.size` rows, row i with probability pi[i], no unit over its cap.

    `order` (n,) sorts the line by a number known of every candidate (predicted risk, say): users by their mean, their
    sessions and traces likewise. Neighbours then keep each other out, so the sample is spread evenly over that number
    and estimates of what goes with it vary less; the variance has to be estimated along the line (see `Sample`).
    """
    certain, row, left = _parts(design, order)
    sure = np.flatnonzero(certain)
    for _ in range(_TRIES):
        laid = lines(row.pi, left, design.units, certain, rng)
        index = np.concatenate([sure, _comb(replace(row, outer=laid.outer), laid, rng)])
        # Lengths that should sum to a whole number miss it by rounding, some 1e-12: that rarely a tooth falls into
        # the gap. Then the draw is made again, so size and caps hold without exception.
        if len(np.unique(index)) == len(index) == design.size and within(index, design.units):
            return Sample(index=index, pi=design.pi[index], unit=design.units.user[index])
    raise ArithmeticError("the draw's inclusion probabilities do not fit its caps: this is a defect, please report it.")


def samples(design: Design, rng: np.random.Generator, times: int, order: Floats | None = None) -> Ints:
    """As many draws as that, each on its own, for simulations: shape (times, size), rows of the frame.

    Much faster than one after the other on a small frame. Sessions that users share are not looked at: their caps may
    be exceeded here (by `sample` never).
    """
    certain, row, left = _parts(design, order)
    drawn = np.tile(np.flatnonzero(certain), (times, 1))
    n, hits = len(certain), [np.zeros((0, left), dtype=np.int64)]
    for done in range(0, times, chunk := max(1, _CHUNK // max(1, n))):
        r = min(chunk, times - done)
        many = row.times(r)
        laid = Lines(np.repeat(np.arange(r), n), many.outer, np.full(r, left), rng.random(r))
        hits.append((_comb(many, laid, rng) % max(1, n)).reshape(r, left))
    return np.concatenate([drawn, np.concatenate(hits)], axis=1)


def _parts(design: Design, order: Floats | None) -> tuple[Bools, "Rows", int]:
    """Which rows are certain, what is laid on lines, and how many are drawn from these."""
    certain = design.pi >= 1
    rest = np.where(certain, 0.0, design.pi)
    left = design.size - int(np.count_nonzero(certain))
    return certain, Rows(rest, design.units.outer, design.units.inner, order), left


def within(index: Ints, units: Units) -> bool:
    """Whether no user and no session has more of these rows than its cap."""
    for cap, unit in ((units.caps.user, units.user), (units.caps.session, units.session)):
        if cap is not None and len(index) and np.unique(unit[index], return_counts=True)[1].max() > cap:
            return False
    return True


@dataclass(frozen=True)
class Rows:
    """Rows to be laid on lines: lengths `pi` (n,), the units `outer` and `inner` by their first row, and the order."""

    pi: Floats
    outer: Ints
    inner: Ints
    order: Floats | None

    def times(self, r: int) -> "Rows":
        """So many copies, one after the other, each with units of its own."""
        shift = np.repeat(np.arange(r) * len(self.pi), len(self.pi))
        order = None if self.order is None else np.tile(self.order, r)
        return Rows(np.tile(self.pi, r), np.tile(self.outer, r) + shift, np.tile(self.inner, r) + shift, order)

    def means(self, unit: Ints) -> Floats | None:
        """(n,): each unit's mean of the order, by pi, at its number."""
        if self.order is None:
            return None
        length = np.bincount(unit, self.pi, minlength=len(self.pi))
        total = np.bincount(unit, self.pi * self.order, minlength=len(self.pi))
        return np.divide(total, length, out=np.zeros_like(length), where=length > 0)


def _comb(rows: Rows, laid: Lines, rng: np.random.Generator) -> Ints:
    """The rows that the lines' combs hit, line by line: shape (sum of the counts,).

    From a line to users, to sessions, to rows: only what a comb hits is laid out further, so nothing of the length of
    the frame is sorted, and it makes no difference to what is hit. The lines lie one after the other.
    """
    size = max(len(rows.pi), len(laid.counts))
    at: Ints = np.repeat(np.arange(len(laid.counts)), laid.counts)
    begin: Floats = (np.cumsum(laid.counts + 1) - (laid.counts + 1))[at].astype(np.float64)
    tooth = np.arange(len(at)) - (np.cumsum(laid.counts) - laid.counts)[at]
    teeth = begin + laid.starts[at] + tooth
    parent = laid.line
    for unit in (rows.outer, rows.inner, np.arange(len(rows.pi))):
        length: Floats = np.bincount(unit, rows.pi, minlength=len(rows.pi)).astype(np.float64, copy=False)
        hit = np.zeros(size, dtype=np.bool_)
        hit[at] = True
        parts: Ints = np.flatnonzero(hit[parent] & (length > 0))
        rank: Ints = np.zeros(size, dtype=np.int64)
        rank[at[::-1]] = np.arange(len(at))[::-1]  # the first tooth of each; of several writes the last stays
        means = rows.means(unit)
        inside = rank[parent[parts]]
        order = _shuffled(inside, None if means is None else means[parts], rng)
        parts, inside = parts[order], inside[order]
        begins: Floats = np.cumsum(length[parts]) - length[parts]
        # Each lies where its parent begins, behind those of its parent before it.
        first = np.searchsorted(inside, np.arange(len(at)))
        begins += (begin - begins[np.minimum(first, len(parts) - 1)])[inside]
        low, high = first[rank[at]], np.searchsorted(inside, rank[at], side="right") - 1
        place: Ints = np.clip(np.searchsorted(begins, teeth, side="right") - 1, low, high)
        at, begin, parent = parts[place], begins[place], unit
    return at


def _shuffled(inside: Ints, known: Floats | None, rng: np.random.Generator) -> Ints:
    """An order of parts by what they lie `inside` of, then by what is known of them, then at random; all shape (p,)."""
    if known is not None:
        return np.asarray(np.lexsort((rng.random(len(inside)), known, inside)), dtype=np.int64)
    if not inside.any():
        return rng.permutation(len(inside))
    return np.asarray(np.argsort(inside + rng.random(len(inside))), dtype=np.int64)
