"""Populations made up with a known truth: each trace fails by a lottery of its own, and a judge knows the lottery."""

from dataclasses import dataclass

import numpy as np

from goldloop.backtest.judging import Judged
from goldloop.backtest.pool import Pool, Thumbs
from goldloop.judge.measures import auroc
from goldloop.numeric import expit, logit
from goldloop.sampling.frame import Frame, Names

THUMBS = Thumbs(rate=0.05, precision=0.7)


@dataclass(frozen=True)
class Recipe:
    """`spread` is the standard deviation of the lotteries' log-odds: 2.3 gives an AUROC of some .89, 1 of .73.

    `sureness` multiplies the judge's log-odds: 1 is a calibrated judge, 2 one that is far too sure, 0 none at all.
    """

    name: str
    size: int = 1447
    rate: float = 0.2
    spread: float = 2.3
    sureness: float = 1.0
    thumbs: bool = True


RECIPES = (
    Recipe("1,447 traces, 20 % fail"),
    Recipe("1,447 traces, 5 % fail", rate=0.05),
    Recipe("1,447 traces, 35 % fail, weak judge", rate=0.35, spread=1.0),
    Recipe("400 traces, 20 % fail, strong judge", size=400, spread=3.0),
    Recipe("1,447 traces, 20 % fail, judge far too sure", sureness=2.0),
    Recipe("1,447 traces, 20 % fail, no judge, no signals", sureness=0.0, thumbs=False),
)


def made(recipe: Recipe, seed: int) -> Pool:
    """Users of four traces share half of what makes a trace fail; eight categories of very unequal size."""
    rng = np.random.default_rng(seed)
    users = np.arange(recipe.size) // 4
    odds = recipe.spread * (rng.normal(size=users[-1] + 1)[users] + rng.normal(size=recipe.size)) / np.sqrt(2)
    low, high = -15.0, 15.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(odds + middle).mean() < recipe.rate else (low, middle)
    p = expit(odds + low)
    failed = (rng.random(recipe.size) < p).astype(np.float64)
    centre = float(logit(np.array([recipe.rate]))[0])
    judged = np.clip(expit(centre + recipe.sureness * (logit(np.clip(p, 1e-9, 1 - 1e-9)) - centre)), 0.01, 0.99)
    frame = Frame.of(
        [f"{row:06d}" for row in range(recipe.size)],
        stratum=Names.of([f"category {int(8 * share**2)}" for share in rng.random(recipe.size)]),
        user=Names.of([f"user {user}" for user in users]),
        risk=judged if recipe.sureness else None,
    )
    judge = Judged("the lottery itself", judged, auroc(judged, failed)) if recipe.sureness else None
    return Pool(frame, failed, judge, THUMBS if recipe.thumbs else None)
