"""What each mix finds and what its numbers are worth: `make bench-sampler`, and with TRACES=FILE on labelled traces.

Writes `benchmarks/results/sampler.json` (or `sampler-traces.json`) and the table of the same in docs/sampling.md. With
the figures stands plain random drawing and its plain mean, in the same run.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.populations import RECIPES, THUMBS, made
from goldloop.backtest.plans import plans
from goldloop.backtest.pool import pool
from goldloop.backtest.replay import Outcome, replay
from goldloop.backtest.report import BacktestReport, summed_up
from goldloop.backtest.traces import HUMAN_REFERENCE, read
from goldloop.devstack.sample import sample_path
from goldloop.records import Record

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "sampling.md"
RESULTS = ROOT / "benchmarks" / "results"
BUDGETS = (80, 200)
PLANS = "random,balanced,hunt,measure"
MORE = f"{PLANS},random=0.3+risk=0.7,random=0.15+risk^3=0.85,random=0.2+uncertainty=0.8,top"
SEED = 1


class Results(Record):
    """One run: when, how long it took, and a report for each population."""

    made_at: datetime
    seconds: float
    reports: tuple[BacktestReport, ...]


def on_traces(path: Path, reps: int) -> Iterator[BacktestReport]:
    """Labelled traces with the judge fitted to them by group, and thumbs made up."""
    file = read(path, leave_out=[HUMAN_REFERENCE])
    labelled = pool(file, thumbs=THUMBS)
    outcomes = replay(labelled, plans(MORE), BUDGETS, reps, SEED, now=datetime.now(UTC))
    yield summed_up(labelled, path.name, file.left_out, outcomes, reps, SEED)


def by_default(reps: int) -> Iterator[BacktestReport]:
    """The sample that ships, with its own signals; then populations whose truth is known."""
    file = read(sample_path())
    sample = pool(file)
    outcomes = replay(sample, plans(PLANS), BUDGETS, reps, SEED, now=datetime.now(UTC))
    yield summed_up(sample, sample_path().name, 0, outcomes, reps, SEED)
    for recipe in RECIPES:
        population = made(recipe, SEED)
        asked = MORE if recipe is RECIPES[0] else PLANS
        outcomes = replay(population, plans(asked), BUDGETS, reps, SEED, now=datetime.now(UTC))
        yield summed_up(population, recipe.name, 0, outcomes, reps, SEED)


def table(reports: Sequence[BacktestReport]) -> str:
    """Markdown: a table for each population, AIPW where there is an estimate and the plain mean elsewhere."""
    parts = []
    for report in reports:
        judge = f"judge of AUROC {report.judge.auroc:.3f}" if report.judge else "no judge"
        heard = "its own signals" if report.signals else "simulated thumbs-down" if report.simulated else "no signals"
        parts.append(
            f"**{report.traces}**: {report.rows:,} traces, {100 * report.rate:.1f} % failed; {judge}, {heard};"
            f" {report.reps:,} draws each.\n\n"
            "| N | mix | found | x random | of oracle | estimator | bias | RMSE | x random | coverage | width |\n"
            "|---|---|---|---|---|---|---|---|---|---|---|\n" + "".join(_line(result) for result in report.results)
        )
    return "\n".join(parts)


def _line(result: Outcome) -> str:
    name = "naive" if result.policy == "random" or "aipw" not in result.estimators else "aipw"
    quality = result.estimators[name]
    return (
        f"| {result.budget} | `{result.policy}` | {result.found:.1f} | {result.ratio_to_random:.2f} |"
        f" {100 * result.share_of_oracle:.0f} % | {name} | {quality.bias:+.2f} | {quality.rmse:.2f} |"
        f" {quality.rmse_to_random:.2f} | {100 * quality.coverage:.1f} % | {quality.width:.1f} |\n"
    )


def write(name: str, results: Results) -> None:
    """The results file, and the table between the page's markers of that name."""
    (RESULTS / f"{name}.json").write_text(results.model_dump_json(indent=1) + "\n", encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    page = PAGE.read_text(encoding="utf-8")
    before, found, rest = page.partition(begin)
    if not found:
        sys.exit(f"{PAGE} has no place for the table: put {begin.strip()} and {end} there")
    PAGE.write_text(f"{before}{begin}\n{table(results.reports)}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampler", description=__doc__)
    parser.add_argument("--traces", type=Path, help="labelled traces; without it the sample and made-up populations")
    parser.add_argument("--reps", type=int, default=1000)
    asked = parser.parse_args()
    began = time.monotonic()
    reports = tuple(on_traces(asked.traces, asked.reps) if asked.traces else by_default(asked.reps))
    seconds = round(time.monotonic() - began, 1)
    results = Results(made_at=datetime.now(UTC), seconds=seconds, reports=reports)
    write("sampler-traces" if asked.traces else "sampler", results)
    sys.stdout.write(f"{table(reports)}\n{seconds} s\n")


if __name__ == "__main__":
    main()
