"""Who a candidate belongs to: the users and sessions whose share of a draw is capped."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from goldloop.codebook.sampling import Caps
from goldloop.numeric import Bools, Ints
from goldloop.sampling.frame import Frame, Names


@dataclass(frozen=True)
class Units:
    """For each of n candidates its user and its session, each by the position of the first row that has it.

    So a unit has the same number whatever codes the frame's names have, and a candidate without one is a unit of its
    own. A candidate without a user belongs to its session's, where that session has one user only; where it has none
    the session stands for the user. `outer` (n,) is what keeps together on the line of a draw, `inner` (n,) what keeps
    together within it (of a shared session the user's own part), and `crossing` (n,) says which rows lie in a session
    that several users share.
    """

    user: Ints
    session: Ints
    crossing: Bools
    outer: Ints
    inner: Ints
    caps: Caps

    @classmethod
    def of(cls, frame: Frame, caps: Caps) -> Self:
        user, named = _firsts(frame.user)
        session, seated = _firsts(frame.session)
        crossing: Bools = np.zeros(len(frame), dtype=np.bool_)
        if seated.any():
            # Some user of each session; whoever differs from it makes the session a crossing one.
            some = np.arange(len(frame))
            some[session[named]] = user[named]
            odd = np.zeros(len(frame), dtype=np.bool_)
            odd[session[named & (user != some[session])]] = True
            crossing = odd[session] & seated
            user = np.where(named | crossing, user, some[session])
        if caps.user is None and caps.session is not None:
            return cls(user, session, crossing, outer=session, inner=session, caps=caps)
        return cls(user, session, crossing, outer=user, inner=_cells(user, session, crossing), caps=caps)


def _cells(user: Ints, session: Ints, crossing: Bools) -> Ints:
    """For each row the first row of its user and session."""
    rows = np.flatnonzero(crossing)
    if not len(rows):
        return session
    _, first, cell = np.unique(np.stack([user[rows], session[rows]]), axis=1, return_index=True, return_inverse=True)
    cells = session.copy()
    cells[rows] = rows[first[cell]]
    return cells


def _firsts(names: Names) -> tuple[Ints, Bools]:
    """For each row the first row with its name, or itself without a name; and whether it has one."""
    rows = np.arange(len(names))
    named: NDArray[np.bool_] = names.codes >= 0
    first = np.zeros(len(names.table), dtype=np.int64)
    first[names.codes[named][::-1]] = rows[named][::-1]  # of several writes the last stays
    firsts = rows.copy()
    firsts[named] = first[names.codes[named]]
    return firsts, named
