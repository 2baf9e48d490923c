"""How a measurement of the sync is shown and kept."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.judge_table import Row, markdown, number
from goldloop.records import Record

RESULTS = Path(__file__).parent / "results" / "sync.json"
PAGE = Path(__file__).parents[1] / "docs" / "reliability.md"
_BEGIN, _END = "<!-- speed: begin -->\n", "<!-- speed: end -->"
_HEADS = ("path", "what", "goal", "reached", "", "note")


class Measured(Record):
    """One path of the sync, and what was measured of it."""

    path: str
    made_at: datetime
    seconds: float
    rows: list[Row]


class Results(Record):
    """All paths: those of the last run, and of earlier ones where it left some out."""

    paths: list[Measured]


def table(measured: Sequence[Measured]) -> str:
    """Aligned columns."""
    lines = [_HEADS, *(_line(one.path, row) for one in measured for row in one.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in padded) + "\n"


def keep(measured: Sequence[Measured]) -> None:
    """Into the results file, in the place of what it had of the same paths; and all of it into the page's table."""
    fresh = {one.path: one for one in measured}
    before = Results.model_validate_json(RESULTS.read_text("utf-8")).paths if RESULTS.exists() else []
    paths = {one.path: one for one in before} | fresh
    RESULTS.parent.mkdir(exist_ok=True)
    text = Results(paths=list(paths.values())).model_dump_json(indent=1) + "\n"
    RESULTS.write_text(text, encoding="utf-8")
    before_table, found, rest = PAGE.read_text("utf-8").partition(_BEGIN)
    if found:
        shown = "\n".join(f"**{one.path}**, {one.made_at:%Y-%m-%d}\n\n{markdown(one.rows)}" for one in paths.values())
        PAGE.write_text(f"{before_table}{_BEGIN}\n{shown}\n{_END}{rest.partition(_END)[2]}", "utf-8")


def _line(path: str, row: Row) -> tuple[str, ...]:
    met = {None: "", True: "reached", False: "MISSED"}[row.met]
    return path, row.what, row.goal or "-", number(row.reached, row.unit), met, row.note
