"""Line charts as inline SVG: no script, no picture from elsewhere, readable in light and in dark."""

import math
from collections.abc import Sequence
from html import escape

from msgspec import Struct

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 30, 12, 40
"""The plot's margins, in the units of the picture."""

TICKS = 5
SIGNIFICANT = (1, 2, 2.5, 5, 10)

Points = Sequence[tuple[float, float]]


class Line(Struct, frozen=True):
    """One line of a chart. `style` is the class that gives it its colour and its dashes: s1 to s4."""

    name: str
    style: str
    points: Points


class Tick(Struct, frozen=True):
    """A place on the x axis with its label."""

    at: float
    label: str


def line_chart(
    title: str, x_name: str, y_name: str, lines: Sequence[Line], ticks: Sequence[Tick] = ()
) -> str:
    """A figure with its legend. A chart of no points says that there is nothing to show.

    Args:
        ticks: of the x axis; without them, round numbers from 0 on.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return (
            f"<figure><figcaption>{escape(title)}</figcaption><p>Nothing was measured.</p></figure>"
        )
    x_most = max(x for line in drawn for x, _ in line.points) or 1.0
    y_step = _step(max(y for line in drawn for _, y in line.points))
    y_most = y_step * TICKS
    body = "".join(_y_axis(y_step, y_name))
    body += "".join(_x_axis(ticks or _round_ticks(x_most), x_most, x_name))
    body += "".join(_drawn(line, x_most, y_most) for line in drawn)
    legend = "".join(
        f'<span class="key"><svg width="28" height="10" aria-hidden="true">'
        f'<line class="line {line.style}" x1="1" x2="27" y1="5" y2="5"/></svg>{escape(line.name)}</span>'
        for line in drawn
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{body}</svg>'
        f'<p class="legend">{legend}</p></figure>'
    )


def _x(value: float, most: float) -> float:
    return round(LEFT + value / most * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float, most: float) -> float:
    return round(HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM), 1)


def _drawn(line: Line, x_most: float, y_most: float) -> str:
    points = " ".join(f"{_x(x, x_most)},{_y(y, y_most)}" for x, y in line.points)
    return f'<polyline class="line {line.style}" points="{points}"/>'


def _y_axis(step: float, name: str) -> list[str]:
    parts = []
    for number in range(TICKS + 1):
        y = _y(number, TICKS)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        label = f"{number * step:,.6g}"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>')
    middle = (HEIGHT - BOTTOM + TOP) / 2
    parts.append(
        f'<text class="name" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(name)}</text>"
    )
    return parts


def _x_axis(ticks: Sequence[Tick], most: float, name: str) -> list[str]:
    floor = HEIGHT - BOTTOM
    parts = [
        f'<text x="{_x(tick.at, most)}" y="{floor + 16}" text-anchor="middle">{tick.label}</text>'
        for tick in ticks
        if tick.at <= most
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="name" x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{escape(name)}</text>'
    )
    return parts


def _round_ticks(most: float) -> list[Tick]:
    step = _step(most)
    return [Tick(number * step, f"{number * step:g}") for number in range(TICKS + 1)]


def _step(most: float) -> float:
    """A round number, `TICKS` of which reach over `most`."""
    if most <= 0:
        return 1.0
    rough = most / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(one * power for one in SIGNIFICANT if one * power >= rough * (1 - 1e-9))
