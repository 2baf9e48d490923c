"""The commands. Each can be repeated at any time: it does what is still to do.

Exit codes: 0 done, 1 something failed for good (or `doctor` found a fault), 2 a setting, a file or the call is wrong,
3 a server cannot do it now, try again later, 4 a server refuses until a person acts, 5 another run holds the queue.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from goldloop import __version__, settings
from goldloop.bootstrap import VERBS, Goldloop, Run
from goldloop.cli import doctor as checks
from goldloop.cli.output import bars, err, out, print_json, print_parked, print_report, print_summary
from goldloop.codebook.load import load_folder
from goldloop.codebook.render import render as render_config
from goldloop.errors import ConfigError, GoldloopError
from goldloop.pipeline.parking import retry

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

Queue = Annotated[str | None, typer.Option("--queue", "-q", help="The codebook's name; not needed where there is one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Seed = Annotated[int | None, typer.Option("--seed", help="Start of the draw's randomness; a random one without it.")]


def _epilog(example: str) -> str:
    return f"Example: [bold]{example}[/bold]"


def _run(verbs: Iterable[str], queue: str | None, as_json: bool, seed: int | None = None) -> None:
    with Goldloop(settings.load()) as goldloop, bars(quiet=as_json) as progress:
        run = Run(progress=progress) if seed is None else Run(progress=progress, seed=seed)
        made = {}
        for verb, summary in goldloop.run(verbs, queue, run):
            made[verb] = summary.model_dump(mode="json")
            if not as_json:
                print_summary(verb, summary)
    if as_json:
        print_json(made[next(iter(made))] if len(made) == 1 else made)


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
    _run(VERBS, queue, as_json, seed)


@app.command(epilog=_epilog("goldloop status --json"))
def status(as_json: AsJson = False) -> None:
    """Show the report of every queue, from the store alone: no server is asked."""
    with Goldloop(settings.load()) as goldloop:
        made = {}
        for name in goldloop.codebooks:
            report = goldloop.peek(name)
            made[name] = report.model_dump(mode="json")
            if not as_json:
                print_report(report)
    if as_json:
        print_json(made)


@app.command(epilog=_epilog("goldloop doctor"))
def doctor(as_json: AsJson = False) -> None:
    """Reach each server, check versions and rights, and say what to do."""
    with Goldloop(settings.load()) as goldloop:
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
    with Goldloop(settings.load()) as goldloop:
        rows = goldloop.store.parked(queue)
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
    with Goldloop(settings.load()) as goldloop:
        rows = goldloop.store.parked(queue)
        wanted = rows if everything else [row for row in rows if row.parked_id.startswith(tuple(ids or ()))]
        if not everything and not wanted:
            raise ConfigError("nothing parked has such an id: `goldloop parked list` shows them, `--all` takes all")
        count = retry(goldloop.store, wanted)
    if as_json:
        print_json({"retried": count})
    else:
        out.print(f"{count} will be tried again by the next run: goldloop run", highlight=False)


@codebook_app.command("render", epilog=_epilog("goldloop codebook render label_configs"))
def codebook_render(
    folder: Annotated[Path, typer.Argument(help="Where the codebooks are.")] = Path("label_configs"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a file is stale.")] = False,
) -> None:
    """Write each codebook's Label Studio label config beside it (*.xml)."""
    stale = []
    for codebook in load_folder(folder).values():
        path = folder / f"{codebook.name}.xml"
        text = render_config(codebook)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        err.print(f"stale: {', '.join(map(str, stale))}; run `goldloop codebook render {folder}`", highlight=False)
        raise typer.Exit(1)
    out.print(f"{len(stale)} label configs {'stale' if check else 'written'}", highlight=False)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"goldloop {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point: an error of ours is one sentence on stderr and an exit code, never a traceback."""
    try:
        app()
    except GoldloopError as error:
        err.print(f"[red]goldloop:[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
