"""What a table's guests notice of an attack: their latency beside what it is without one.

Twenty tables of four edit at a person's pace, each time against a new `comanda serve` with its rate limits
off, undisturbed and under each attack in turn. A ratio is taken within a round. Exit code 1: a guest was
told something wrong, or not everybody got in.

    python -m benchmarks.hostile [--rounds 3] [--seconds 15]
"""

import argparse
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import trio

from comanda.cli.load_server import CODE, own_server
from comanda.load import Figures, Plan, drive
from comanda.load.driving import allow_files

from .attackers import ATTACKS, Attack, carry_on
from .comparison import markdown, run_of, spread
from .machine import load_average, machine_in_words

TABLES = 20
EDITS_A_MINUTE = 120.0
"""A table's: 40 edits a second in all, so that some seconds have a 99th percentile."""

RAMP_SECONDS = 2.0
FILES = 4_096
MOST_RATIO = 2.0
"""Of the p99 with 500 heads that never end by that without: what is asked."""

UNDISTURBED = "nobody"


async def guests_under(attack: Attack | None, seconds: float) -> Figures:
    """The guests of a new server, with this attack on it from before the first joins to the end."""
    with tempfile.TemporaryDirectory(prefix="comanda-bench-") as folder:
        async with (
            own_server(Path(folder), TABLES, pos_delay_seconds=None) as server,
            trio.open_nursery() as nursery,
        ):
            if attack is not None:
                port = urlsplit(server.url).port
                assert port is not None
                nursery.start_soon(carry_on, attack, port)
            plan = Plan(
                server=server.url,
                tables=TABLES,
                seconds=seconds,
                edits_a_minute=EDITS_A_MINUTE,
                orders_a_minute=0,
                refreshes_a_minute=0,
                drops_a_minute=0,
                ramp_seconds=RAMP_SECONDS,
                table_code=CODE,
            )
            figures = await drive(plan, server_pid=server.pid)
            nursery.cancel_scope.cancel()
    return figures


def p99(figures: Figures) -> float:
    """Of an edit, to the last member of the table."""
    return figures.latencies["last_member"].p99


def p50(figures: Figures) -> float:
    return figures.latencies["last_member"].p50


def row(name: str, runs: list[Figures], quiet: list[Figures]) -> list[str]:
    """One attack's line in the table."""
    ratios = [p99(one) / p99(usual) for one, usual in zip(runs, quiet, strict=True)]
    cores = [one.server.cores for one in runs if one.server is not None]
    return [
        name,
        spread(map(p50, runs)).text(",.1f"),
        spread(map(p99, runs)).text(",.1f"),
        spread(ratios).text(",.2f"),
        spread(cores).text(",.2f"),
    ]


HEADING = ["attacked by", "p50, ms", "p99, ms", "p99 by the usual", "server's cores"]


def main() -> None:
    """Measure all, and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each that are measured")
    arguments = parser.parse_args()
    if not allow_files(FILES):
        sys.exit(f"{FILES} open files are needed; the system allows fewer")
    print(machine_in_words(), f"Load average {load_average()}.", flush=True)
    runs: dict[str, list[Figures]] = {}
    for number in range(1, arguments.rounds + 1):
        for attack in (None, *ATTACKS):
            name = UNDISTURBED if attack is None else f"{attack.connections} {attack.name}"
            figures = trio.run(guests_under, attack, arguments.seconds)
            runs.setdefault(name, []).append(figures)
            print(f"  round {number}: {name}: p99 {p99(figures):.1f} ms", flush=True)
    quiet = runs[UNDISTURBED]
    print(f"\n{markdown([HEADING, *(row(name, found, quiet) for name, found in runs.items())])}\n")
    heads = f"{ATTACKS[0].connections} {ATTACKS[0].name}"
    ratio = spread(p99(one) / p99(usual) for one, usual in zip(runs[heads], quiet, strict=True))
    verdict = "met" if ratio.median <= MOST_RATIO else "missed"
    print(f"p99 under {heads}, at most {MOST_RATIO:g} of the usual: {ratio.text('.2f')}, {verdict}")
    troubles = [
        f"{name}: {trouble}"
        for name, found in runs.items()
        for each in found
        for trouble in run_of(name, 0, each).troubles
    ]
    for trouble in troubles:
        print(trouble)
    print(f"Load average {load_average()} after.")
    sys.exit(1 if troubles else 0)


if __name__ == "__main__":
    main()
