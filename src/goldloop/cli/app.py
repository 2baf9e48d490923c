"""The commands. Each can be repeated at any time: it does what is still to do.

Exit codes: 0 done, 1 something failed for good (or `doctor` found a fault), 2 a setting, a file or the call is wrong,
3 a server cannot do it now, try again later, 4 a server refuses until a person acts, 5 another run holds the queue.
"""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from goldloop import __version__
from goldloop.cli import backtest as _backtest
from goldloop.cli import backup as _backup
from goldloop.cli import codebook_publish as _codebook_publish
from goldloop.cli import prelabel as _prelabel
from goldloop.cli import rebuild as _rebuild
from goldloop.cli import reconcile as _reconcile
from goldloop.cli import yields as _yields
from goldloop.cli.backend import backend_app
from goldloop.cli.codebooks import codebook_app
from goldloop.cli.draws import rehearse, slice_app
from goldloop.cli.judges import judge_app
from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, Seed, example
from goldloop.cli.webhook import webhook_app
from goldloop.errors import ConfigError, GoldloopError

app = typer.Typer(
    name="goldloop",
    help="Closes the loop between production LLM traces and the people who judge them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
parked_app = typer.Typer(no_args_is_help=True, help="What was kept aside, and trying it again.")
codebook_app.add_typer(_codebook_publish.app)
app.add_typer(codebook_app, name="codebook")
app.add_typer(judge_app, name="judge")
app.add_typer(parked_app, name="parked")
app.add_typer(slice_app, name="slice")
app.add_typer(backend_app, name="backend")
app.add_typer(webhook_app, name="webhook")
_backtest.register(app)
_yields.register(app)
_backup.register(app)
_rebuild.register(app)
_reconcile.register(app)


def _run(verbs: Sequence[str] | None, queue: str | None, as_json: bool, seed: int | None = None) -> None:
    """Run these verbs (None: all), print each summary as its verb ends, and what comes next."""
    from goldloop.bootstrap import VERBS, Run
    from goldloop.cli.output import bars, print_json, print_next, print_summary

    made = {}
    with opened() as goldloop, bars(quiet=as_json) as progress:
        run = Run(progress=progress) if seed is None else Run(progress=progress, seed=seed)
        for verb, summary in goldloop.run(verbs or VERBS, queue, run):
            made[verb] = summary
            if not as_json:
                print_summary(verb, summary)
    dumped = {verb: summary.model_dump(mode="json") for verb, summary in made.items()}
    if as_json:
        print_json(dumped[verbs[0]] if verbs else dumped)
    elif verbs:
        print_next(verbs[0], made[verbs[0]])


@app.command(epilog=example("goldloop pull"))
def pull(queue: Queue = None, as_json: AsJson = False) -> None:
    """Read new traces and user signals from Langfuse, without their payload."""
    _run(["pull"], queue, as_json)


@app.command(epilog=example("goldloop draw --queue answer-quality --dry-run"))
def draw(
    queue: Queue = None,
    seed: Seed = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Draw nothing: explain what a draw would do.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw what is left of the day's budget, each trace with its inclusion probability."""
    if dry_run:
        rehearse(queue, seed, as_json)
    else:
        _run(["draw"], queue, as_json, seed)


_prelabel.register(app)


@app.command(epilog=example("goldloop enqueue"))
def enqueue(queue: Queue = None, as_json: AsJson = False) -> None:
    """Make a Label Studio task of each drawn trace, with its prelabel."""
    _run(["enqueue"], queue, as_json)


@app.command(epilog=example("goldloop gather"))
def gather(queue: Queue = None, as_json: AsJson = False) -> None:
    """Bring back annotations, edits, skips and deletions from Label Studio."""
    _run(["gather"], queue, as_json)


@app.command(epilog=example("goldloop resolve"))
def resolve(queue: Queue = None, as_json: AsJson = False) -> None:
    """Turn each trace's annotations into one answer a question."""
    _run(["resolve"], queue, as_json)


@app.command(epilog=example("goldloop publish"))
def publish(queue: Queue = None, as_json: AsJson = False) -> None:
    """Send scores, dataset items and eval rows, and read them back."""
    _run(["publish"], queue, as_json)


@app.command("report", epilog=example("goldloop report --json"))
def report_command(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show what stands where: states, policies, the age of the queue, what is parked."""
    _run(["report"], queue, as_json)


@app.command(epilog=example("goldloop run --queue answer-quality"))
def run(queue: Queue = None, seed: Seed = None, as_json: AsJson = False) -> None:
    """Run all verbs in their order: pull draw prelabel enqueue gather resolve publish report."""
    _run(None, queue, as_json, seed)


@app.command(epilog=example("goldloop status --json"))
def status(as_json: AsJson = False) -> None:
    """Show the report of every queue, from the store alone: no server is asked."""
    from goldloop.cli.output import out, print_json, print_report

    made = {}
    with opened() as goldloop:
        for name in goldloop.codebooks:
            # One that was never drawn from has nothing to show, unless it is what the commands here are about.
            if goldloop.store.projects(name) or name == goldloop.settings.queue or len(goldloop.codebooks) == 1:
                made[name] = goldloop.peek(name)
    if as_json:
        print_json({name: report.model_dump(mode="json") for name, report in made.items()})
        return
    for report in made.values():
        print_report(report)
    if not made:
        out.print(f"Nothing was drawn yet from {', '.join(goldloop.codebooks)}. Next: goldloop run --queue NAME")


@app.command(epilog=example("goldloop doctor"))
def doctor(as_json: AsJson = False) -> None:
    """Reach each server, check versions and rights, and say what to do."""
    from goldloop.cli import doctor as checks
    from goldloop.cli.output import print_json

    with opened() as goldloop:
        found = checks.examine(goldloop)
    if as_json:
        print_json({check.part: check.model_dump(exclude={"part"}) for check in found})
    else:
        checks.show(found)
    if not all(check.ok for check in found):
        raise typer.Exit(1)


@parked_app.command("list", epilog=example("goldloop parked list --queue answer-quality"))
def parked_list(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show what is kept aside, and why."""
    from goldloop.cli.output import print_json, print_parked

    with opened() as goldloop:
        rows = goldloop.store.parked(queue)
        if queue and not rows:
            goldloop.codebook(queue)  # a name that is misspelled has nothing parked either
    if as_json:
        print_json({"parked": [row.model_dump(mode="json") for row in rows]})
    else:
        print_parked(rows)


@parked_app.command("retry", epilog=example("goldloop parked retry 3f2a91c0"))
def parked_retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids, or their first characters.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is parked.")] = False,
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Let the next run try these again."""
    from goldloop.cli.output import out, print_json
    from goldloop.pipeline.parking import retry

    if bool(ids) == everything:
        raise ConfigError("name what to try again, by ids or by --all: `goldloop parked list` shows the ids")
    with opened() as goldloop:
        rows = goldloop.store.parked(queue)
        for wanted in ids or ():
            if not wanted or not any(row.parked_id.startswith(wanted) for row in rows):
                raise ConfigError(f"nothing parked has the id {wanted!r}: `goldloop parked list` shows the ids")
        count = retry(goldloop.store, [row for row in rows if everything or row.parked_id.startswith(tuple(ids or ()))])
    if as_json:
        print_json({"retried": count})
    else:
        out.print(f"{count:,} will be tried again. Next: goldloop run")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"goldloop {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point: an error is one sentence on stderr and an exit code, never a traceback.

    With `GOLDLOOP_DEBUG=1` a fault of goldloop's own shows where it came from; an exception's text can quote a trace's
    payload, so that is not the default.
    """
    try:
        app()
    except GoldloopError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("GOLDLOOP_DEBUG", "0") not in ("", "0"):
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        _say(
            f"a fault in goldloop itself ({type(error).__name__} in {Path(place.filename).name}, line {place.lineno}): "
            "report it, with the traceback that GOLDLOOP_DEBUG=1 in the environment shows"
        )
        sys.exit(1)


def _say(sentence: str) -> None:
    from goldloop.cli.output import err, plain

    err.print(f"[red]goldloop:[/red] {plain(sentence)}", soft_wrap=True)
