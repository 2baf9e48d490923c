"""Draws repeated on traces whose labels are known: what each policy finds, and what its numbers are worth.

Pure, and the same from the same seed: each plan and budget has a random generator of its own, so that another plan in
the list changes nothing.
"""

import zlib
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from goldloop.backtest.plans import TOP, Plan
from goldloop.backtest.pool import Pool
from goldloop.numeric import Floats, Ints
from goldloop.quality.estimate import Candidates, Estimate, Labelled, estimate
from goldloop.quality.intervals import wilson
from goldloop.records import Record
from goldloop.sampling.design import design_of
from goldloop.sampling.draw import sample
from goldloop.sampling.frame import Frame
from goldloop.sampling.policies import distributions, fused

ESTIMATORS = ("naive", "hajek", "aipw")


class Quality(Record):
    """One estimator over all repetitions, in points.

    Bias, RMSE (and over that of plain random's plain mean), share of the 95 % intervals that hold the truth, and their
    mean width. `without` is the share of repetitions whose sample gave no interval.
    """

    bias: float
    rmse: float
    rmse_to_random: float
    coverage: float
    width: float
    without: float


class Outcome(Record):
    """One plan at one budget.

    `ratio_to_random` is over what plain random finds on average, budget * rate; `share_of_oracle` over the most that
    can be found. `never_drawn` counts traces of probability 0, the mean over the repetitions: where there are any, only
    the naive mean is left, and it is of no use.
    """

    policy: str
    budget: int
    shares: dict[str, float]
    found: float
    found_sd: float
    ratio_to_random: float
    share_of_oracle: float
    never_drawn: float
    estimators: dict[str, Quality]


def replay(
    pool: Pool,
    plans: Sequence[Plan],
    budgets: Sequence[int],
    reps: int,
    seed: int,
    *,
    now: datetime,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> list[Outcome]:
    """An outcome for each plan and budget, in their order; `reps` draws each."""
    outcomes: list[Outcome] = []
    total = len(plans) * len(budgets) * reps
    for budget in budgets:
        for plan in plans:
            rng = np.random.default_rng([seed, budget, zlib.crc32(plan.name.encode())])
            done = len(outcomes) * reps
            rows = []
            for rep in range(reps):
                rows.append(_once(pool, plan, min(budget, len(pool.failed)), rng, now))
                progress(done + rep + 1, total)
            outcomes.append(_outcome(pool, plan, budget, rows, now))
    return outcomes


class _Row:
    """One repetition: failures found, how many could never be drawn, and by estimator (rate, low, high)."""

    def __init__(self, found: float, never: int) -> None:
        self.found = found
        self.never = never
        self.rates: dict[str, tuple[float, float, float]] = {}


def _once(pool: Pool, plan: Plan, budget: int, rng: np.random.Generator, now: datetime) -> _Row:
    frame = pool.frames(rng)
    predicted = fused(frame, plan.settings)
    if plan.name == TOP:
        rows = np.lexsort((rng.random(len(frame)), -predicted))[:budget].astype(np.int64)
        return _naive(pool, rows, never=len(frame) - budget)
    rows, pi = _drawn(frame, plan, budget, rng, now)
    row = _naive(pool, rows, never=int(np.count_nonzero(pi <= 0)))
    if row.never:
        return row
    labelled = Labelled(pool.failed[rows], pi[rows], predicted[rows])
    for method in ("hajek", "aipw"):
        made = estimate(labelled, Candidates(pi, predicted), method="aipw" if method == "aipw" else "hajek", widest=1.0)
        if isinstance(made, Estimate):
            row.rates[method] = (made.rate, made.low, made.high)
    return row


def _drawn(frame: Frame, plan: Plan, budget: int, rng: np.random.Generator, now: datetime) -> tuple[Ints, Floats]:
    shares = plan.at(now)
    design = design_of(
        frame,
        dict(distributions(shares, frame, plan.settings, now)),
        {name: share for name, share in shares.items()},  # noqa: C416 - dict() keeps the narrow key
        budget,
    )
    return sample(design, rng).index, design.pi


def _naive(pool: Pool, rows: Ints, never: int) -> _Row:
    found = float(pool.failed[rows].sum())
    row = _Row(found, never)
    if len(rows):
        interval = wilson(found, len(rows), population=len(pool.failed))
        row.rates["naive"] = (found / len(rows), interval.low, interval.high)
    return row


def _outcome(pool: Pool, plan: Plan, budget: int, rows: Sequence[_Row], now: datetime) -> Outcome:
    size, truth = len(pool.failed), float(pool.failed.mean())
    drawn = min(budget, size)
    found = np.array([row.found for row in rows])
    # The variance of plain random's plain mean, exactly: Cochran, Sampling Techniques (1977), theorem 2.2.
    random = float(np.sqrt(truth * (1 - truth) / drawn * (size - drawn) / max(1, size - 1)))
    return Outcome(
        policy=plan.name,
        budget=budget,
        shares={name: share for name, share in plan.at(now).items()},  # noqa: C416 - as above
        found=float(found.mean()),
        found_sd=float(found.std(ddof=1)) if len(rows) > 1 else 0.0,
        ratio_to_random=float(found.mean()) / (drawn * truth),
        share_of_oracle=float(found.mean()) / min(drawn, truth * size),
        never_drawn=float(np.mean([row.never for row in rows])),
        estimators={
            name: _quality([row.rates[name] for row in rows if name in row.rates], len(rows), truth, random)
            for name in ESTIMATORS
            if any(name in row.rates for row in rows)
        },
    )


def _quality(made: Sequence[tuple[float, float, float]], reps: int, truth: float, random: float) -> Quality:
    rate, low, high = np.array(made).T
    error = rate - truth
    rmse = float(np.sqrt((error**2).mean()))
    return Quality(
        bias=100 * float(error.mean()),
        rmse=100 * rmse,
        rmse_to_random=rmse / random if random > 0 else 1.0,
        coverage=float(((low <= truth) & (truth <= high)).mean()),
        width=100 * float((high - low).mean()),
        without=1 - len(made) / reps,
    )
