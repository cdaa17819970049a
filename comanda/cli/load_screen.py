"""What `comanda load` shows: how far it is, as a bar or as plain lines, and the table at the end."""

from collections.abc import Mapping, Sequence

import trio
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from comanda.load import Figures
from comanda.load.driving import Driving
from comanda.load.figures import NAMES, Cost, Latency

PLAIN_SECONDS = 5.0
"""Between two lines, where the output is no terminal."""

BAR_COLUMNS = 40
WRONGS_SHOWN = 12


class Screen:
    """Shows a run while it goes on. Use it as a context."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, transient=True, auto_refresh=False)
        self._said_at = -PLAIN_SECONDS
        self._stage = ""

    def __enter__(self) -> "Screen":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self, driving: Driving) -> None:
        """How far it is now."""
        if self._console.is_terminal:
            self._live.update(_bar(driving), refresh=True)
            return
        now = trio.current_time()
        if driving.stage != self._stage or now >= self._said_at + PLAIN_SECONDS:
            self._stage, self._said_at = driving.stage, now
            self._console.print(f"{driving.stage}: {_words(driving)}", soft_wrap=True)


def _bar(driving: Driving) -> Group:
    done, whole = _progress(driving)
    row = Table.grid(padding=(0, 1))
    row.add_row(
        Text(f"{driving.stage:<12}", "bold"),
        ProgressBar(total=whole, completed=done, width=BAR_COLUMNS),
        Text(f"{done:.0f} of {whole:g} {'s' if driving.stage == 'measuring' else 'tables'}"),
    )
    return Group(row, Text(_words(driving), "dim"))


def _progress(driving: Driving) -> tuple[float, float]:
    if driving.stage == "sitting down":
        return driving.figures.seated, driving.plan.tables
    if driving.stage == "measuring":
        moments = driving.figures.moments
        return (moments[-1].at if moments else 0.0), driving.plan.seconds
    return driving.plan.tables, driving.plan.tables


def _words(driving: Driving) -> str:
    figures = driving.figures
    words = [
        f"{figures.seated} of {figures.tables} tables joined",
        f"{driving.connections} connections",
    ]
    if figures.moments:
        last = figures.moments[-1]
        words += [f"{last.edits_a_second:,.0f} edits/s", f"p99 {last.p99:,.1f} ms"]
        if last.server_cpu is not None:
            words.append(f"server {last.server_cpu:.0%} of a core")
    words.append(f"errors {sum(figures.errors.values()) + sum(driving.total.errors.values())}")
    return ", ".join(words)


def print_figures(console: Console, figures: Figures) -> None:
    """The table at the end."""
    console.print()
    if figures.interrupted:
        console.print("Ended early; this is what was measured until then.", style="yellow")
    console.print(_facts(figures))
    console.print()
    console.print(_latencies(figures.latencies))
    if figures.refused:
        console.print(f"refused by the server, as it may: {_counted(figures.refused)}")
    if figures.errors:
        console.print(f"errors: {_counted(figures.errors)}", style="yellow")
    if figures.unsettled:
        console.print(f"{figures.unsettled} tables were not quiet in time", style="yellow")
    for line in _verdict(figures.wrongs):
        console.print(line, soft_wrap=True)


def _facts(figures: Figures) -> Table:
    table = Table.grid(padding=(0, 2))
    seats = f"{figures.seated} of {figures.tables} tables × {figures.members} members"
    table.add_row("seated", seats)
    table.add_row("measured", f"{figures.seconds:,.1f} s")
    table.add_row("edits", f"{figures.edits:,} ({figures.edits_a_second:,.0f}/s)")
    table.add_row("deliveries", f"{figures.deliveries:,} ({figures.deliveries_a_second:,.0f}/s)")
    if figures.orders or figures.refreshes or figures.drops:
        evening = f"{figures.orders:,}, refreshes {figures.refreshes:,}, drops {figures.drops:,}"
        table.add_row("orders", evening)
    table.add_row("server", _cost(figures.server))
    driver = f"{figures.driver_cores:.2f} cores in {figures.driver_processes} processes"
    table.add_row("driver", driver)
    return table


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return "its process cannot be seen from here"
    words = [f"{cost.cores:.2f} cores", f"{cost.resident_bytes / 2**20:,.0f} MiB"]
    if cost.delivery_micros is not None:
        words.insert(1, f"{cost.delivery_micros:,.1f} µs CPU a delivery")
    if cost.connection_bytes is not None:
        words.append(f"{cost.connection_bytes / 1000:,.1f} kB a connection")
    return ", ".join(words)


def _latencies(latencies: Mapping[str, Latency]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("ms, corrected")
    for name in ("count", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(name, justify="right")
    for key, name in NAMES.items():
        one = latencies.get(key)
        if one is not None and one.count:
            values = (one.p50, one.p90, one.p99, one.p99_9, one.max)
            table.add_row(name, f"{one.count:,}", *(f"{value:,.1f}" for value in values))
    return table


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{code} {count:,}" for code, count in sorted(counts.items()))


def _verdict(wrongs: Sequence[str]) -> list[Text]:
    if not wrongs:
        return [Text("Right: every member was told the same, and nothing was lost.", "green")]
    shown = [Text(f"  {sentence}", "red") for sentence in wrongs[:WRONGS_SHOWN]]
    if len(wrongs) > WRONGS_SHOWN:
        shown.append(Text(f"  and {len(wrongs) - WRONGS_SHOWN} more", "red"))
    return [Text(f"WRONG: {len(wrongs)} things that must not be", "bold red"), *shown]
