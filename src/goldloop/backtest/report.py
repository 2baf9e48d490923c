"""A backtest from its file to its table: the one place where it reads."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from goldloop.backtest.plans import Plan
from goldloop.backtest.pool import NO_JUDGE, OFFLINE, Pool, Thumbs, pool
from goldloop.backtest.replay import Outcome, replay
from goldloop.backtest.traces import read
from goldloop.records import Record


class JudgeNote(Record):
    """Which judge, and how well it tells failures from successes (area under the ROC curve)."""

    name: str
    auroc: float


class BacktestReport(Record):
    """What was replayed on what, and what came out. `simulated` names what was made up, None where nothing was."""

    traces: str
    rows: int
    left_out: int
    failures: int
    rate: float
    judge: JudgeNote | None
    signals: bool
    simulated: Thumbs | None
    reps: int
    seed: int
    results: tuple[Outcome, ...]


def backtest(  # noqa: PLR0913 - one for each thing that a person can set
    path: Path,
    plans: Sequence[Plan],
    budgets: Sequence[int],
    reps: int,
    seed: int,
    *,
    judge: str = OFFLINE,
    thumbs: Thumbs | None = None,
    leave_out: Sequence[str] = (),
    now: datetime,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> BacktestReport:
    """Read the file and replay the plans on it; `InputError` names what is wrong in the file."""
    file = read(path, None if judge in (OFFLINE, NO_JUDGE) else judge, leave_out)
    made = pool(file, judge, thumbs)
    results = replay(made, plans, budgets, reps, seed, now=now, progress=progress)
    return summed_up(made, file.name, file.left_out, results, reps, seed)


def summed_up(pool: Pool, name: str, left_out: int, results: Sequence[Outcome], reps: int, seed: int) -> BacktestReport:
    """The results with what they rest on."""
    return BacktestReport(
        traces=name,
        rows=len(pool.failed),
        left_out=left_out,
        failures=int(pool.failed.sum()),
        rate=float(pool.failed.mean()),
        judge=None if pool.judged is None else JudgeNote(name=pool.judged.name, auroc=pool.judged.auroc),
        signals=pool.signals,
        simulated=pool.thumbs,
        reps=reps,
        seed=seed,
        results=tuple(results),
    )
