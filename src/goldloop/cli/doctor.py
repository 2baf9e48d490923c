"""Is everything there that a run needs? Each part is asked on its own, and says what to do where it is not."""

from collections.abc import Callable

from rich.table import Table

from goldloop.bootstrap import Goldloop
from goldloop.cli.output import out
from goldloop.errors import GoldloopError
from goldloop.records import Record


class Check(Record):
    part: str
    ok: bool
    says: str


def examine(goldloop: Goldloop) -> list[Check]:
    """One check a part, in the order in which a new installation gets them right."""
    return [
        _check("codebooks", lambda: ", ".join(codebook.ref for codebook in goldloop.codebooks.values())),
        _check("store", lambda: f"{goldloop.settings.store_url.partition(":")[0]}, {goldloop.store.candidate_count():,} candidates"),
        _check("Langfuse", lambda: f"{goldloop.settings.langfuse_host} {goldloop.langfuse.source.check()}"),
        _check("Label Studio", lambda: f"{goldloop.settings.label_studio_url} {goldloop.label_studio.check()}"),
    ]


def show(found: list[Check]) -> None:
    table = Table(show_header=False)
    for check in found:
        table.add_row("[green]ok[/green]" if check.ok else "[red]fault[/red]", check.part, check.says)
    out.print(table)
    if all(check.ok for check in found):
        out.print("Next: goldloop run", highlight=False)


def _check(part: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(part=part, ok=True, says=ask())
    except GoldloopError as error:
        return Check(part=part, ok=False, says=str(error))
