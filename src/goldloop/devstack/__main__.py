"""`make demo`: the whole loop on this machine."""

import json
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from goldloop import settings
from goldloop.devstack import annotators
from goldloop.devstack.board import board
from goldloop.devstack.counts import Counts
from goldloop.devstack.demo import QUEUE, Demo, sample_or
from goldloop.devstack.flows import run_flow
from goldloop.devstack.interrupts import end_with_parent, orderly_end
from goldloop.devstack.places import Places, demo_places, shown
from goldloop.devstack.stack import ALL_PARTS, ExternalServers, Stack
from goldloop.devstack.tracefile import FileTrace, read
from goldloop.errors import GoldloopError
from goldloop.records import Project

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
out = Console()
err = Console(stderr=True)


@app.callback()
def _root() -> None:
    """The local stack: real servers, a stand-in for Langfuse, and scripted annotators."""


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after one round.")] = False,
    traces: Annotated[Path | None, typer.Option("--traces", help="JSON lines: docs/trace-files.md.")] = None,
    state: Annotated[Path | None, typer.Option("--state", help="Where its data lies; .goldloop without it.")] = None,
) -> None:
    """Start everything, run the loop once, show what happened, and stay up until Ctrl-C."""
    file = sample_or(traces)
    rows = read(file)
    places = Places(state=state.resolve()) if state else demo_places()
    external = ExternalServers.from_settings(settings.load())
    with board(err) as steps, Stack(places, steps.part, external=external) as stack:
        variables = Demo.variables(stack)
        stack.start(ALL_PARTS, ml_backend_variables=stack.environment() | variables)
        stack.start_worker(variables)
        stack.deploy(schedules=False)  # for now: one that fires would have ours cancelled
        stack.automate()
        counts, project = Demo(stack, rows, steps.step, steps.say).run(QUEUE, partial(run_flow, stack))
        steps.end()
        _show(stack, counts, project, rows, file)
        if not once:
            stack.deploy(schedules=True)
            out.print("Everything stays up until Ctrl-C; Prefect runs the loop every 15 minutes.")
            with suppress(KeyboardInterrupt):
                signal.pause()
    out.print(json.dumps(counts.model_dump()), soft_wrap=True, highlight=False, markup=False)


def _show(stack: Stack, counts: Counts, project: Project, rows: Sequence[FileTrace], file: Path) -> None:
    table = Table(title=f"One round of the loop over {shown(file)}", title_justify="left", show_header=False)
    table.add_column(style="cyan")
    table.add_column(justify="right")
    table.add_column()
    told = {
        "pulled": "traces known from Langfuse",
        "drawn": "of them worth a human's minute",
        "prelabelled": "tasks with a judge's suggestion",
        "annotated": "annotations, by scripted annotators",
        "skipped": "skips, by scripted annotators",
        "scores": "scores read back from Langfuse",
        "eval_rows": "confirmed failures in the golden set",
        "parked": "kept aside with a reason",
        "seconds": "from the first trace to the last score",
    }
    for name, what in told.items():
        value = getattr(counts, name)
        table.add_row(name.replace("_", " "), f"{value:,}", what)
    out.print(table)
    credentials = stack.credentials
    admin = f"{credentials.label_studio_username} / {credentials.label_studio_password.get_secret_value()}"
    annotator = f"{annotators.email('NAME')} / {credentials.annotator_password.get_secret_value()}"
    out.print("[bold]Open[/bold]")
    _line("Label Studio", project.url)
    if stack.label_studio:
        _line("", f"log in as {admin}")
    if names := annotators.raters(rows):
        _line("", f"or as {annotator}   (NAME: {', '.join(names)})")
    if stack.prefect:
        _line("Prefect", stack.prefect.url)
        _line("", f"log in with {credentials.prefect_auth.get_secret_value()}")
    if stack.langfuse:
        _line("Langfuse's stand-in", f"{stack.langfuse.url}   (open on this machine only)")
    _line("Golden set", shown(stack.places.state / "evals" / f"{QUEUE}.jsonl"))
    _line("Logs", shown(stack.places.logs))


def _line(what: str, where: str) -> None:
    """Never wrapped: an address that breaks in two cannot be clicked."""
    out.print(f"  [cyan]{what:<20}[/cyan] {where}", soft_wrap=True, highlight=False)


def main() -> None:
    """An error of ours is one sentence and an exit code; no process of the stack is left behind in any case."""
    end_with_parent()
    with orderly_end():
        try:
            app()
        except GoldloopError as error:
            err.print(f"[red]{error}[/red]", highlight=False, soft_wrap=True)
            sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
