"""Whether a series of measurements stays flat, by a rule that is stated and not by the eye."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from goldloop.records import Record

SHARE = 0.05
"""Of its own level, this is what a flat series may grow by over the half that is judged, and its `spare` on top."""
FEWEST = 4
RULE = (
    "Judged is the second half of the time, the first is for warming up. The growth is the Theil-Sen slope (the median "
    "of the slopes between all pairs of points, which single peaks do not move) times that half's length. A series is "
    f"flat where its growth is at most {100 * SHARE:.0f} % of its median there plus a small constant."
)

Points = Sequence[tuple[float, float]]
"""Pairs of time in seconds and value, the times ascending."""


class Series(Record):
    """Measurements over time; `spare` is the growth, in the series' unit, that is too small to mean anything.

    One that says as much of the machine's other work as of goldloop is `told`, and not judged.
    """

    name: str
    unit: str
    points: list[tuple[float, float]]
    spare: float
    told: bool = False


class Verdict(Record):
    """What became of one series over the judged half; `growth`, `allowed`, `least`, `level` and `most` in its unit."""

    name: str
    unit: str
    points: int
    least: float
    level: float
    most: float
    growth: float
    allowed: float
    verdict: Literal["flat", "falls", "grows", "too short", "told"]


def slope(points: Points) -> float:
    """The Theil-Sen estimate (Sen 1968, J. Am. Stat. Assoc. 63): value per second; 0 where no two times differ."""
    at = np.array([time for time, _ in points])
    value = np.array([value for _, value in points])
    one, other = np.triu_indices(len(points), k=1)
    apart = at[other] - at[one]
    steep = (value[other] - value[one])[apart > 0] / apart[apart > 0]
    return float(np.median(steep)) if steep.size else 0.0


def judged(series: Series, ended: float) -> Verdict:
    """By `RULE`, over the half of the time that ended at `ended` seconds."""
    points = [point for point in series.points if point[0] >= ended / 2]
    values = [value for _, value in points] or [0.0]
    level = float(np.median(values))
    growth = slope(points) * ended / 2 if len(points) >= FEWEST else 0.0
    allowed = SHARE * abs(level) + series.spare
    if series.told:
        verdict: Literal["flat", "falls", "grows", "too short", "told"] = "told"
    elif len(points) < FEWEST:
        verdict = "too short"
    elif abs(growth) <= allowed:
        verdict = "flat"
    else:
        verdict = "grows" if growth > 0 else "falls"
    return Verdict(
        name=series.name,
        unit=series.unit,
        points=len(points),
        least=min(values),
        level=level,
        most=max(values),
        growth=growth,
        allowed=allowed,
        verdict=verdict,
    )


def markdown(verdicts: Sequence[Verdict]) -> str:
    """A table whose columns are aligned, so that it reads on a terminal as on a page."""
    rows = [["series", "unit", "least", "median", "most", "growth", "allowed", "verdict"]]
    for one in verdicts:
        measured = map(_shown, (one.least, one.level, one.most))
        rows.append([one.name, one.unit, *measured, _shown(one.growth, "+"), _shown(one.allowed), one.verdict])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numbers = range(2, 7)
    lines = [
        "| " + " | ".join(_padded(cell, width, place in numbers) for place, (cell, width) in enumerate(cells)) + " |"
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    rule = "|".join(
        f"{'-' * (width + 1)}:" if place in numbers else "-" * (width + 2) for place, width in enumerate(widths)
    )
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]]) + "\n"


def _padded(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _shown(value: float, sign: str = "") -> str:
    many = 100
    said = f"{value:{sign},.0f}" if abs(value) >= many else f"{value:{sign},.1f}"
    return "0.0" if said in ("+0.0", "-0.0") else said
