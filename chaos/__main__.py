"""`python -m chaos`: run the proof, print what it found. Exit code 1 where an invariant did not hold."""

import argparse
import random
import shlex
from collections.abc import Sequence
from functools import partial

from .evening import run_evening
from .house import ProgramBroken
from .measures import Measures, table
from .plan import CYCLES_AN_EVENING, DISTURBANCES, SPECIAL_DISTURBANCES, Plan
from .telling import VIOLATED, run_to_exit, scratch, tell


def parse(arguments: Sequence[str] | None = None) -> Plan:
    """The plan that a command line asks for."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--cycles", type=int, default=plan.cycles)
    parser.add_argument("--seed", type=int, default=plan.seed)
    parser.add_argument("--tables", type=int, default=plan.tables, help="in the database")
    parser.add_argument("--active", type=int, default=plan.active, help="with members at them")
    parser.add_argument(
        "--only",
        action="append",
        choices=[*DISTURBANCES, *SPECIAL_DISTURBANCES],
        default=[],
        help="this disturbance alone; may be given several times",
    )
    parser.add_argument("--server-module", default=plan.server_module, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if not 1 <= given.active <= given.tables <= 1000 or given.cycles < 1:
        parser.error("at least one cycle; tables 1 to 1000, of which some are active")
    module, *rest = shlex.split(given.server_module)
    return Plan(
        given.cycles, given.seed, given.tables, given.active, tuple(given.only), module, tuple(rest)
    )


async def run(plan: Plan) -> int:
    """Evening after evening, to the first violation or to the end; the exit code."""
    measures = Measures()
    done = 0
    while done < plan.cycles:
        cycles = min(CYCLES_AN_EVENING, plan.cycles - done)
        evening = done // CYCLES_AN_EVENING
        with scratch(f"comanda-chaos-{plan.seed}-{evening}-") as folder:
            rng = random.Random(f"{plan.seed}:{evening}")
            outcome = await run_evening(plan, cycles, folder.path, rng, _show)
            done += cycles
            measures.add(outcome.measures)
            folder.kept = bool(outcome.violations)
            if outcome.violations:
                print(table(done, len(outcome.violations), measures))
                lines = [f"{one.invariant:<10} {one.sentence}" for one in outcome.violations]
                tell(lines, folder.path, "journal, ledger, database, logs", plan.repeated_by)
                return VIOLATED
    print(table(done, 0, measures))
    return 0


def _show(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    """The command."""
    run_to_exit("chaos", partial(run, parse()), ProgramBroken)


if __name__ == "__main__":
    main()
