"""What `comanda top` shows: a picture for a terminal of any size, or plain lines. No escape gets through."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from comanda.actors.domain.messages import PartyInfo

from .phone import clean
from .top_figures import Figures, Latency

COLUMNS = ("table", "restaurant", "online", "cart", "order", "open for")
LATENCY_COLUMNS = ("a second", "p50", "p99")
FRAME_ROWS = 5
"""Rows of the tables' heading, of its frame, and of how many more there are."""


class OpenTable(Struct, frozen=True):
    """A table with a party at it. `restaurant` is a name."""

    label: str
    restaurant: str
    currency: str
    party: PartyInfo


class Picture(Struct, frozen=True):
    """All that is shown at one moment. `tables` is None without the staff's token; `remark` explains."""

    server: str
    at: datetime
    figures: Figures
    tables: tuple[OpenTable, ...] | None = None
    remark: str = ""

    def lines(self) -> Iterator[str]:
        """The picture without its tables, as lines of plain text."""
        figures = self.figures
        yield f"{clean(self.server)}  {self.at:%H:%M:%S}"
        yield (
            f"sessions {figures.sessions:g}, members online {figures.members:g}, quarantined "
            f"{figures.quarantined:g}, CPU {figures.cpu:.0%} of a core, memory "
            f"{figures.memory_bytes / 2**20:.0f} MiB"
        )
        works = "" if figures.works_a_commit is None else f" of {figures.works_a_commit:.1f} works"
        yield (
            f"storage {figures.commits:,.0f} commits/s{works}, writing {figures.storage_busy:.0%} of "
            f"the time, {figures.storage_waiting:g} waiting"
        )
        yield (
            f"mailboxes {figures.waiting:g} commands waiting, the deepest {figures.waiting_max:g}"
        )
        yield f"orders now: {_counted(figures.unsettled, '{:g}')}"
        refused = _counted(figures.refused, "{:,.1f}/s")
        yield f"refused: {refused}; POS calls: {_counted(figures.pos_outcomes, '{:,.1f}/s')}"

    def slow_lines(self) -> Iterator[str]:
        """Slow spots, a line each."""
        for spot in self.figures.slow:
            yield f"! {clean(spot)}"

    def latencies(self) -> tuple[tuple[str, Latency], ...]:
        """Every latency with what it is of."""
        figures = self.figures
        return (
            *((one.name, one) for one in figures.commands),
            *((f"POS {one.name}", one) for one in figures.pos),
            *((f"order until {one.name}", one) for one in figures.outcomes),
        )


def plain(picture: Picture) -> Iterator[str]:
    """The whole picture as lines, for what is no terminal; a table's columns are separated by tabs."""
    yield from picture.lines()
    yield "\t".join(("took", *LATENCY_COLUMNS))
    for name, one in picture.latencies():
        yield "\t".join((clean(name), *_latency_cells(one)))
    yield from picture.slow_lines()
    if picture.tables is not None:
        yield "\t".join(COLUMNS)
    for table in picture.tables or ():
        yield "\t".join(_cells(table, picture.at))
    if picture.remark:
        yield clean(picture.remark)


def drawn(picture: Picture, console: Console) -> RenderableType:
    """The picture for a terminal: of the tables as many as there is room for."""
    head, *rest = picture.lines()
    spots = [Text(line, "bold yellow") for line in picture.slow_lines()]
    latencies = _latency_table(picture.latencies())
    parts: list[RenderableType] = [Text(head, "bold"), *(_line(line) for line in rest)]
    parts += [latencies, *(spots or [_line("nothing is slow", "green")])]
    if picture.remark:
        parts.append(_line(clean(picture.remark), "dim"))
    if picture.tables is not None:
        used = len(console.render_lines(Group(*parts)))
        room = max(console.height - used - FRAME_ROWS, 1)
        parts.append(_table_of(picture.tables, picture.at, room))
    return Group(*parts)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _latency_table(latencies: Sequence[tuple[str, Latency]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("")
    for name in LATENCY_COLUMNS:
        table.add_column(name, justify="right")
    for name, one in latencies:
        table.add_row(*(Text(cell) for cell in (clean(name), *_latency_cells(one))))
    return table


def _latency_cells(one: Latency) -> tuple[str, str, str]:
    return f"{one.rate:,.1f}", _seconds(one.p50), _seconds(one.p99)


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _table_of(tables: Sequence[OpenTable], at: datetime, rows: int) -> RenderableType:
    """The open tables, those with an order first, then the longest open."""
    table = Table(*COLUMNS, box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for one in tables[:rows]:
        table.add_row(*(_line(cell) for cell in _cells(one, at)))
    if len(tables) <= rows:
        return table
    return Group(table, _line(f"and {len(tables) - rows} more open tables", "dim"))


def by_urgency(tables: Sequence[OpenTable]) -> tuple[OpenTable, ...]:
    """Tables whose orders are in doubt first, then those that order, then the longest open."""

    def place(one: OpenTable) -> tuple[bool, bool, datetime]:
        party = one.party
        return not party.orders_in_doubt, party.pending_order is None, party.opened_at

    return tuple(sorted(tables, key=place))


def _cells(table: OpenTable, at: datetime) -> tuple[str, ...]:
    party = table.party
    online = sum(member.online for member in party.members)
    orders = [] if party.pending_order is None else [party.pending_order]
    orders += party.orders_in_doubt
    words = (f"{one.order_id} {one.state} {_ago(one.placed_at, at)}" for one in orders)
    pin = "" if party.join_pin is None else f", PIN {party.join_pin}"
    cells = (
        f"{table.label}{pin}",
        table.restaurant,
        f"{online}/{len(party.members)}",
        f"{party.total} {table.currency}",
        ", ".join(words) or "-",
        _ago(party.opened_at, at),
    )
    return tuple(clean(cell) for cell in cells)


def _ago(then: datetime, now: datetime) -> str:
    seconds = max(0.0, (now - then).total_seconds())
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds // 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _counted(counts: Mapping[str, float], form: str) -> str:
    some = [
        f"{clean(name)} {form.format(count)}" for name, count in sorted(counts.items()) if count
    ]
    return ", ".join(some) or "none"
