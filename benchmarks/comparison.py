"""What rounds of runs come to: medians with their ranges, and ratios between services."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from msgspec import Struct

from comanda.load import Figures

NOTHING = "–"


class Run(Struct, frozen=True, kw_only=True):
    """One service, driven once. Latency in milliseconds, CPU a delivery in microseconds.

    `troubles` are sentences about what went wrong: such a run proves nothing.
    """

    service: str
    round: int
    edits_a_second: float
    delivery_micros: float
    server_cores: float
    driver_cores: float
    p99_ms: float
    troubles: tuple[str, ...] = ()


def run_of(service: str, number: int, figures: Figures) -> Run:
    """What the driver has found, without what is not compared."""
    troubles = [*figures.wrongs[:3], *(f"{n} × {what}" for what, n in figures.errors.items())]
    if figures.seated < figures.tables:
        troubles.append(f"only {figures.seated} of {figures.tables} tables were seated")
    if figures.server is None or figures.server.delivery_micros is None:
        troubles.append("nothing was delivered")
    server = figures.server
    return Run(
        service=service,
        round=number,
        edits_a_second=figures.edits_a_second,
        delivery_micros=(server.delivery_micros or 0.0) if server else 0.0,
        server_cores=server.cores if server else 0.0,
        driver_cores=figures.driver_cores,
        p99_ms=figures.latencies["last_member"].p99,
        troubles=tuple(troubles),
    )


def failed_run(service: str, number: int, why: str) -> Run:
    """A run that did not come about."""
    return Run(
        service=service,
        round=number,
        edits_a_second=0.0,
        delivery_micros=0.0,
        server_cores=0.0,
        driver_cores=0.0,
        p99_ms=0.0,
        troubles=(why,),
    )


class Spread(Struct, frozen=True):
    """The middle of some figures, the smallest and the largest."""

    median: float
    low: float
    high: float

    def text(self, form: str = ",.0f") -> str:
        """As it stands in a table: the median, and the range where there is one."""
        if format(self.low, form) == format(self.high, form):
            return format(self.median, form)
        return f"{self.median:{form}} ({self.low:{form}} to {self.high:{form}})"


def spread(values: Iterable[float]) -> Spread:
    """Of at least one figure."""
    ordered = sorted(values)
    return Spread(median(ordered), ordered[0], ordered[-1])


Figure = Callable[[Run], float]


def ratio(runs: Sequence[Run], service: str, peer: str, figure: Figure) -> Spread | None:
    """One service's figure by another's, round by round, so that both met the machine in the same mood.

    None where no round has both, each without troubles.
    """
    theirs = {run.round: figure(run) for run in runs if run.service == peer and not run.troubles}
    values = [
        figure(run) / theirs[run.round]
        for run in runs
        if run.service == service and not run.troubles and theirs.get(run.round)
    ]
    return spread(values) if values else None


def edits(run: Run) -> float:
    """Edits a second."""
    return run.edits_a_second


def cpu(run: Run) -> float:
    """CPU a delivery."""
    return run.delivery_micros


class Column(Struct, frozen=True):
    """A ratio that is asked about: to which peer, of which figure."""

    heading: str
    peer: str
    figure: Figure


def rows(runs: Sequence[Run], columns: Sequence[Column]) -> list[list[str]]:
    """The table, its heading first, the services in the order in which they ran."""
    table = [
        [
            "service",
            "edits/s",
            "µs CPU a delivery",
            "p99 to the last member, ms",
            "server's cores",
            "driver's cores",
            *(column.heading for column in columns),
        ]
    ]
    for name in dict.fromkeys(run.service for run in runs):
        good = [run for run in runs if run.service == name and not run.troubles]
        if not good:
            table.append([name, "went wrong", *[NOTHING] * (len(table[0]) - 2)])
            continue
        row = [
            name,
            spread(run.edits_a_second for run in good).text(),
            spread(run.delivery_micros for run in good).text(".1f"),
            spread(run.p99_ms for run in good).text(".0f"),
            spread(run.server_cores for run in good).text(".2f"),
            spread(run.driver_cores for run in good).text(".2f"),
        ]
        for column in columns:
            found = ratio(runs, name, column.peer, column.figure)
            row.append(NOTHING if found is None or name == column.peer else found.text(".2f"))
        table.append(row)
    return table


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A table as Markdown, in columns that can be read as they are."""
    widths = [max(len(row[index]) for row in table) for index in range(len(table[0]))]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width for width in widths]
    return "\n".join(line(row) for row in (table[0], rule, *table[1:]))


class Aim(Struct, frozen=True):
    """What a ratio of Comanda's should be: at most, or at least, `bound`."""

    text: str
    peer: str
    figure: Figure
    bound: float
    at_most: bool


def verdict(runs: Sequence[Run], service: str, aim: Aim) -> str:
    """An aim, what was seen, and whether that meets it."""
    found = ratio(runs, service, aim.peer, aim.figure)
    if found is None:
        return f"{aim.text}: not measured"
    met = found.median <= aim.bound if aim.at_most else found.median >= aim.bound
    return f"{aim.text}: {found.text('.2f')}, {'met' if met else 'missed'}"
