"""`goldloop codebook publish | worklist | relabel`: a new version goes into force, and what it leaves to do."""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example
from goldloop.errors import ConfigError

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop
    from goldloop.codebook.schema import Codebook
    from goldloop.pipeline.codebooks import PublishedCodebook
    from goldloop.pipeline.project_plans import ByHand

app = typer.Typer()
"""Commands of `goldloop codebook`, beside those of `cli.codebooks`."""
_DONE = {
    "none": "is as it should be",
    "create": "made",
    "update": "changed in place",
    "adopt": "kept as it was changed by hand",
    "overwrite": "replaced by the codebook's",
}


@app.command("publish", epilog=example("goldloop codebook publish answer-quality --dry-run"))
def publish(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[FILE|QUEUE]", help="A codebook file, or a queue's name.", show_default=False),
    ] = None,
    adopt: Annotated[bool, typer.Option("--adopt", help="Keep a label config that was changed by hand.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a label config that was changed by hand.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a codebook's version into force: its projects, its score configs, and what becomes of older labels."""
    from goldloop.cli.output import err, plain, print_json
    from goldloop.pipeline.project_plans import ChangedByHandError

    if adopt and overwrite:
        raise ConfigError("--adopt keeps what was changed by hand and --overwrite replaces it: give one of them")
    by_hand: ByHand = "adopt" if adopt else "overwrite" if overwrite else "refuse"
    with opened() as goldloop:
        codebook = _codebook(goldloop, what)
        warnings = _warnings(codebook)
        try:
            made = goldloop.publish_codebook(codebook, by_hand=by_hand, dry_run=dry_run)
        except ChangedByHandError as error:
            err.print(plain(error.difference), soft_wrap=True)
            raise
    if as_json:
        print_json({**made.model_dump(mode="json"), "warnings": warnings})
    else:
        _show(made, warnings)


@app.command("worklist", epilog=example("goldloop codebook worklist --queue answer-quality"))
def worklist(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show the traces whose labels a breaking version made void, or whose tasks stand in an older version's project."""
    from goldloop.cli.output import out, plain, print_json, table

    with opened() as goldloop:
        rows = goldloop.worklist(queue)
    if as_json:
        print_json({"worklist": [row.model_dump(mode="json") for row in rows]})
        return
    if not rows:
        out.print("Nothing is to be labelled again.")
        return
    shown = table("trace", "why", "questions", "version", "state", title="To be labelled again")
    for row in rows:
        shown.add_row(plain(row.trace_id), row.why, ", ".join(row.questions), row.codebook_version, row.state.value)
    out.print(shown)
    out.print(f"{len(rows):,} traces. Next: goldloop codebook relabel --limit N, then goldloop run")


@app.command("relabel", epilog=example("goldloop codebook relabel --queue answer-quality --limit 20"))
def relabel(
    queue: Queue = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="That many at most; all without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put traces of the worklist up again: the next enqueue makes them tasks of the version in force."""
    from goldloop.cli.output import out, print_json

    with opened() as goldloop:
        rows = goldloop.relabel(queue, limit)
        left = len(goldloop.worklist(queue))
    if as_json:
        print_json({"relabelled": [row.trace_id for row in rows], "left": left})
    else:
        out.print(f"{len(rows):,} put up again, {left:,} left on the worklist. Next: goldloop run")


def _codebook(goldloop: "Goldloop", what: str | None) -> "Codebook":
    from goldloop.codebook.load import load

    if what is not None and (what.endswith((".yaml", ".yml")) or Path(what).is_file()):
        return load(Path(what))
    return goldloop.codebook(what)


def _warnings(codebook: "Codebook") -> list[str]:
    """What makes its labels inconsistent keeps nobody from publishing it, and should be known by then."""
    from goldloop.codebook.check import check

    return [finding.sentence for finding in check(codebook)]


def _show(made: "PublishedCodebook", warnings: list[str]) -> None:
    from goldloop.cli.output import out, plain

    for warning in warnings:
        out.print(f"[yellow]check[/yellow] {plain(warning)}", soft_wrap=True)
    ref = f"{made.queue} {made.version}"
    for step in made.projects:
        where = step.url or step.title
        done = _DONE[step.action] if not made.dry_run else {"none": _DONE["none"]}.get(step.action, step.action)
        out.print(f"project ({step.purpose}) {done}: {plain(where)}", soft_wrap=True)
    if made.nothing_to_do:
        out.print(f"{ref} is published: nothing to do.")
        return
    after = "" if made.before is None else f", after {made.before}"
    names = f" for {', '.join(made.breaking)}" if made.breaking else ""
    out.print(f"{ref} {'would be' if made.dry_run else 'is'} published: {made.level}{names}{after}", soft_wrap=True)
    if made.quarantined:
        out.print(f"{made.quarantined:,} answers quarantined. Next: goldloop codebook worklist")
    elif made.breaking and not made.dry_run:
        out.print("Next: goldloop run")
