"""Comanda and three services written by hand, one after the other on the same workload.

A closed loop: at each table one edit is in flight, and the next goes out when every member has heard of
the last. Each run has a new process and a new database; the services take turns, round after round. The
whole process of a service counts, its threads too. Exit code 1: somebody was told something wrong.

    python -m benchmarks.compare [--rounds 3] [--seconds 8] [--only Comanda] [--json FILE]
"""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec
import trio

from comanda.cli.load_server import NotStarted
from comanda.load import DriverFailed, Figures, Plan, drive
from comanda.load.driving import allow_files, files_needed

from .comparison import Aim, Column, Run, cpu, edits, failed_run, markdown, rows, run_of, verdict
from .machine import load_average, machine_in_words
from .services import (
    IN_MEMORY,
    IN_MEMORY_OLDER,
    NAMES,
    NODE,
    OURS,
    SQLALCHEMY,
    Service,
    services,
    table_code,
)

COLUMNS = (
    Column("CPU, of FastAPI in memory", IN_MEMORY.name, cpu),
    Column("CPU, of the older way", IN_MEMORY_OLDER.name, cpu),
    Column("edits/s, of SQLAlchemy's", SQLALCHEMY.name, edits),
    Column("edits/s, of node's", NODE.name, edits),
)
AIMS = (
    Aim("CPU a delivery, of FastAPI's in memory, at most 1", IN_MEMORY.name, cpu, 1.0, True),
    Aim("the same, of uvicorn's older way, at most 1", IN_MEMORY_OLDER.name, cpu, 1.0, True),
    Aim("edits/s, of FastAPI's with SQLAlchemy, at least 5", SQLALCHEMY.name, edits, 5.0, False),
    Aim("edits/s, of node's with better-sqlite3, at least 1", NODE.name, edits, 1.0, False),
)


def say(text: str, end: str = "\n") -> None:
    """Show how far it is."""
    print(text, end=end, flush=True)


async def measured(service: Service, number: int, plan: Plan) -> Run:
    """One service on a new database, driven once; a service that does not start has that as its trouble."""
    try:
        return run_of(service.name, number, await driven(service, plan))
    except (DriverFailed, NotStarted) as error:
        return failed_run(service.name, number, str(error))


async def driven(service: Service, plan: Plan) -> Figures:
    """The plan, carried out at a new process of the service."""
    with tempfile.TemporaryDirectory(prefix="comanda-bench-") as folder:
        async with service.start(Path(folder), plan.tables) as started:
            return await drive(
                msgspec.structs.replace(
                    plan,
                    server=started.url,
                    dialect=service.dialect,
                    request_ids=service.request_ids,
                    table_code=table_code(service),
                ),
                server_pid=started.pid,
            )


async def all_measured(found: list[Service], rounds: int, plan: Plan) -> list[Run]:
    """Round after round, a line each."""
    runs = []
    for number in range(1, rounds + 1):
        for service in found:
            say(f"  round {number} of {rounds}  {service.name:<32}", end="")
            run = await measured(service, number, plan)
            say(
                f"{run.edits_a_second:>8,.0f} edits/s {run.delivery_micros:>7.1f} µs CPU a delivery"
                f"   load {load_average()}"
            )
            for trouble in run.troubles:
                say(f"    {trouble}")
            runs.append(run)
    return runs


def main() -> None:
    """Measure, and print the table."""
    arguments = parsed()
    found = [one for one in services(say) if not arguments.only or one.name in arguments.only]
    plan = Plan(
        server="",
        tables=arguments.tables,
        members=arguments.members,
        seconds=arguments.seconds,
        closed_loop=True,
        ramp_seconds=2,
        settle_seconds=2,
    )
    allow_files(files_needed(plan))
    before, machine = load_average(), machine_in_words()
    say(f"{plan.tables} tables of {plan.members}, {plan.seconds:g} s a run. {machine}")
    runs = trio.run(all_measured, found, arguments.rounds, plan)
    say(f"\n{markdown(rows(runs, COLUMNS))}\n")
    for aim in AIMS:
        say(verdict(runs, OURS.name, aim))
    say(f"{machine} Load average {before} before, {load_average()} after.")
    if arguments.json:
        facts = {"plan": plan, "machine": machine, "load_before": before, "runs": runs}
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(facts)))
    sys.exit(1 if any(run.troubles for run in runs) else 0)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a run, measured")
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--members", type=int, default=4, help="of a table")
    parser.add_argument(
        "--only", action="append", choices=NAMES, metavar="NAME", help="; ".join(NAMES)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
