"""Small multiples as one SVG, drawn without a library: it has to be legible on light and on dark pages."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from goldloop.records import Record

COLUMNS = 3
WIDTH, HEIGHT = 1240, 92  # of the picture; of its head
PANEL_WIDTH, PANEL_HEIGHT = 400, 240
LEFT, RIGHT, TOP, BOTTOM = 58, 18, 46, 44  # around a panel's plot
TICKS = 4
_STYLE = """
  .page { fill: #ffffff; } .ink { fill: #1f2328; } .soft { fill: #59636e; } .grid { stroke: #d8dee4; }
  .half { fill: #f1f4f7; } .s0 { --c: #0969da; } .s1 { --c: #bc4c00; } .s2 { --c: #1a7f64; } .s3 { --c: #8250df; }
  .s4 { --c: #bf3989; } .line { stroke: var(--c); fill: none; stroke-width: 1.8; stroke-linejoin: round; }
  .dot { fill: var(--c); } .name { fill: var(--c); }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117; } .ink { fill: #f0f6fc; } .soft { fill: #9198a1; } .grid { stroke: #30363d; }
    .half { fill: #161c24; } .s0 { --c: #58a6ff; } .s1 { --c: #f0883e; } .s2 { --c: #3fb99a; } .s3 { --c: #b392f0; }
    .s4 { --c: #f778ba; }
  }
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
  .title { font-size: 19px; font-weight: 600; } .panel { font-size: 14px; font-weight: 600; }
  .right { text-anchor: end; } .middle { text-anchor: middle; }
"""


class Line(Record):
    """Points of (seconds, value); `dots` where each is an event of its own, and no line leads from one to the next."""

    name: str
    points: list[tuple[float, float]]
    dots: bool = False


class Panel(Record):
    """One small chart from zero up: its title, the unit of its values, its lines."""

    title: str
    unit: str
    lines: list[Line]


def svg(title: str, subtitle: str, panels: Sequence[Panel], ended: float) -> str:
    """The picture: each panel over the whole time, in minutes, with the judged half shaded."""
    rows = math.ceil(len(panels) / COLUMNS)
    height = HEIGHT + rows * PANEL_HEIGHT
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'width="{WIDTH}" height="{height}" aria-label="{escape(title)}">'
        ),
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        _text(20, 36, title, "ink title"),
        _text(20, 60, subtitle, "soft"),
    ]
    for place, panel in enumerate(panels):
        across, down = place % COLUMNS, place // COLUMNS
        parts.append(f'<g transform="translate({20 + across * PANEL_WIDTH} {HEIGHT + down * PANEL_HEIGHT})">')
        parts += _drawn(panel, ended)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def round_step(highest: float, steps: int = TICKS) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten of which so many steps reach up to `highest`."""
    if highest <= 0:
        return 1.0
    least = highest / steps
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= least * (1 - 1e-9))


def _drawn(panel: Panel, ended: float) -> Iterator[str]:
    wide, high = PANEL_WIDTH - LEFT - RIGHT, PANEL_HEIGHT - TOP - BOTTOM
    step = round_step(max((value for line in panel.lines for _, value in line.points), default=0.0))
    minutes = ended / 60
    yield _text(LEFT, 12, f"{panel.title} ({panel.unit})" if panel.unit else panel.title, "ink panel")
    x = LEFT
    for number, line in enumerate(panel.lines):
        if len(panel.lines) > 1:
            yield _text(x, TOP - 13, line.name, f"name s{number}")
            x += 14 + round(6.6 * len(line.name))
    yield f'<rect class="half" x="{LEFT + wide / 2}" y="{TOP}" width="{wide / 2}" height="{high}"/>'
    for tick in range(TICKS + 1):
        y = TOP + high * (1 - tick / TICKS)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:g}" x2="{LEFT + wide}" y2="{y:g}"/>'
        yield _text(LEFT - 8, y + 4, f"{tick * step:,.10g}", "soft right")
    minute_step = round_step(minutes, 6)
    last = math.floor(minutes / minute_step + 1e-9)
    for tick in range(last + 1):
        across = LEFT + wide * tick * minute_step / minutes
        yield _text(across, TOP + high + 18, f"{tick * minute_step:g}{' min' if tick == last else ''}", "soft middle")
    for number, line in enumerate(panel.lines):
        spots = [
            (LEFT + wide * min(at, ended) / ended, TOP + high * (1 - value / (TICKS * step)))
            for at, value in line.points
        ]
        if line.dots:
            yield from (f'<circle class="dot s{number}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in spots)
        elif spots:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
            yield f'<polyline class="line s{number}" points="{path}"/>'


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'
