"""Counts for sessions that several users share, where no order of a line keeps users and sessions together both.

The expected counts of such users' cells (a user in a shared session; a user's rows elsewhere) are a flow through a
network source -> user -> session -> sink, with everybody else as one arc beside it. The flow is rounded at random
along cycles of arcs that are not whole: each cycle is pushed one way or the other until one of its arcs is whole, with
the odds that keep every arc's expectation (Gandhi, Khuller, Parthasarathy & Srinivasan, *Dependent rounding*, 2006).
A whole sum at source and sink and flow in = flow out at every user and session leave no arc alone that is not whole,
so it ends with whole counts: each cell, user, session and the total rounded down or up, in expectation exact.
Only what could go over its cap takes part: a session whose cells, each rounded up, are within its cap does not, and
the cells of users that are safe in the same way go together, a line for each session.
"""

from dataclasses import dataclass

import numpy as np

from goldloop.numeric import Bools, Floats, Ints
from goldloop.sampling.units import Units

_ONE = 1 << 40
"""Flows are whole multiples of 1 / _ONE, so that they balance exactly."""
_NOBODY = -1


@dataclass(frozen=True)
class Lines:
    """The lines of a draw: for each row (n,) which line it lies on, and its outer unit on it; by line (b,) the teeth.

    `counts` is how many teeth a line's comb has, `starts` in [0, 1) where the first one stands.
    """

    line: Ints
    outer: Ints
    counts: Ints
    starts: Floats


def lines(pi: Floats, left: int, units: Units, certain: Bools, rng: np.random.Generator) -> Lines:
    """The lines of a draw of `left` rows by pi (n,), beside those that are certain.

    One for all, but for the cells of users who share a session that could go over its cap: they get a line each.
    """
    shared = _contested(pi, units, certain)
    line = np.zeros(len(pi), dtype=np.int64)
    if not shared.any():
        return Lines(line, units.outer, np.array([left]), np.array([rng.random()]))
    touched = np.zeros(len(pi), dtype=np.bool_)
    touched[units.user[shared]] = True
    elsewhere = np.flatnonzero(touched[units.user] & ~shared)
    outer = np.where(shared, units.inner, units.outer)
    outer[elsewhere] = elsewhere[_first(units.user[elsewhere])]
    bound = _bound(pi, units, certain, outer, touched)[units.user]
    rows = np.flatnonzero(shared | (bound & touched[units.user]))
    user = np.where(bound[rows], units.user[rows], _NOBODY)
    session = np.where(shared[rows], units.session[rows], _NOBODY)
    _, first, cell = np.unique(user * len(pi) + session, return_index=True, return_inverse=True)
    amounts = [int(part * _ONE) for part in np.bincount(cell, pi[rows]).tolist()]
    beside = left * _ONE - sum(amounts)
    line[:] = len(amounts)
    line[rows] = cell
    if not pi[line == len(amounts)].any():  # nobody is beside: what rounding left over goes to the largest cell
        amounts[int(np.argmax(amounts))] += beside
        beside = 0
    network = Network(user[first].tolist(), session[first].tolist(), [*amounts, beside])
    counts = np.array(network.counts(rng))
    return Lines(line, outer, counts, _starts(np.array([*amounts, beside]), counts, rng))


def _starts(amounts: Ints, counts: Ints, rng: np.random.Generator) -> Floats:
    """A start for each line's comb that goes with its count.

    On a line P long a comb from a uniform start has one tooth more than floor(P) where it starts before P's fraction:
    given the count, the start is uniform on that side.
    """
    fraction = amounts % _ONE / _ONE
    more = counts > amounts // _ONE
    low, high = np.where(more, 0.0, fraction), np.where(more, fraction, 1.0)
    return np.asarray(low + (high - low) * rng.random(len(counts)), dtype=np.float64)


def _contested(pi: Floats, units: Units, certain: Bools) -> Bools:
    """(n,): rows of sessions whose cells, each rounded up, could together go over the session's cap."""
    if units.caps.user is None or units.caps.session is None or not units.crossing.any():
        return np.zeros(len(pi), dtype=np.bool_)
    highest = _highest(pi, units.inner, units.session, certain)
    return np.asarray(units.crossing & (highest > units.caps.session)[units.session], dtype=np.bool_)


def _bound(pi: Floats, units: Units, certain: Bools, cells: Ints, touched: Bools) -> Bools:
    """(n,) by user's number: whether its cells, each rounded up, could together go over the user's cap."""
    highest = _highest(pi, cells, units.user, certain)
    return np.asarray(touched & (highest > (units.caps.user or 0)), dtype=np.bool_)


def _highest(pi: Floats, cell: Ints, unit: Ints, certain: Bools) -> Floats:
    """(n,) by unit's number: the sum of its cells' pi, each rounded up, and its certain rows."""
    flow = np.bincount(cell, pi, minlength=len(pi))
    cells = np.flatnonzero(flow > 0)
    highest = np.bincount(unit[cells], np.ceil(flow[cells] + 1e-9), minlength=len(pi))
    return np.asarray(highest + np.bincount(unit[certain], minlength=len(pi)), dtype=np.float64)


def _first(unit: Ints) -> Ints:
    """For each place the first place with its unit."""
    _, first, place = np.unique(unit, return_index=True, return_inverse=True)
    return np.asarray(first[place], dtype=np.int64)


class Network:
    """Cells as arcs from users to sessions; the last amount is everybody else's. Amounts are multiples of 1 / _ONE.

    A cell of no user comes from the source, one of no session goes to the sink. Nodes are numbered: source, sink,
    users, sessions.
    """

    def __init__(self, users: list[int], sessions: list[int], amounts: list[int]) -> None:
        source, sink = 0, 1
        node: dict[tuple[str, int], int] = {("user", _NOBODY): source, ("session", _NOBODY): sink}
        ends = [
            (node.setdefault(("user", user), len(node)), node.setdefault(("session", session), len(node)))
            for user, session in zip(users, sessions, strict=True)
        ]
        through = [0] * len(node)
        for (tail, head), amount in zip(ends, amounts, strict=False):
            through[tail] += amount
            through[head] += amount
        tails = {tail for tail, _ in ends}
        self.ends = [*ends, (source, sink)]
        for inner in range(2, len(node)):
            self.ends.append((source, inner) if inner in tails else (inner, sink))
        self.whole = [amount // _ONE for amount in amounts]
        self.part = [amount % _ONE for amount in [*amounts, *through[2:]]]
        self.arcs: list[list[int]] = [[] for _ in node]
        for arc, (tail, head) in enumerate(self.ends):
            self.arcs[tail].append(arc)
            self.arcs[head].append(arc)

    def counts(self, rng: np.random.Generator) -> list[int]:
        """The amounts, each rounded down or up to a whole count."""
        for root in range(len(self.arcs)):
            path: list[int] = []
            nodes = [root]
            place = {root: 0}
            while (arc := self._next(nodes[-1], path[-1] if path else None)) is not None:
                tail, head = self.ends[arc]
                other = head if nodes[-1] == tail else tail
                path.append(arc)
                if other not in place:
                    place[other] = len(nodes)
                    nodes.append(other)
                    continue
                first = place[other]
                along = [self.ends[one][0] == seen for one, seen in zip(path[first:], nodes[first:], strict=True)]
                self._push(path[first:], along, rng)
                for gone in nodes[first + 1 :]:
                    del place[gone]
                del path[first:], nodes[first + 1 :]
        return [whole + self.part[arc] // _ONE for arc, whole in enumerate(self.whole)]

    def _next(self, node: int, last: int | None) -> int | None:
        """An arc of the node that is not whole, and not the last one; whole ones are dropped on the way."""
        arcs, kept = self.arcs[node], None
        while arcs:
            arc = arcs.pop()
            if self.part[arc] % _ONE == 0:
                continue
            if arc == last:
                kept = arc
                continue
            if kept is not None:
                arcs.append(kept)
            arcs.append(arc)
            return arc
        return None

    def _push(self, cycle: list[int], along: list[bool], rng: np.random.Generator) -> None:
        """Push flow around the cycle, one way or the other, till an arc is whole; on average by nothing."""
        low = [self.part[arc] for arc in cycle]
        forth = min(_ONE - part if ahead else part for part, ahead in zip(low, along, strict=True))
        back = min(part if ahead else _ONE - part for part, ahead in zip(low, along, strict=True))
        by = forth if rng.random() * (forth + back) < back else -back
        for arc, part, ahead in zip(cycle, low, along, strict=True):
            self.part[arc] = part + by if ahead else part - by
