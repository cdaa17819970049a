"""The report: one HTML file with all figures and plots, which asks no other host for anything."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources

from hdrh.histogram import HdrHistogram
from msgspec.structs import asdict

from comanda import __version__

from .charts import Line, Tick, line_chart
from .figures import NAMES, Figures, Latency
from .plan import Plan

SHARES = (0, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99)
"""Percentiles that are drawn, on an axis on which each nine takes as much room as the last."""

SHARE_TICKS = (50, 90, 99, 99.9, 99.99)

POINTS_DRAWN = 600
"""Of a run's course: a day has 86,400 moments, and a chart is 720 units wide."""


def html_report(plan: Plan, figures: Figures) -> str:
    """The whole page."""
    style = resources.files("comanda.load").joinpath("report.css").read_text("utf-8")
    pace = (
        "a closed loop" if plan.closed_loop else f"{plan.edits_a_minute:g} edits a minute at each"
    )
    title = f"{plan.tables} tables × {plan.members} members, {pace}"
    where = escape(plan.server) or "a server of its own"
    parts = [
        f"<h1>Load: {escape(title)}</h1>",
        f"<p>Comanda {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {where}</p>",
        _verdict(figures),
        _tiles(figures),
        "<h2>Latencies</h2>",
        "<p>In milliseconds, corrected for coordinated omission.</p>",
        _latency_table(figures.latencies),
        _percentile_chart(figures),
        "<h2>Its course</h2>",
        *_course(figures),
        "<h2>Refusals and errors</h2>",
        _counts({"refused": figures.refused, "error": figures.errors}),
        "<h2>The plan</h2>",
        _rows((key, str(value)) for key, value in asdict(plan).items()),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Load: {escape(title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(parts)}</main></body></html>\n"
    )


def _verdict(figures: Figures) -> str:
    notes = ""
    if figures.interrupted:
        notes += "<p>The run was ended early; this is what was measured until then.</p>"
    if figures.unsettled:
        notes += f"<p>{figures.unsettled} tables were not quiet in time.</p>"
    if not figures.wrongs:
        right = "Right: every member was told the same, and nothing was lost."
        return f'<p class="right">✓ {right}</p>{notes}'
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in figures.wrongs[:200])
    wrong = f"Wrong: {len(figures.wrongs)} things that must not be"
    return f'<div class="wrong"><p>✗ {wrong}</p><ul>{items}</ul></div>{notes}'


def _tiles(figures: Figures) -> str:
    tiles = [
        ("edits a second", f"{figures.edits_a_second:,.0f}"),
        ("deliveries a second", f"{figures.deliveries_a_second:,.0f}"),
        ("seated tables", f"{figures.seated:,} of {figures.tables:,}"),
        ("measured", f"{figures.seconds:,.1f} s"),
        ("driver", f"{figures.driver_cores:.2f} cores"),
    ]
    if figures.orders:
        tiles.append(("orders", f"{figures.orders:,}"))
    cost = figures.server
    if cost is not None:
        tiles.append(("server", f"{cost.cores:.2f} cores"))
        if cost.delivery_micros is not None:
            tiles.append(("CPU a delivery", f"{cost.delivery_micros:,.1f} µs"))
        tiles.append(("server's memory", f"{cost.resident_bytes / 2**20:,.0f} MiB"))
        if cost.connection_bytes is not None:
            tiles.append(("a connection", f"{cost.connection_bytes / 1000:,.1f} kB"))
    items = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    return f'<dl class="tiles">{items}</dl>'


def _latency_table(latencies: Mapping[str, Latency]) -> str:
    head = "".join(
        f'<th scope="col">{one}</th>' for one in ("", "count", "p50", "p90", "p99", "p99.9", "max")
    )
    rows = ""
    for key, name in NAMES.items():
        one = latencies.get(key)
        if one is None or not one.count:
            continue
        values = (one.p50, one.p90, one.p99, one.p99_9, one.max)
        cells = "".join(f"<td>{value:,.1f}</td>" for value in values)
        rows += f'<tr><th scope="row">{name}</th><td>{one.count:,}</td>{cells}</tr>'
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _percentile_chart(figures: Figures) -> str:
    lines = [
        Line(name, f"s{number}", _curve(figures.latencies[key]))
        for number, (key, name) in enumerate(NAMES.items(), start=1)
        if key in figures.latencies and figures.latencies[key].count and key != "outcome"
    ]
    ticks = [Tick(_nines(share), f"{share:g} %") for share in SHARE_TICKS]
    return line_chart("Latency by percentile", "percentile", "ms", lines, ticks)


def _curve(latency: Latency) -> list[tuple[float, float]]:
    histogram = HdrHistogram.decode(latency.histogram.encode())
    drawn = [share for share in SHARES if latency.count * (1 - share / 100) >= 1]
    return [(_nines(share), histogram.get_value_at_percentile(share) / 1000) for share in drawn]


def _nines(share: float) -> float:
    return -math.log10(1 - share / 100)


def _course(figures: Figures) -> list[str]:
    every = max(1, math.ceil(len(figures.moments) / POINTS_DRAWN))
    moments = figures.moments[::every]
    cpu = [(one.at, one.server_cpu) for one in moments if one.server_cpu is not None]
    memory = [(one.at, one.server_bytes / 2**20) for one in moments if one.server_bytes is not None]
    when = "seconds"
    return [
        line_chart(
            "Throughput",
            when,
            "a second",
            [
                Line("deliveries", "s1", [(one.at, one.deliveries_a_second) for one in moments]),
                Line("edits", "s2", [(one.at, one.edits_a_second) for one in moments]),
            ],
        ),
        line_chart(
            "Edit → last member",
            when,
            "ms",
            [
                Line("p99", "s1", [(one.at, one.p99) for one in moments]),
                Line("p50", "s2", [(one.at, one.p50) for one in moments]),
            ],
        ),
        line_chart("The server's CPU", when, "cores", [Line("server", "s1", cpu)]),
        line_chart("The server's memory", when, "MiB", [Line("server", "s1", memory)]),
    ]


def _counts(groups: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        (f"{kind}: {code}", f"{count:,}")
        for kind, counts in groups.items()
        for code, count in sorted(counts.items())
    ]
    return _rows(rows) if rows else "<p>None.</p>"


def _rows(rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f'<div class="wide"><table>{cells}</table></div>'
