"""`goldloop reconcile`: Label Studio, the store and Langfuse held against each other."""

# ruff: noqa: PLC0415 - each command imports what it needs: SQLAlchemy and httpx take a second that --help has not

from typing import TYPE_CHECKING, Annotated

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example

if TYPE_CHECKING:
    from goldloop.pipeline.reconcile import ReconcileSummary


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reconcile", epilog=example("goldloop reconcile --dry-run"))(_reconcile)


def _reconcile(
    queue: Queue = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing anywhere: show what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare Label Studio, the store and Langfuse, both ways, and mend what differs."""
    from goldloop.bootstrap import Run
    from goldloop.bootstrap.reconciling import rehearse_reconcile
    from goldloop.cli.output import bars, print_json

    with opened() as goldloop, bars(quiet=as_json) as progress:
        run = Run(progress=progress)
        made = rehearse_reconcile(goldloop, queue, run) if dry_run else goldloop.reconcile(queue, run)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _print(made)
    if made.left:
        raise typer.Exit(1)


def _print(made: "ReconcileSummary") -> None:
    from goldloop.cli.output import out, plain, print_next, print_summary, table

    compared = f"{made.tasks:,} tasks, {made.scores:,} scores and {made.eval_rows:,} eval rows were compared"
    if not made.differences:
        out.print(f"Nothing differs: {compared}.", soft_wrap=True)
    else:
        remedy = "to be done" if made.dry_run else "done"
        shown = table("where", "what", "how many", remedy, title="What differs", numbers=("how many",))
        for one in made.differences:
            done = f"[yellow]{plain(one.remedy)}[/yellow]" if one.open else plain(one.remedy)
            shown.add_row(plain(one.where), plain(one.what), f"{one.number:,}", done)
        out.print(shown)
        out.print(f"{compared[0].upper()}{compared[1:]}.", soft_wrap=True)
    if made.published is not None:
        print_summary("publish", made.published)
    print_next("reconcile", made)
    if any(one.open for one in made.differences):
        out.print("Next: goldloop rebuild --dry-run, for what the store does not know")
    elif made.dry_run and made.differences:
        out.print("Next: goldloop reconcile")
