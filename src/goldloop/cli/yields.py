"""`goldloop yield`: which policy turns into confirmed failures."""

# ruff: noqa: PLC0415 - each command imports what it needs: numpy, SQLAlchemy and httpx take a second that --help has not

import typer

from goldloop.cli.opened import opened
from goldloop.cli.options import AsJson, Queue, example
from goldloop.errors import ConfigError


def show_yields(queue: Queue = None, as_json: AsJson = False) -> None:
    """Show which policy turned into confirmed failures at what rate, and the shares that this speaks for."""
    from goldloop.cli.output import out, plain, print_json, table
    from goldloop.quality.yields import ENOUGH, yields

    with opened() as goldloop:
        codebook = goldloop.codebook(queue)
        runs = goldloop.store.draw_runs(codebook.name)
        rebuilt = bool(runs) and runs[-1].rebuilt
        shares = runs[-1].mix if runs else {}
        rows = yields(goldloop.store.policy_counts(codebook.name), shares)
    if rebuilt:
        raise ConfigError(
            f"the shares of {codebook.name}'s last draw are lost, for the store was rebuilt: draw once, then ask again"
        )
    if as_json:
        print_json({"queue": codebook.name, "policies": [row.model_dump(mode="json") for row in rows]})
        return
    numbers = ("drawn", "answered", "failures", "rate", "95 %", "share", "proposed")
    shown = table("policy", *numbers, title=f"{plain(codebook.name)}: confirmed failures by policy", numbers=numbers)
    for row in rows:
        shown.add_row(
            plain(row.policy),
            f"{row.drawn:,}",
            f"{row.answered:,}",
            f"{row.failures:,}",
            "-" if row.rate is None else f"{100 * row.rate:.0f} %",
            "-" if row.rate is None else f"{100 * row.low:.0f} to {100 * row.high:.0f}",
            f"{100 * row.share:.0f} %",
            f"{100 * row.proposed:.0f} %",
        )
    if not rows:
        out.print("Nothing was drawn yet. Next: goldloop run")
        return
    out.print(shown)
    if all(row.share == row.proposed for row in rows):
        out.print(
            f"Nothing is proposed: that takes {ENOUGH} answers for two policies at least, beside random and strata."
        )
    else:
        out.print("A proposal, no more: write the shares that you want into the codebook's queue.mix.")


def register(app: typer.Typer) -> None:
    """Make it a command."""
    app.command("yield", epilog=example("goldloop yield --queue answer-quality"))(show_yields)
