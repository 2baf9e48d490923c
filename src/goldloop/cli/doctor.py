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
    found = [
        _check("codebooks", lambda: ", ".join(codebook.ref for codebook in goldloop.codebooks.values())),
        _check("store", lambda: _store(goldloop)),
        _check("Langfuse", lambda: f"{goldloop.langfuse.source.check()} at {goldloop.settings.langfuse_host}"),
        _check("Label Studio", lambda: f"{goldloop.label_studio.check()} at {goldloop.settings.label_studio_url}"),
    ]
    # Who judges hangs on a codebook: where none can be read, that is what there is to mend.
    return [*found, _check("judge", lambda: _judge(goldloop))] if found[0].ok else found


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


def _judge(goldloop: Goldloop) -> str:
    """Made, and not asked: a model's answer costs money."""
    codebook = goldloop.codebooks.get(goldloop.settings.queue or "") or next(iter(goldloop.codebooks.values()))
    with goldloop.judge(codebook.name, "doctor") as judge:
        held = judge.calibrations(codebook)
        parts = [f"{one.name} ({'calibrated' if one.name in held else 'uncalibrated'})" for one in judge.members]
    return f"{', '.join(parts)} for {codebook.name}"


def _check(part: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(part=part, ok=True, says=ask())
    except GoldloopError as error:
        return Check(part=part, ok=False, says=str(error))
