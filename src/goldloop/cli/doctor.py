"""Is everything there that a run needs? Each part is asked on its own, and says what to do where it is not."""

from collections.abc import Callable

from goldloop.bootstrap import Goldloop
from goldloop.cli.output import out, plain, table
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
        _check("store", lambda: _store(goldloop)),
        _check("Langfuse", lambda: f"{goldloop.langfuse.source.check()} at {goldloop.settings.langfuse_host}"),
        _check("Label Studio", lambda: f"{goldloop.label_studio.check()} at {goldloop.settings.label_studio_url}"),
    ]


def show(found: list[Check]) -> None:
    shown = table("", "part", "what it says")
    for check in found:
        shown.add_row("[green]ok[/green]" if check.ok else "[red]fault[/red]", check.part, plain(check.says))
    out.print(shown)
    whole = all(check.ok for check in found)
    out.print("Next: goldloop run" if whole else "Next: mend each fault, then goldloop doctor again")


def _store(goldloop: Goldloop) -> str:
    dialect = goldloop.settings.store_url.partition(":")[0].partition("+")[0]
    return f"{dialect}, {goldloop.store.candidate_count():,} candidates"


def _check(part: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(part=part, ok=True, says=ask())
    except GoldloopError as error:
        return Check(part=part, ok=False, says=str(error))
