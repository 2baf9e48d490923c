"""What a draw would do and why, as a record: the table of `draw --dry-run`."""

import numpy as np
from pydantic import Field

from goldloop.numeric import Bools, kish
from goldloop.records import Record
from goldloop.sampling.design import Design
from goldloop.sampling.draw import Sample
from goldloop.sampling.mixture import mix
from goldloop.sampling.stamp import MUST, Stamps

_NAMED = 5


class PolicyLine(Record):
    policy: str
    asked: float = Field(description="share asked for")
    share: float = Field(description="share after policies without candidates gave theirs back")
    candidates: int = Field(description="rows that it gives a weight")
    expected: float = Field(description="traces drawn for it, on average")
    drawn: int | None = Field(description="traces stamped with it in this draw; None: nothing was drawn")


class CapLine(Record):
    """One cap that lowered somebody's probability."""

    kind: str = Field(description="user or session")
    cap: int
    units: int = Field(description="how many it lowered")
    names: tuple[str, ...] = Field(description="those with most candidates, five at most")


class Explanation(Record):
    frame_size: int
    budget: int
    size: int = Field(description="traces that the draw takes; less than the budget where candidates or caps end")
    policies: tuple[PolicyLine, ...]
    moved: float = Field(default=0.0, description="share that risk has of targeted, while no slice is a target")
    given_back: tuple[str, ...] = Field(description="policies asked for that have no candidates")
    caps: tuple[CapLine, ...]
    must_review: int
    must_missed: int = Field(description="must-review traces that budget or caps keep from being certain")
    unreachable: int = Field(description="fresh candidates that no policy or no cap lets be drawn: pi = 0")
    expected_effective_size: float = Field(description="Kish's, on average over draws, of the fresh candidates' rate")
    effective_size: float | None = Field(description="Kish's, of this draw")
    design_effect: float = Field(description="size by expected effective size: what unequal weights cost a plain rate")
    overflow: int = 0
    expired: int = 0


def explain(
    design: Design,
    sample: Sample | None = None,
    stamps: Stamps | None = None,
    *,
    overflow: int = 0,
    expired: int = 0,
    moved: float = 0.0,
) -> Explanation:
    """The design, and the draw where there is one; passed on are counts of parked traces, and a share that `moved`."""
    expected = _expected(design)
    drawn = None if stamps is None else {name: stamps.policy.count(name) for name in (MUST, *design.asked)}
    lines = [
        PolicyLine(
            policy=name,
            asked=design.asked.get(name, 0.0),
            share=design.shares.get(name, 0.0),
            candidates=int(design.frame.must.sum()) if name == MUST else design.candidates.get(name, 0),
            expected=expected.get(name, 0.0),
            drawn=None if drawn is None else drawn[name],
        )
        for name in (*([MUST] if design.frame.must.any() else []), *design.asked)
    ]
    fresh = design.frame.fresh
    reached = fresh & (design.pi > 0)
    size = float(design.pi[reached].sum())
    whole = np.count_nonzero(reached) ** 2 / (1 / design.pi[reached]).sum() if reached.any() else 0.0
    return Explanation(
        frame_size=len(design.frame),
        budget=design.budget,
        size=design.size,
        policies=tuple(lines),
        moved=moved,
        given_back=tuple(name for name, share in design.asked.items() if share > 0 and name not in design.shares),
        caps=_caps(design),
        must_review=int(design.frame.must.sum()),
        must_missed=int(design.missed.sum()),
        unreachable=int(np.count_nonzero(fresh & ~reached)),
        expected_effective_size=float(whole),
        effective_size=None if sample is None else kish(1 / sample.pi[fresh[sample.index]]),
        design_effect=size / float(whole) if whole else 1.0,
        overflow=overflow,
        expired=expired,
    )


def _expected(design: Design) -> dict[str, float]:
    """How many traces each policy is stamped on, on average: sum_i pi_i s_k q_k(i) / sum_j s_j q_j(i)."""
    must = design.frame.must
    weight = mix(design.policies, design.shares) if design.policies else np.zeros(len(must))
    rate = np.divide(design.pi, weight, out=np.zeros(len(must)), where=(weight > 0) & ~must)
    parts = {name: float(share * (design.policies[name] @ rate)) for name, share in design.shares.items()}
    return parts | {MUST: float(design.pi[must].sum())}


def _caps(design: Design) -> tuple[CapLine, ...]:
    made = []
    for kind, cap, capped in (
        ("user", design.units.caps.user, design.capped_users),
        ("session", design.units.caps.session, design.capped_sessions),
    ):
        if cap is not None and capped.any():
            made.append(CapLine(kind=kind, cap=cap, units=int(capped.sum()), names=_names(design, kind, capped)))
    return tuple(made)


def _names(design: Design, kind: str, capped: Bools) -> tuple[str, ...]:
    unit = design.units.user if kind == "user" else design.units.session
    sizes = np.bincount(unit, minlength=len(capped))
    units = np.flatnonzero(capped)
    largest = units[np.argsort(-sizes[units], kind="stable")][:_NAMED]
    frame = design.frame
    # The unit's number is a row of it; where that row has no user the session or the trace stands for one.
    wanted = (frame.user, frame.session) if kind == "user" else (frame.session,)
    return tuple(
        next((name for name in (column.at(row) for column in wanted) if name), None)
        or frame.ids(slice(row, row + 1))[0]
        for row in largest.tolist()
    )
