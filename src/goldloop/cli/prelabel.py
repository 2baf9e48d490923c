"""`goldloop prelabel`: the judge's answers, what they cost, and what they would cost."""

# ruff: noqa: PLC0415 - the command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example

if TYPE_CHECKING:
    from goldloop.bootstrap.prelabels import Prelabelling
    from goldloop.pipeline.prelabel_estimate import PrelabelEstimate

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]
_AS = "as 2026-03-02 or 2026-03-02T12:00:00 (UTC)."


class TaskRunner(StrEnum):
    here = "here"
    dask = "dask"
    ray = "ray"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("prelabel", epilog=example("goldloop prelabel --dry-run"))(_prelabel)


def _prelabel(  # noqa: PLR0913, PLR0917 - the options of the command
    queue: Queue = None,
    history: Annotated[
        bool, typer.Option("--history", help="Judge candidates, drawn or not, instead of what was drawn.")
    ] = False,
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=_FORMATS, metavar="TIME", help=f"Only traces from then on, {_AS}"),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option("--until", formats=_FORMATS, metavar="TIME", help=f"Only traces before then, {_AS}"),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option("--category", metavar="NAME", help="Only traces of this category; can be repeated."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="So many traces at most.")] = None,
    task_runner: Annotated[
        TaskRunner, typer.Option("--task-runner", help="Where pages are judged: here, or spread by Dask or Ray.")
    ] = TaskRunner.here,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Pages judged side by side by Dask or Ray.")
    ] = None,
    page_size: Annotated[
        int | None, typer.Option("--page-size", min=1, help="Traces on a page; 50 without it.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge nothing: estimate calls, money and time.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have the judge answer for what was drawn, before anyone sees it; or for history."""
    from goldloop.bootstrap.prelabels import Prelabelling
    from goldloop.pipeline.prelabel import PAGE
    from goldloop.ports import Selection

    asked = Prelabelling(
        selection=Selection(
            history=history,
            since=_utc(since),
            until=_utc(until),
            categories=tuple(category or ()),
            limit=limit,
        ),
        task_runner=task_runner.value,
        workers=workers,
        page_size=page_size or PAGE,
    )
    (_estimate if dry_run else _judge)(asked, queue, as_json)


def _judge(asked: "Prelabelling", queue: str | None, as_json: bool) -> None:
    from goldloop.bootstrap import Run
    from goldloop.cli.output import bars, print_json, print_next, print_summary

    with opened() as goldloop, bars(quiet=as_json) as progress:
        ((verb, summary),) = goldloop.run(["prelabel"], queue, Run(progress=progress, prelabelling=asked))
        if not as_json:
            print_summary(verb, summary)
    if as_json:
        print_json(summary.model_dump(mode="json"))
    elif not asked.selection.history:
        print_next(verb, summary)


def _estimate(asked: "Prelabelling", queue: str | None, as_json: bool) -> None:
    from goldloop.cli.output import print_json

    with opened() as goldloop:
        found = goldloop.estimate(queue, asked)
    if as_json:
        print_json(found.model_dump(mode="json") | {"within_budget": found.within_budget})
    else:
        _show(found)


def _show(found: "PrelabelEstimate") -> None:
    from goldloop.cli.output import money, out, plain, table

    if not found.traces:
        out.print("There is nothing to judge.")
        return
    shown = table("estimate", "", numbers=("",))
    shown.add_row("judge", plain(found.judge).replace("+", "\n"))
    shown.add_row("traces", f"{found.traces:,}")
    shown.add_row("pages", f"{found.pages:,}")
    asks = bool(found.calls or found.cached)
    if asks:
        shown.add_row("calls to models", f"{found.calls:,}")
        shown.add_row("answered before", f"{found.cached:,}")
        shown.add_row("tokens in, out", f"{found.input_tokens:,}, {found.output_tokens:,}")
        shown.add_row("cost", "no price is known" if found.usd is None else money(found.usd))
    if found.calls_left is not None:
        shown.add_row("calls that the budget leaves", f"{found.calls_left:,}")
    if found.usd_left is not None:
        shown.add_row("USD that the budget leaves", money(found.usd_left))
    if asks and found.seconds is not None:
        shown.add_row("time, by past calls", _duration(found.seconds))
    out.print(shown)
    out.print(f"{_why(found)} Nothing was judged.")
    if not found.within_budget:
        out.print("[yellow]The budget is smaller:[/yellow] what it leaves out waits for another run.")


def _why(found: "PrelabelEstimate") -> str:
    if found.calls or found.cached:
        return f"By the payload of {found.sampled:,} of them."
    if found.unread:
        return "What it costs is not known: no payload of the sample could be read."
    return "No model is asked: it costs nothing."


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if not minutes:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 - hours read better then


def _utc(time: datetime | None) -> datetime | None:
    return time and (time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC))
