"""`make demo`: the whole loop on this machine."""

import json
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from goldloop import settings
from goldloop.devstack.board import board
from goldloop.devstack.counts import Counts
from goldloop.devstack.demo import Demo, sample_or
from goldloop.devstack.flows import run_flow
from goldloop.devstack.interrupts import end_with_parent, orderly_end
from goldloop.devstack.places import demo_places, shown
from goldloop.devstack.stack import ALL_PARTS, ExternalServers, Stack
from goldloop.devstack.tracefile import read
from goldloop.errors import GoldloopError
from goldloop.records import Project

QUEUE = "answer-quality"

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
) -> None:
    """Start everything, run the loop once, show what happened, and stay up until Ctrl-C."""
    file = sample_or(traces)
    rows = read(file)
    external = ExternalServers.from_settings(settings.load())
    with board(err) as steps, Stack(demo_places(), steps.part, external=external) as stack:
        variables = Demo.variables(stack)
        stack.start(ALL_PARTS, ml_backend_variables=stack.environment() | variables)
        stack.start_worker(variables)
        stack.deploy()
        counts, project = Demo(stack, rows, steps.step, steps.say).run(QUEUE, partial(run_flow, stack))
        steps.end()
        _show(stack, counts, project, file)
        if not once:
            out.print("Everything stays up until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                signal.pause()
    out.print(json.dumps(counts.model_dump()), soft_wrap=True, highlight=False, markup=False)


def _show(stack: Stack, counts: Counts, project: Project, file: Path) -> None:
    table = Table(title=f"One round of the loop over {shown(file)}", title_justify="left", show_header=False)
    table.add_column(style="cyan")
    table.add_column(justify="right")
    table.add_column()
    told = {
        "pulled": "traces that Langfuse holds and goldloop knows",
        "drawn": "worth a human's minute, each with its inclusion probability",
        "prelabelled": "tasks that carry a judge's suggestion",
        "annotated": "judgements by scripted annotators, in the place of people",
        "skipped": "tasks that an annotator skipped",
        "scores": "read back from Langfuse: one an annotation, one an answer",
        "eval_rows": "confirmed failures, as dataset items and lines of the golden set",
        "parked": "kept aside with a reason: goldloop parked list",
        "seconds": "",
    }
    for name, what in told.items():
        value = getattr(counts, name)
        table.add_row(name.replace("_", " "), f"{value:,}", what)
    out.print(table)
    places = Table(title="Open", title_justify="left", show_header=True)
    for column in ("what", "where", "log in with"):
        places.add_column(column, overflow="fold")
    credentials = stack.credentials
    if stack.label_studio:
        places.add_row(
            "Label Studio",
            project.url,
            f"{credentials.label_studio_username} / {credentials.label_studio_password.get_secret_value()}",
        )
    else:
        places.add_row("Label Studio", project.url, "your own account")
    if stack.prefect:
        places.add_row("Prefect", stack.prefect.url, credentials.prefect_auth.get_secret_value())
    if stack.langfuse:
        places.add_row("Langfuse stand-in", stack.langfuse.url, "nothing: it is open on this machine")
    places.add_row("golden set", shown(stack.places.state / "evals" / f"{QUEUE}.jsonl"), "")
    places.add_row("logs", shown(stack.places.logs), "")
    out.print(places)


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
