"""`goldloop judge`: what people's labels make of a queue's judges, and which traces models are shown as examples."""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example
from goldloop.errors import ConfigError

if TYPE_CHECKING:
    from goldloop.codebook.schema import Codebook
    from goldloop.judge.panel import Panel
    from goldloop.pipeline.learn import LearnSummary
    from goldloop.ports import Store
    from goldloop.records import JudgeFit, Spent

judge_app = typer.Typer(no_args_is_help=True, help="Who judges before people do, and how far that can be trusted.")
example_app = typer.Typer(no_args_is_help=True, help="Resolved traces that models are shown as examples.")
judge_app.add_typer(example_app, name="example")

_HISTORY = 10
"""Fits that `show` tells of; --json has them all."""


@judge_app.command("fit", epilog=example("goldloop judge fit --queue answer-quality"))
def judge_fit(queue: Queue = None, as_json: AsJson = False) -> None:
    """Fit the judges to people's blind labels, and show how well each of them does."""
    from goldloop.cli.output import print_json

    with opened() as goldloop:
        codebook = goldloop.codebook(queue)
        made = goldloop.learn(codebook.name)
    if as_json:
        told = made.model_dump(mode="json", exclude={"fits": {"__all__": {"body"}}})
        print_json({"queue": codebook.name, **told})
    else:
        _show_learned(codebook, made)
    if made.failed:
        raise typer.Exit(1)


@judge_app.command("show", epilog=example("goldloop judge show --json"))
def judge_show(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show who judges the queue now, whether each is calibrated, and what was spent today (UTC)."""
    from goldloop.cli.output import print_json

    with opened() as goldloop:
        codebook = goldloop.codebook(queue)
        midnight = goldloop.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        spent = goldloop.store.spent(midnight)
        history = goldloop.store.fit_history(codebook.name)
        with goldloop.judge(codebook.name, "show") as panel:
            members = _members(panel, codebook, _blind_labels(goldloop.store, codebook))
            name, version = panel.name, panel.version(codebook)
    if as_json:
        told = [fit.model_dump(mode="json", exclude={"body"}) for fit in history]
        spent_today = spent.model_dump(mode="json")
        judges = {"judge": name, "version": version, "members": members}
        print_json({"queue": codebook.name, **judges, "spent_today": spent_today, "history": told})
    else:
        _show_members(codebook, members)
        _show_spent(spent)
        _show_history(history)


@example_app.command("add", epilog=example('goldloop judge example add 8a1f7c5e2b9d4f60 --note "a polite refusal"'))
def example_add(
    traces: Annotated[list[str], typer.Argument(metavar="TRACE...", help="Ids of resolved traces of the queue.")],
    note: Annotated[str, typer.Option("--note", help="What it is an example of.")] = "",
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Approve resolved traces as examples: models see them, with people's answers, beside the trace they judge."""
    from goldloop.cli.output import out, print_json
    from goldloop.pipeline.examples import approve

    with opened() as goldloop:
        made = approve(goldloop.codebook(queue), goldloop.store, traces, note, goldloop.clock())
    if as_json:
        print_json({"examples": [one.model_dump(mode="json") for one in made]})
    else:
        out.print(f"Examples: {len(made):,} approved. Models' versions change with them. Next: goldloop prelabel")


@example_app.command("list", epilog=example("goldloop judge example list --queue answer-quality"))
def example_list(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show the approved examples of a queue."""
    from goldloop.cli.output import out, plain, print_json, table

    with opened() as goldloop:
        rows = goldloop.store.examples(goldloop.codebook(queue).name)
    if as_json:
        print_json({"examples": [row.model_dump(mode="json") for row in rows]})
        return
    if not rows:
        out.print("There are no examples: models judge by the codebook alone. Next: goldloop judge example add TRACE")
        return
    shown = table("trace", "note", "since (UTC)", title="Examples")
    for row in rows:
        shown.add_row(plain(row.trace_id), plain(row.note), f"{row.added_at:%Y-%m-%d %H:%M}")
    out.print(shown)


@example_app.command("remove", epilog=example("goldloop judge example remove 8a1f7c5e2b9d4f60"))
def example_remove(
    traces: Annotated[list[str], typer.Argument(metavar="TRACE...", help="Ids of approved traces.")],
    queue: Queue = None,
    as_json: AsJson = False,
) -> None:
    """Take approvals back; the traces and their labels stay."""
    from goldloop.cli.output import out, print_json

    with opened() as goldloop:
        name = goldloop.codebook(queue).name
        known = {row.trace_id for row in goldloop.store.examples(name)}
        for trace_id in traces:
            if trace_id not in known:
                raise ConfigError(f"{trace_id} is no example: `goldloop judge example list` shows them")
        for trace_id in traces:
            goldloop.store.remove_example(name, trace_id)
    if as_json:
        print_json({"removed": traces})
    else:
        out.print(f"Examples: {len(traces):,} removed.")


def _show_learned(codebook: "Codebook", made: "LearnSummary") -> None:
    from goldloop.cli.output import out, plain

    if made.fits:
        out.print(_fit_table(made.fits, f"{plain(codebook.name)}: judges against blind labels"))
        out.print("Each number is of labels that the fit did not see.")
    for what, why in made.failed.items():
        out.print(f"[yellow]not fitted[/yellow] {plain(what)}: {plain(why)}", soft_wrap=True)
    for question, labels in made.short.items():
        told = f"{plain(question)} is short of blind labels: {_labels(labels)}; two labels need {made.floor} each"
        out.print(told, soft_wrap=True)
    if not any(count for labels in made.labels.values() for count in labels.values()):
        out.print(_where_labels_come_from(codebook), soft_wrap=True)
    elif made.fitted:
        out.print(f"{made.fitted:,} new, {made.kept:,} as before. Next: goldloop prelabel")
    else:
        out.print("Nothing new. Next: annotators judge blind traces, then goldloop gather and goldloop resolve")


def _where_labels_come_from(codebook: "Codebook") -> str:
    if codebook.queue.blind_share or codebook.queue.double_label_share:
        return "There are no blind labels yet. Next: annotators judge blind traces, then goldloop gather and resolve"
    return (
        "There are no blind labels, and the codebook draws nothing blind. Next: set blind_share in its queue settings, "
        "then goldloop draw"
    )


def _fit_table(fits: Sequence["JudgeFit"], title: str) -> object:
    from goldloop.cli.output import plain, table

    numbers = ("AUROC", "kappa", "ECE", "right", "sure from")
    shown = table("question", "judge", "labels", *numbers, title=title, numbers=numbers)
    for fit in fits:
        quality = fit.quality
        shown.add_row(
            plain(fit.question),
            plain(fit.judge),
            _labels(quality.labels, "\n"),
            f"{quality.auroc:.2f}",
            f"{quality.kappa:.2f}",
            f"{quality.ece:.3f}",
            f"{quality.accuracy:.0%}",
            "never" if fit.threshold is None else f"{fit.threshold:.0%}",
        )
    return shown


def _labels(count: Mapping[str, int], between: str = ", ") -> str:
    from goldloop.cli.output import plain

    return between.join(f"{plain(label)} {labels:,}" for label, labels in count.items()) or "none"


def _blind_labels(store: "Store", codebook: "Codebook") -> Mapping[str, int]:
    """Those of the verdict, as it is asked now, by label."""
    from goldloop.pipeline.learn import labels_of

    held = labels_of(store, codebook.name)
    return held.counts.get(codebook.verdict.name, {}) if held else {}


def _members(panel: "Panel", codebook: "Codebook", there: Mapping[str, int]) -> list[dict[str, object]]:
    """One a member, and one for the combination where there is one.

    Labels are those that its calibration rests on; where it has none, those that are there by now.
    """
    from goldloop.judge.combination import NAME

    held = panel.calibrations(codebook)
    who = [(member.name, member.version(codebook)) for member in panel.members]
    return [
        {
            "judge": name,
            "version": version,
            "calibrated": name in held,
            "labels": held[name].quality.labels if name in held else dict(there),
            "fit": held[name].version if name in held else None,
        }
        for name, version in [*who, *([(NAME, held[NAME].version)] if NAME in held else [])]
    ]


def _show_members(codebook: "Codebook", members: Sequence[Mapping[str, object]]) -> None:
    from goldloop.cli.output import out, plain, table

    shown = table("judge", "version", "state", "blind labels", title=f"{plain(codebook.name)}: who judges now")
    for member in members:
        labels = member["labels"]
        assert isinstance(labels, dict)
        state = "calibrated" if member["calibrated"] else "[yellow]uncalibrated[/yellow]"
        shown.add_row(plain(str(member["judge"])), str(member["version"]), state, _labels(labels))
    out.print(shown)
    if not all(member["calibrated"] for member in members):
        out.print("Why not calibrated: goldloop judge fit")


def _show_spent(spent: "Spent") -> None:
    from goldloop.cli.output import money, out

    out.print(
        f"Spent today (UTC), all queues: {money(spent.usd)} in {spent.calls:,} calls, {spent.input_tokens:,} input and "
        f"{spent.output_tokens:,} output tokens",
        soft_wrap=True,
    )


def _show_history(history: Sequence["JudgeFit"]) -> None:
    from goldloop.cli.output import out, plain, table

    if not history:
        return
    numbers = ("labels", "AUROC", "ECE")
    shown = table("fitted (UTC)", "question", "judge", *numbers, title="Latest fits", numbers=numbers)
    for fit in history[: -_HISTORY - 1 : -1]:
        count = sum(fit.quality.labels.values())
        quality = (f"{count:,}", f"{fit.quality.auroc:.2f}", f"{fit.quality.ece:.3f}")
        shown.add_row(f"{fit.fitted_at:%Y-%m-%d %H:%M}", plain(fit.question), plain(fit.judge), *quality)
    out.print(shown)
