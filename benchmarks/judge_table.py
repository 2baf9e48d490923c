"""What a measurement of judges comes to: a row with its goal, and how it is shown."""

from collections.abc import Sequence
from typing import Self

from goldloop.records import Record

_MANY = 100
"""From which on a number needs no decimals."""


class Row(Record):
    """One figure; `goal` in words, and whether it was reached, where there is a goal."""

    what: str
    reached: float
    unit: str = ""
    goal: str = ""
    met: bool | None = None
    note: str = ""

    @classmethod
    def at_most(cls, what: str, goal: float, reached: float, unit: str = "", note: str = "") -> Self:
        said = f"at most {number(goal, unit)}"
        return cls(what=what, reached=reached, unit=unit, goal=said, met=reached <= goal, note=note)

    @classmethod
    def at_least(cls, what: str, goal: float, reached: float, unit: str = "", note: str = "") -> Self:
        said = f"at least {number(goal, unit)}"
        return cls(what=what, reached=reached, unit=unit, goal=said, met=reached >= goal, note=note)


def markdown(rows: Sequence[Row]) -> str:
    """A table: what, goal, reached."""
    lines = ["| what | goal | reached |", "|---|---|---|"]
    for row in rows:
        missed = " (missed)" if row.met is False else ""
        note = f"; {row.note}" if row.note else ""
        lines.append(f"| {row.what} | {row.goal or '-'} | {number(row.reached, row.unit)}{missed}{note} |")
    return "\n".join(lines) + "\n"


def number(value: float, unit: str) -> str:
    """As tables show it."""
    if unit == "x":
        return f"{value:.2f} x"
    if unit == "%":
        return f"{100 * value:.1f} %"
    if unit:
        digits = 0 if value >= _MANY else 2 if unit == "s" or value < 1 else 1
        return f"{value:,.{digits}f} {unit}"
    return f"{value:.3f}"
