"""`goldloop backtest`: what would another mix have found, and what would its numbers be worth?"""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldloop.cli.options import example
from goldloop.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from goldloop.backtest.pool import Thumbs
    from goldloop.backtest.replay import Outcome
    from goldloop.backtest.report import BacktestReport
    from goldloop.records import Record

_LEFT_OUT = "human-reference"
_WIDEST = 19
"""Characters of a mix's name on one line: beside the other columns 80 have room for no more."""


def backtest(  # noqa: PLR0913, PLR0917 - one argument for each option
    traces: Annotated[Path, typer.Option("--traces", help="Labelled traces: JSON lines with `failure`, plain or .gz.")],
    effort: Annotated[
        bool, typer.Option("--effort", help="How many labels a judge saves people instead; takes pairs with votes too.")
    ] = False,
    policies: Annotated[
        str, typer.Option(help="Mixes and policies, with commas; a mix of one's own as random=0.3+risk^3=0.7.")
    ] = "default,hunt,measure,random",
    budget: Annotated[list[str] | None, typer.Option(help="How many are drawn: --budget 80 200.")] = None,
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    reps: Annotated[int, typer.Option(min=1, help="Draws of each.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Start of all randomness.")] = 1,
    judge: Annotated[
        str, typer.Option(help="offline (cross-fitted on the file's own labels), none, or a column of the file.")
    ] = "offline",
    thumbs_rate: Annotated[
        float | None, typer.Option(min=0, max=1, help="Make up thumbs-down on this share of the traces.")
    ] = None,
    thumbs_precision: Annotated[float, typer.Option(min=0, max=1, help="The share of those that did fail.")] = 0.7,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Leave out rows of this model; human-reference without it.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of text; --json FILE writes it to a file.")
    ] = False,
) -> None:
    """Replay mixes on labelled traces: failures found, and bias, error and coverage of the failure rate."""
    from goldloop.backtest import plans
    from goldloop.backtest.pool import Thumbs
    from goldloop.backtest.report import backtest as replayed
    from goldloop.bootstrap import utc_now
    from goldloop.cli.output import bars, out, plain

    more, target = _split(words or [], as_json=as_json)
    left_out = [_LEFT_OUT] if leave_out is None else leave_out
    if effort:
        _effort(traces, judge, left_out, seed, target if as_json else None)
        return
    thumbs = None if thumbs_rate is None else Thumbs(rate=thumbs_rate, precision=thumbs_precision)
    with bars(quiet=as_json) as progress:
        made = replayed(
            traces,
            plans.plans(policies),
            _budgets([*(budget or []), *more]),
            reps,
            seed,
            judge=judge,
            thumbs=thumbs,
            leave_out=left_out,
            now=utc_now(),
            progress=progress("replay"),
        )
    if as_json:
        _write(made, target, f"{len(made.results)} results")
        return
    out.print(plain(_told(made, thumbs)), soft_wrap=True)
    for size in dict.fromkeys(result.budget for result in made.results):
        for shown in _tables(size, [result for result in made.results if result.budget == size]):
            out.print(shown)
    for policy in dict.fromkeys(result.policy for result in made.results if result.never_drawn):
        out.print(
            f"{plain(policy)} can never draw some of the traces: its plain mean is all there is, and says nothing."
        )
    out.print("x random: over what plain random finds, and over the RMSE of its plain mean.")


def _effort(traces: Path, judge: str, leave_out: list[str], seed: int, target: str | None) -> None:
    from goldloop.backtest.effort import replay_effort
    from goldloop.cli.effort import print_effort

    made = replay_effort(traces, judge=judge, leave_out=leave_out, seed=seed)
    if target is None:
        print_effort(made)
    else:
        _write(made, target, f"a curve of {len(made.curve)} points")


def _split(words: list[str], *, as_json: bool) -> tuple[list[str], str]:
    """Words after `--budget 80` and `--json`: further budgets, and where the JSON goes."""
    budgets = [word for word in words if word[0].isdecimal()]
    targets = [word for word in words if word not in budgets]
    if len(targets) > (1 if as_json else 0):
        raise ConfigError(f"{targets[-1]!r} belongs to no option: goldloop backtest --help shows them")
    return budgets, targets[0] if targets else "-"


def _budgets(words: list[str]) -> list[int]:
    """From 80 200, from 80,200, or from both."""
    found = [part for word in words for part in word.split(",") if part] or ["80", "200"]
    wrong = [part for part in found if not part.isdecimal() or int(part) < 1]
    if wrong:
        raise ConfigError(f"{wrong[0]!r} is no budget: give whole numbers from 1 on, such as --budget 80 200")
    return list(dict.fromkeys(int(part) for part in found))


def _write(made: "Record", target: str, what: str) -> None:
    from goldloop.cli.output import out, plain, print_json

    if target == "-":
        print_json(made.model_dump(mode="json"))
        return
    try:
        Path(target).write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror}): name a file in a folder of yours") from None
    out.print(f"{plain(target)}: {what}", soft_wrap=True)


def _told(made: "BacktestReport", thumbs: "Thumbs | None") -> str:
    """What the table rests on, in words."""
    parts = [f"{made.rows:,} traces, {100 * made.rate:.1f} % failed"]
    if made.left_out:
        parts.append(f"{made.left_out:,} left out by their model")
    parts.append(f"judge: {made.judge.name}, AUROC {made.judge.auroc:.3f}" if made.judge else "no judge")
    if thumbs is not None:
        parts.append(f"simulated: thumbs-down on {100 * thumbs.rate:g} %, {100 * thumbs.precision:g} % of them right")
    else:
        parts.append("signals: the file's own" if made.signals else "no signals")
    return "; ".join([*parts, f"{made.reps} draws each, seed {made.seed}"]) + "."


def _tables(budget: int, results: "list[Outcome]") -> "Iterator[Table]":
    """What was found, and what the numbers are worth."""
    from goldloop.cli.output import plain, table

    numbers = ("found", "sd", "x random", "of the oracle's")
    found = table("policy", *numbers, title=f"Budget {budget}: failures found", numbers=numbers)
    for result in results:
        ratio, share = f"{result.ratio_to_random:.2f}", f"{100 * result.share_of_oracle:.0f} %"
        found.add_row(plain(_in_lines(result.policy)), f"{result.found:.1f}", f"{result.found_sd:.1f}", ratio, share)
    yield found
    measures = ("bias", "RMSE", "x random", "coverage", "width")
    title = f"Budget {budget}: the failure rate, in points"
    rates = table("policy", "estimator", *measures, title=title, numbers=measures)
    for result in results:
        lines = [
            (
                name,
                f"{quality.bias:+.2f}",
                f"{quality.rmse:.2f}",
                f"{quality.rmse_to_random:.2f}",
                f"{100 * quality.coverage:.1f} %",
                f"{quality.width:.1f}",
            )
            for name, quality in result.estimators.items()
        ]
        rates.add_row(plain(_in_lines(result.policy)), *("\n".join(column) for column in zip(*lines, strict=True)))
    yield rates


def _in_lines(name: str) -> str:
    """A mix of one's own over several lines, broken before a policy where one line gets too long."""
    lines = [""]
    for part in re.split(r"(?<=\+)", name):
        if lines[-1] and len(lines[-1] + part) > _WIDEST:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def register(app: typer.Typer) -> None:
    """Make it a command."""
    app.command(
        "backtest",
        epilog=example("goldloop backtest --traces labelled.jsonl --policies default,random --budget 80 200"),
    )(backtest)
