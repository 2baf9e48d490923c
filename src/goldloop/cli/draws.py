"""`goldloop draw --dry-run`, and `goldloop slice`: what a draw would do, and where it is to look."""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example
from goldloop.errors import ConfigError

if TYPE_CHECKING:
    from goldloop.pipeline.draw import DrawSummary
    from goldloop.records import NamedSlice
    from goldloop.sampling.explain import Explanation

slice_app = typer.Typer(no_args_is_help=True, help="Parts of the traffic that the draw is to look at.")

_CONDITIONS = {
    "categories": "category",
    "models": "model",
    "releases": "release",
    "prompts": "prompt",
    "tags": "tag",
    "clusters": "cluster",
    "start": "since",
    "end": "until",
}
Several = list[str] | None


def rehearse(queue: str | None, seed: int | None, as_json: bool) -> None:
    """Show what a draw would do now."""
    from goldloop.cli.output import print_json

    with opened() as goldloop:
        summary = goldloop.rehearse(queue, secrets.randbits(62) if seed is None else seed)
    if as_json:
        print_json(summary.model_dump(mode="json"))
    else:
        show(summary)


def show(summary: "DrawSummary") -> None:
    """The draw explained: policies, what the weights cost, what caps and the queue held back."""
    from goldloop.cli.output import out

    explained = summary.explanation
    if explained is None:
        out.print(_why_nothing(summary))
    else:
        _show_policies(explained)
        _show_sizes(summary, explained)
        _show_limits(explained)
    room = "" if summary.queue_room is None else f": the queue has room for {summary.queue_room:,}"
    if summary.overflow:
        out.print(f"[yellow]overflow[/yellow] {summary.overflow:,} would be parked{room}")
    if summary.expired:
        out.print(f"[yellow]expired[/yellow] {summary.expired:,} waited too long and would be parked")
    out.print("Nothing was written." + (" Next: goldloop draw" if explained else ""))


def _show_policies(explained: "Explanation") -> None:
    from goldloop.cli.output import out, table

    numbers = ("asked", "share", "candidates", "expected", "drawn")
    shown = table("policy", *numbers, title="Draw", numbers=numbers)
    for line in explained.policies:
        shown.add_row(
            line.policy.replace("_", "-"),
            f"{line.asked:.1%}",
            f"{line.share:.1%}",
            f"{line.candidates:,}",
            f"{line.expected:,.1f}",
            "" if line.drawn is None else f"{line.drawn:,}",
        )
    out.print(shown)


def _show_sizes(summary: "DrawSummary", explained: "Explanation") -> None:
    from goldloop.cli.output import out, table

    shown = table("size", "number", numbers=("number",))
    rows = {
        "candidates": f"{explained.frame_size:,}",
        "budget": f"{explained.budget:,}",
        "drawn": f"{summary.drawn:,}",
        "effective size, expected": f"{explained.expected_effective_size:,.1f}",
        "effective size": "" if explained.effective_size is None else f"{explained.effective_size:,.1f}",
        "design effect": f"{explained.design_effect:,.2f}",
    }
    for name, number in rows.items():
        shown.add_row(name, number)
    out.print(shown)


def _show_limits(explained: "Explanation") -> None:
    from goldloop.cli.output import out, plain

    if explained.moved:
        out.print(f"No slice is a target, so the {explained.moved:.1%} of targeted went to risk")
    if explained.given_back:
        out.print(f"No candidates, so their shares went to the others: {', '.join(explained.given_back)}")
    for cap in explained.caps:
        names = ", ".join(plain(name) for name in cap.names)
        out.print(f"The cap of {cap.cap} a {cap.kind} bit {cap.units:,}: {names}")
    if explained.must_missed:
        out.print(
            f"[yellow]must-review[/yellow] {explained.must_missed:,} of {explained.must_review:,} are not certain: "
            "budget or caps are too small"
        )
    if explained.unreachable:
        out.print(f"[yellow]out of reach[/yellow] {explained.unreachable:,} candidates: no policy draws them")


def _why_nothing(summary: "DrawSummary") -> str:
    if not summary.left_of_budget:
        return "The day's budget is drawn: the next one begins at midnight UTC."
    if summary.queue_room == 0:
        return "The queue is full: annotators have to answer first, or `queue_cap` has to be raised."
    return "There are no candidates that are young enough and were not drawn before. Next: goldloop pull"


def _condition(help_: str, flag: str) -> Any:
    return typer.Option(flag, help=help_, show_default=False)


@slice_app.command("add", epilog=example("goldloop slice add new-prompt --prompt support@4 --days 3"))
def slice_add(  # noqa: PLR0913, PLR0917 - one option a condition
    name: Annotated[str, typer.Argument(help="What to call it; a slice of that name is replaced.")],
    category: Annotated[Several, _condition("Of this category.", "--category")] = None,
    model: Annotated[Several, _condition("By this model.", "--model")] = None,
    release: Annotated[Several, _condition("Of this release.", "--release")] = None,
    prompt: Annotated[Several, _condition("By this prompt, as name@version.", "--prompt")] = None,
    tag: Annotated[Several, _condition("With this tag.", "--tag")] = None,
    cluster: Annotated[Several, _condition("Of this cluster.", "--cluster")] = None,
    since: Annotated[datetime | None, _condition("From this time on (UTC).", "--since")] = None,
    until: Annotated[datetime | None, _condition("Before this time (UTC).", "--until")] = None,
    trace: Annotated[Several, _condition("This one trace, with --must-review.", "--trace")] = None,
    must_review: Annotated[bool, typer.Option("--must-review", help="Draw all of it for certain.")] = False,
    weight: Annotated[float, typer.Option("--weight", min=0.001, help="Beside other slices.")] = 1.0,
    days: Annotated[int, typer.Option("--days", min=1, help="It ends after so many days.")] = 7,
    note: Annotated[str, typer.Option("--note", help="Why it is looked at.")] = "",
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Name a part of the traffic: for the targeted policy, or, with --must-review, to be drawn for certain.

    Every condition has to hold; of one that is given several times, one value is enough.
    """
    from goldloop.cli.output import out, plain, print_json
    from goldloop.pipeline.plan import slice_of
    from goldloop.records import NamedSlice

    given = (category, model, release, prompt, tag, cluster, _utc(since), _utc(until))
    where = {field: value for field, value in zip(_CONDITIONS, given, strict=True) if value}
    if trace and not must_review:
        raise ConfigError("--trace names single traces, which goes with --must-review only: add it")
    if not where and not trace:
        raise ConfigError("the slice names no condition: give it one, such as --category or --trace with --must-review")
    if where and trace:
        raise ConfigError("a slice names traces or conditions: make one slice of each")
    with opened() as goldloop:
        now = goldloop.clock()
        part = NamedSlice(
            queue=goldloop.codebook(queue).name,
            name=name,
            must_review=must_review,
            where=where,
            traces=tuple(trace or ()),
            weight=weight,
            note=note,
            made_at=now,
            expires_at=now + timedelta(days=days),
        )
        if where:
            slice_of(part)
        unknown = goldloop.store.unknown_traces(part.traces)
        if unknown:
            raise ConfigError(f"{', '.join(unknown)} was never pulled: check the id, or run `goldloop pull` first")
        goldloop.store.save_slice(part)
    if as_json:
        print_json(part.model_dump(mode="json"))
    else:
        out.print(f"{plain(name)} until {part.expires_at:%Y-%m-%d %H:%M} UTC. Next: goldloop draw --dry-run")


@slice_app.command("list", epilog=example("goldloop slice list --queue answer-quality"))
def slice_list(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show the slices of a queue, with those that have expired."""
    from goldloop.cli.output import out, plain, print_json, table

    with opened() as goldloop:
        rows = goldloop.store.slices(goldloop.codebook(queue).name)
        now = goldloop.clock()
    if as_json:
        print_json({"slices": [row.model_dump(mode="json") for row in rows]})
        return
    if not rows:
        out.print("There are no slices: the targeted policy has no candidates. Next: goldloop slice add --help")
        return
    shown = table("name", "what", "for", "until (UTC)", title="Slices")
    for row in rows:
        until = f"{row.expires_at:%Y-%m-%d %H:%M}" + (" (over)" if row.expires_at <= now else "")
        purpose = "certain review" if row.must_review else "targeted"
        shown.add_row(plain(row.name), plain(_told(row)), purpose, until)
    out.print(shown)


@slice_app.command("remove", epilog=example("goldloop slice remove new-prompt"))
def slice_remove(
    name: Annotated[str, typer.Argument(help="The slice's name.")], queue: Queue = None, as_json: AsJson = False
) -> None:
    """Take a slice away; what was drawn for it stays."""
    from goldloop.cli.output import out, plain, print_json

    with opened() as goldloop:
        if not goldloop.store.remove_slice(goldloop.codebook(queue).name, name):
            raise ConfigError(f"there is no slice {name!r}: `goldloop slice list` shows them")
    if as_json:
        print_json({"removed": name})
    else:
        out.print(f"{plain(name)} is removed.")


def _told(row: "NamedSlice") -> str:
    if row.traces:
        return f"{len(row.traces):,} traces" if len(row.traces) > 1 else row.traces[0]
    parts = (
        f"{_CONDITIONS[field]} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for field, value in row.where.items()
    )
    return "; ".join(parts) + (f" ({row.note})" if row.note else "")


def _utc(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).isoformat()
