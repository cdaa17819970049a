"""A street of restaurants at a person's pace: 2,500 tables of four, and 100 tables beside them.

Every member edits the cart about every 12 seconds, every table orders about every ten minutes. The 100
tables run twice: once at that pace, and once so fast that they make as many edits and orders a second
together as the street does. The first bears what a server costs that has little to do, and commits that
are hardly ever grouped; the second tells what many tables cost by themselves. Orders go to `comanda pos`,
and its ledger is compared with what the tables were told. Exit code 1: something was told wrong, or not
everybody got in.

    python -m benchmarks.street [--tables 2500] [--seconds 60] [--beside 100] [--json FILE]
"""

import argparse
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import trio

from comanda.cli.load_server import CODE, own_server
from comanda.load import Figures, Plan
from comanda.load.driving import Driving, allow_files, drive_in_detail, files_needed

from .comparison import markdown, run_of
from .machine import load_average, machine_in_words

MEMBERS = 4
EDITS_A_MINUTE = MEMBERS * 60 / 12
ORDERS_A_MINUTE = 1 / 10
POS_DELAY_SECONDS = 3.0
"""As the specification's dummy POS."""

JOINS_A_SECOND = 100
"""A street does not sit down in one moment: every join is a commit."""

LEAST_RAMP_SECONDS = 5.0

P99_MS = 100.0
CORES = 1.0
CONNECTION_BYTES = 48 * 1024
DEARER = 1.2
"""The bounds that the street is to keep; the last is its cost a delivery by that of the tables beside."""


async def driven(tables: int, seconds: float, paces: float = 1.0) -> Figures:
    """A new server with so many tables, and its guests, who make `paces` of a person's edits and orders."""
    plan = Plan(
        server="",
        tables=tables,
        members=MEMBERS,
        seconds=seconds,
        edits_a_minute=EDITS_A_MINUTE * paces,
        orders_a_minute=ORDERS_A_MINUTE * paces,
        refreshes_a_minute=0,
        drops_a_minute=0,
        ramp_seconds=max(LEAST_RAMP_SECONDS, tables * MEMBERS / JOINS_A_SECOND),
        table_code=CODE,
    )
    if not allow_files(files_needed(plan)):  # the server's too, which inherits the limit
        sys.exit(f"{files_needed(plan)} open files are needed; the system allows fewer")
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="comanda-bench-"))
        server = await stack.enter_async_context(
            own_server(Path(folder), tables, pos_delay_seconds=POS_DELAY_SECONDS)
        )
        driving = await drive_in_detail(
            msgspec.structs.replace(plan, server=server.url),
            server_pid=server.pid,
            stop=trio.Event(),
            show=Progress().show,
        )
        driving.figures.wrongs += await server.end()
        driving.figures.wrongs += server.ledger_wrongs(driving.orders)
    return driving.figures


class Progress:
    """A line whenever the run comes to another stage."""

    def __init__(self) -> None:
        self._stage = ""

    def show(self, driving: Driving) -> None:
        """Say where the run is, if that is new."""
        if driving.stage != self._stage:
            self._stage = driving.stage
            print(
                f"  {driving.plan.tables} tables: {self._stage}; {driving.figures.seated} seated, "
                f"load {load_average()}",
                flush=True,
            )


def row(figures: Figures) -> list[str]:
    """One street in a table."""
    server = figures.server
    assert server is not None
    micros, each = server.delivery_micros or 0.0, server.connection_bytes or 0.0
    return [
        f"{figures.tables:,} × {figures.members}",
        f"{figures.edits_a_second:,.0f}",
        f"{figures.latencies['last_member'].p99:.0f}",
        f"{server.cores:.2f}",
        f"{each / 1024:.1f}",
        f"{micros:.1f}",
        f"{figures.orders}",
        f"{figures.driver_cores:.2f}",
    ]


HEADING = [
    "tables × members",
    "edits/s",
    "p99 to the last member, ms",
    "server's cores",
    "kB a connection",
    "µs CPU a delivery",
    "orders",
    "driver's cores",
]


def verdicts(street: Figures, slow: Figures, fast: Figures) -> list[str]:
    """What was asked of the street, what was seen, and whether that meets it.

    `slow` and `fast` are the tables beside it, at a person's pace and with as much to do as the street.
    """
    cost = street.server
    assert cost is not None
    seen = [
        ("p99 to the last member, ms", street.latencies["last_member"].p99, P99_MS),
        ("server's cores", cost.cores, CORES),
        ("kB a connection", (cost.connection_bytes or 0.0) / 1024, CONNECTION_BYTES / 1024),
        ("CPU a delivery, of few tables' at the same pace", _dearer(street, slow), DEARER),
        (
            "CPU a delivery, of few tables' with as many edits and orders",
            _dearer(street, fast),
            DEARER,
        ),
    ]
    return [
        f"{what}, at most {bound:g}: {value:.2f}, {'met' if value <= bound else 'missed'}"
        for what, value, bound in seen
    ]


def _dearer(street: Figures, beside: Figures) -> float:
    assert street.server is not None
    assert beside.server is not None
    return (street.server.delivery_micros or 0.0) / (beside.server.delivery_micros or 1.0)


def main() -> None:
    """Drive all three, and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tables", type=int, default=2_500)
    parser.add_argument("--seconds", type=float, default=60.0, help="that are measured")
    parser.add_argument("--beside", type=int, default=100, help="tables of the other two")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    arguments = parser.parse_args()
    before, machine = load_average(), machine_in_words()
    slow = trio.run(driven, arguments.beside, arguments.seconds)
    busy = arguments.tables / arguments.beside
    fast = trio.run(driven, arguments.beside, arguments.seconds, busy)
    street = trio.run(driven, arguments.tables, arguments.seconds)
    print(f"\n{markdown([HEADING, row(slow), row(fast), row(street)])}\n")
    for sentence in verdicts(street, slow, fast):
        print(sentence)
    print(f"{machine} Load average {before} before, {load_average()} after.")
    troubles = [one for each in (slow, fast, street) for one in run_of("", 0, each).troubles]
    for trouble in troubles:
        print(trouble)
    if arguments.json:
        facts = {"machine": machine, "slow": slow, "fast": fast, "street": street}
        arguments.json.write_bytes(msgspec.json.encode(facts))
    sys.exit(1 if troubles else 0)


if __name__ == "__main__":
    main()
