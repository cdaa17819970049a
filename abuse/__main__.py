"""`python -m abuse`: run a hostile evening, print what came of it. Exit code 1 where anything was wrong."""

import argparse
import shlex
from collections.abc import Sequence
from functools import partial

from chaos.telling import VIOLATED, run_to_exit, scratch, tell
from comanda.cli.load_server import NotStarted
from comanda.load import DriverFailed

from .attacks import ATTACKS
from .crew import CrewFailed
from .evening import run_evening
from .plan import TABLES_A_RESTAURANT, Plan
from .report import progress, table

SECONDS_LEAST = 6.0
"""In less the honest tables do not get to order anything."""


def parse(arguments: Sequence[str] | None = None) -> Plan:
    """The plan that a command line asks for."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m abuse", description=__doc__)
    parser.add_argument("--seconds", type=float, default=plan.seconds)
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument(
        "--rate",
        type=float,
        default=plan.rate,
        help="hostile frames and requests a second, at most",
    )
    parser.add_argument("--processes", type=int, default=plan.processes, help="of hostile clients")
    parser.add_argument("--tables", type=int, default=plan.tables, help="that are honest")
    parser.add_argument(
        "--only",
        action="append",
        choices=list(ATTACKS),
        default=[],
        help="this kind of attack alone; may be given several times",
    )
    parser.add_argument("--server-module", default="comanda", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if not 1 <= given.tables <= TABLES_A_RESTAURANT:
        parser.error(f"tables are 1 to {TABLES_A_RESTAURANT}")
    if not 1 <= given.processes <= 16 or not 1 <= given.rate <= 1e6:
        parser.error("processes are 1 to 16, the rate 1 to a million")
    if not SECONDS_LEAST <= given.seconds <= 86_400:
        parser.error(f"seconds are {SECONDS_LEAST:g} to 86,400")
    return Plan(
        seconds=given.seconds,
        seed=given.seed,
        rate=given.rate,
        processes=given.processes,
        tables=given.tables,
        only=tuple(given.only),
        server_module=tuple(shlex.split(given.server_module)),
    )


async def run(plan: Plan) -> int:
    """The evening; its exit code."""
    with scratch(f"comanda-abuse-{plan.seed}-") as folder:
        evening = await run_evening(plan, folder.path, lambda now: print(progress(now), flush=True))
        folder.kept = bool(evening.violations)
        print(table(evening), flush=True)
        if not evening.violations:
            return 0
        tell(evening.violations, folder.path, "database, ledger, logs", plan.repeated_by)
        return VIOLATED


def main() -> None:
    """The command."""
    run_to_exit("abuse", partial(run, parse()), NotStarted, DriverFailed, CrewFailed)


if __name__ == "__main__":
    main()
