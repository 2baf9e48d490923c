"""`goldloop rebuild`: a store that was lost, or one of before, from what the servers hold."""

# ruff: noqa: PLC0415 - each command imports what it needs: SQLAlchemy and httpx take a time that --help has not

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example

if TYPE_CHECKING:
    from goldloop.bootstrap.rebuilding import RebuildSummary

_COUNTS: Final = {
    "projects": "projects in Label Studio",
    "draw_runs": "draws",
    "draws": "drawn traces",
    "tasks": "tasks",
    "candidates": "traces read one by one",
    "annotations": "annotations and skips",
    "resolved": "traces decided",
    "scores_confirmed": "scores that stand as they should",
    "scores_due": "scores to send",
    "scores_withdrawn": "scores to take down",
    "eval_rows_withdrawn": "eval rows to take out",
}


def register(app: typer.Typer) -> None:
    """Make it a command."""
    app.command("rebuild", epilog=example("goldloop rebuild --dry-run"))(_rebuild)


def _rebuild(
    queue: Queue = None,
    codebook: Annotated[
        list[Path] | None,
        typer.Option("--codebook", metavar="FILE", help="A file of an older version; can be repeated."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read Label Studio, and say what would come back.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the store from Label Studio and Langfuse with what it lacks."""
    from goldloop.bootstrap.rebuilding import run_rebuild
    from goldloop.cli.output import bars, print_json

    with opened() as goldloop, bars(quiet=as_json) as progress:
        made = run_rebuild(goldloop, queue, codebook or [], progress, dry_run=dry_run)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        _show(made)


def _show(made: "RebuildSummary") -> None:
    from goldloop.cli.output import out, plain, table

    done = "would come back" if made.dry_run else "came back"
    shown = table("what", done, title=f"{plain(made.queue)}: {done}", numbers=(done,))
    if made.codebook_versions:
        shown.add_row("codebook versions", ", ".join(map(plain, made.codebook_versions)))
    counts = {name: getattr(made, name) for name in _COUNTS}
    for name, count in counts.items():
        if count:
            shown.add_row(_COUNTS[name], f"{count:,}")
    if shown.row_count:
        out.print(shown)
    else:
        out.print(f"The store of {plain(made.queue)} lacks nothing that the servers hold.")
    if made.left_alone:
        left = table("left alone", "tasks", "why", numbers=("tasks",))
        for one in made.left_alone:
            left.add_row(plain(one.what), f"{one.tasks:,}", plain(one.why))
        out.print(left)
    out.print("Neither server holds:")
    for what in made.not_held:
        out.print(f"- {what}", soft_wrap=True)
    out.print("Next: goldloop rebuild" if made.dry_run else "Next: goldloop run")
