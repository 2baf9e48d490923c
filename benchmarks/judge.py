"""What judges are worth and what they cost: `make bench-judge`, with TRACES=FILE and PAIRS=FILE on labelled ones.

Prints a table for each part, and writes it into `benchmarks/results/judge-<part>.json` and into docs/judges.md. With
the figures stands what could not be beaten, in the same run. `--fast` is a look: few rounds, and nothing is written.
"""

# ruff: noqa: PLC0415 - a part imports what it needs: a client of models, a web framework, scikit-learn

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.judge_table import Row, markdown
from goldloop.backtest import pairs
from goldloop.backtest.effort import EffortReport, replay_effort
from goldloop.backtest.traces import HUMAN_REFERENCE
from goldloop.devstack.sample import sample_path
from goldloop.errors import GoldloopError
from goldloop.records import Record

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "judges.md"
RESULTS = ROOT / "benchmarks" / "results"
KNOWN_KAPPA = 0.43
SEED = 1


class Part(Record):
    """One table: when it was made, of what, how long it took, its rows, and the curves that it is a summary of."""

    name: str
    made_at: datetime
    of: str
    seconds: float
    rows: list[Row]
    curves: list[EffortReport]


def effort(path: Path, judges: Sequence[str]) -> Iterator[EffortReport]:
    for judge in judges:
        made = replay_effort(path, judge=judge, leave_out=[HUMAN_REFERENCE], seed=SEED)
        yield made.model_copy(update={"traces": path.name, "judge": made.judge.partition(",")[0]})


def effort_table(curves: Sequence[EffortReport]) -> str:
    """Markdown: what each accuracy takes with each judge, then the first judge's curve."""
    lines = [
        "| judge | alone | for | labels by people | interval | at random | at best | it stops at | with |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for curve in curves:
        for target in curve.targets:
            shares = (target.share, (target.low, target.high), target.random, target.best, target.stopped)
            told = [
                f"{100 * one[0]:.0f}-{100 * one[1]:.0f} %" if isinstance(one, tuple) else _share(one) for one in shares
            ]
            ends = (f"{100 * target.accuracy:g} %", *told, _share(target.accuracy_there))
            lines.append(f"| {' | '.join((curve.judge, _share(curve.accuracy), *ends))} |")
    first = curves[0]
    lines += ["", "| labels by people | accuracy of all labels | the judge expects |", "|---|---|---|"]
    lines += [f"| {100 * at.share:.0f} % | {_share(at.accuracy)} | {_share(at.expected)} |" for at in first.curve]
    return "\n".join(lines) + "\n"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"


def pair_rows(path: Path) -> list[Row]:
    """Each judge with each vote and with most votes, and people among themselves, three-way."""
    read = pairs.read(path)
    rows = []
    for judge in sorted({name for pair in read for name, verdict in pair.judges.items() if verdict and pair.votes}):
        made = pairs.agreement(read, judge, SEED)
        interval = f"interval {made.low:.2f} to {made.high:.2f}; {100 * made.same:.1f} % the same"
        known = f"; known for the whole set: {KNOWN_KAPPA}" if "mtbench" in path.name else ""
        rows += [
            Row(what=f"{judge} with {made.votes:,} votes, kappa", reached=made.kappa, note=interval + known),
            Row(what="the same with each pair both ways round, kappa", reached=made.kappa_even),
            Row(what=f"{judge} with most votes on {made.pairs:,} pairs, kappa", reached=made.kappa_most),
        ]
    among = pairs.among_people(read)
    if among is not None:
        rows.append(Row(what="people with people, vote with vote, kappa", reached=among))
    return rows


Made = tuple[str, str, list[Row], list[EffortReport]]
"""The name of a part, of what it is, its rows and its curves."""


def _llm(asked: argparse.Namespace) -> Iterator[Made]:
    from benchmarks import judge_llm

    yield "llm", "a server that answers in 50 ms", judge_llm.measure(3 if asked.fast else 15), []


def _backend(asked: argparse.Namespace) -> Iterator[Made]:
    from benchmarks import judge_backend

    yield "backend", "traces of the sample", judge_backend.measure(5 if asked.fast else 15), []


def _learned(asked: argparse.Namespace) -> Iterator[Made]:
    from benchmarks import judge_learned

    path, kind = _traces(asked)
    rows = judge_learned.measure(path, 5 if asked.fast else 40, goals=kind == "traces")
    yield f"learned-{kind}", path.name, rows, []


def _effort(asked: argparse.Namespace) -> Iterator[Made]:
    path, kind = _traces(asked)
    curves = [*effort(path, ["offline", *asked.judge])]
    yield f"effort-{kind}", path.name, [], curves


def _pairs(asked: argparse.Namespace) -> Iterator[Made]:
    for path in asked.pairs:
        yield path.name.partition(".")[0].replace("_", "-"), path.name, pair_rows(path), []


def _traces(asked: argparse.Namespace) -> tuple[Path, str]:
    return (asked.traces, "traces") if asked.traces else (sample_path(), "sample")


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Made]]] = {
    "llm": _llm,
    "backend": _backend,
    "learned": _learned,
    "effort": _effort,
    "pairs": _pairs,
}


def write(part: Part) -> None:
    """The results file, and the table between the page's markers of that name, where it has such."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"judge-{part.name}.json").write_text(part.model_dump_json(indent=1) + "\n", encoding="utf-8")
    begin, end = f"<!-- {part.name}: begin -->\n", f"<!-- {part.name}: end -->"
    before, found, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    if found:
        PAGE.write_text(f"{before}{begin}\n{_told(part)}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def _told(part: Part) -> str:
    return f"**{part.of}**\n\n{effort_table(part.curves) if part.curves else markdown(part.rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.judge", description=__doc__)
    parser.add_argument("--traces", type=Path, help="labelled traces; without it the sample that ships")
    parser.add_argument("--pairs", type=Path, nargs="*", default=[], help="files of pairs with votes and verdicts")
    parser.add_argument("--judge", nargs="*", default=[], help="columns of the traces to draw effort curves of as well")
    parser.add_argument("--only", nargs="*", choices=PARTS, help="these parts; all of them without it")
    parser.add_argument("--fast", action="store_true", help="few rounds, and nothing is written")
    asked = parser.parse_args()
    missed = 0
    try:
        for make in (PARTS[name] for name in asked.only or PARTS):
            began = time.monotonic()
            for name, of, rows, curves in make(asked):
                seconds = round(time.monotonic() - began, 1)
                part = Part(name=name, made_at=datetime.now(UTC), of=of, seconds=seconds, rows=rows, curves=curves)
                sys.stdout.write(f"{_told(part)}\n")
                sys.stdout.flush()
                missed += sum(row.met is False for row in rows)
                if not asked.fast:
                    write(part)
    except GoldloopError as error:
        sys.exit(f"{error}")
    sys.stdout.write("Every goal was reached.\n" if not missed else f"{missed} goals were missed.\n")


if __name__ == "__main__":
    main()
