"""The commands. Each can be repeated at any time: it does what is still to do.

Exit codes: 0 done, 1 something failed for good (or `doctor` found a fault), 2 a setting, a file or the call is wrong,
3 a server cannot do it now, try again later, 4 a server refuses until a person acts, 5 another run holds the queue.
"""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from goldloop import __version__
from goldloop.errors import ConfigError, GoldloopError

if TYPE_CHECKING:
    from goldloop.bootstrap import Goldloop

app = typer.Typer(
    name="goldloop",
    help="Closes the loop between production LLM traces and the people who judge them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
codebook_app = typer.Typer(no_args_is_help=True, help="The codebooks: what is asked of a trace.")
parked_app = typer.Typer(no_args_is_help=True, help="What was kept aside, and trying it again.")
app.add_typer(codebook_app, name="codebook")
app.add_typer(parked_app, name="parked")

Queue = Annotated[str | None, typer.Option("--queue", "-q", help="The codebook's name; GOLDLOOP_QUEUE without it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Start of the draw's randomness; a random one without it.")]


def _epilog(example: str) -> str:
    return f"Example: [bold]{example}[/bold]"


@contextmanager
def _opened() -> Iterator["Goldloop"]:
    from stamina.instrumentation import set_on_retry_hooks

    from goldloop import settings
    from goldloop.bootstrap import Goldloop

    set_on_retry_hooks(())  # by default each retry is logged to stderr; only what fails after the last one is news
    with Goldloop(settings.load()) as goldloop:
        yield goldloop


def _run(verbs: Sequence[str] | None, queue: str | None, as_json: bool, seed: int | None = None) -> None:
    """Run these verbs (None: all), print each summary as its verb ends, and what comes next."""
    from goldloop.bootstrap import VERBS, Run
    from goldloop.cli.output import bars, print_json, print_next, print_summary

    made = {}
    with _opened() as goldloop, bars(quiet=as_json) as progress:
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


@app.command(epilog=_epilog("goldloop pull"))
def pull(queue: Queue = None, as_json: AsJson = False) -> None:
    """Read new traces and user signals from Langfuse, without their payload."""
    _run(["pull"], queue, as_json)


@app.command(epilog=_epilog("goldloop draw --queue answer-quality --seed 7"))
def draw(queue: Queue = None, seed: Seed = None, as_json: AsJson = False) -> None:
    """Draw what is left of the day's budget, each trace with its inclusion probability."""
    _run(["draw"], queue, as_json, seed)


@app.command(epilog=_epilog("goldloop prelabel"))
def prelabel(queue: Queue = None, as_json: AsJson = False) -> None:
    """Have the judge answer for what was drawn, before anyone sees it."""
    _run(["prelabel"], queue, as_json)


@app.command(epilog=_epilog("goldloop enqueue"))
def enqueue(queue: Queue = None, as_json: AsJson = False) -> None:
    """Make a Label Studio task of each drawn trace, with its prelabel."""
    _run(["enqueue"], queue, as_json)


@app.command(epilog=_epilog("goldloop gather"))
def gather(queue: Queue = None, as_json: AsJson = False) -> None:
    """Bring back annotations, edits, skips and deletions from Label Studio."""
    _run(["gather"], queue, as_json)


@app.command(epilog=_epilog("goldloop resolve"))
def resolve(queue: Queue = None, as_json: AsJson = False) -> None:
    """Turn each trace's annotations into one answer a question."""
    _run(["resolve"], queue, as_json)


@app.command(epilog=_epilog("goldloop publish"))
def publish(queue: Queue = None, as_json: AsJson = False) -> None:
    """Send scores, dataset items and eval rows, and read them back."""
    _run(["publish"], queue, as_json)


@app.command("report", epilog=_epilog("goldloop report --json"))
def report_command(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show what stands where: states, policies, the age of the queue, what is parked."""
    _run(["report"], queue, as_json)


@app.command(epilog=_epilog("goldloop run --queue answer-quality"))
def run(queue: Queue = None, seed: Seed = None, as_json: AsJson = False) -> None:
    """Run all verbs in their order: pull draw prelabel enqueue gather resolve publish report."""
    _run(None, queue, as_json, seed)


@app.command(epilog=_epilog("goldloop status --json"))
def status(as_json: AsJson = False) -> None:
    """Show the report of every queue, from the store alone: no server is asked."""
    from goldloop.cli.output import out, print_json, print_report

    made = {}
    with _opened() as goldloop:
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


@app.command(epilog=_epilog("goldloop doctor"))
def doctor(as_json: AsJson = False) -> None:
    """Reach each server, check versions and rights, and say what to do."""
    from goldloop.cli import doctor as checks
    from goldloop.cli.output import print_json

    with _opened() as goldloop:
        found = checks.examine(goldloop)
    if as_json:
        print_json({check.part: check.model_dump(exclude={"part"}) for check in found})
    else:
        checks.show(found)
    if not all(check.ok for check in found):
        raise typer.Exit(1)


@parked_app.command("list", epilog=_epilog("goldloop parked list --queue answer-quality"))
def parked_list(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show what is kept aside, and why."""
    from goldloop.cli.output import print_json, print_parked

    with _opened() as goldloop:
        rows = goldloop.store.parked(queue)
        if queue and not rows:
            goldloop.codebook(queue)  # a name that is misspelled has nothing parked either
    if as_json:
        print_json({"parked": [row.model_dump(mode="json") for row in rows]})
    else:
        print_parked(rows)


@parked_app.command("retry", epilog=_epilog("goldloop parked retry 3f2a91c0"))
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
    with _opened() as goldloop:
        rows = goldloop.store.parked(queue)
        for wanted in ids or ():
            if not wanted or not any(row.parked_id.startswith(wanted) for row in rows):
                raise ConfigError(f"nothing parked has the id {wanted!r}: `goldloop parked list` shows the ids")
        count = retry(goldloop.store, [row for row in rows if everything or row.parked_id.startswith(tuple(ids or ()))])
    if as_json:
        print_json({"retried": count})
    else:
        out.print(f"{count:,} will be tried again. Next: goldloop run")


@codebook_app.command("render", epilog=_epilog("goldloop codebook render label_configs"))
def codebook_render(
    folder: Annotated[
        Path | None, typer.Argument(help="Where the codebooks are; GOLDLOOP_CODEBOOKS without it.", show_default=False)
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a file is stale.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write each codebook's Label Studio label config beside it (*.xml)."""
    from goldloop import settings
    from goldloop.cli.output import err, out, plain, print_json
    from goldloop.codebook.load import load_folder
    from goldloop.codebook.render import render

    where = folder or settings.load().codebooks
    configs = {where / f"{codebook.name}.xml": render(codebook) for codebook in load_folder(where).values()}
    stale = [path for path, config in configs.items() if not path.exists() or path.read_text("utf-8") != config]
    for path in stale if not check else []:
        try:
            path.write_text(configs[path], encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written ({error.strerror}): check the rights on it") from None
    if as_json:
        print_json({"label_configs": len(configs), "stale" if check else "written": [str(path) for path in stale]})
    elif not check or not stale:
        out.print(f"{len(configs)} label configs, {len(stale)} {'stale' if check else 'written'}")
    if check and stale:
        named = ", ".join(map(str, stale))
        err.print(plain(f"stale: {named}; run `goldloop codebook render {where}`"), soft_wrap=True)
        raise typer.Exit(1)


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
