"""`python -m chaos`: run the proof, print what it found. Exit code 1 where an invariant did not hold."""

import argparse
import math
import random
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio

from .evening import run_evening
from .evidence import Violation
from .house import ProgramBroken
from .measures import Measures, table
from .plan import CYCLES_AN_EVENING, DISTURBANCES, SPECIAL_DISTURBANCES, Plan

SHOWN_MOST = 20
"""Violations printed; the evidence has them all."""

VIOLATED, BROKEN, INTERRUPTED = 1, 2, 130
"""Exit codes: an invariant did not hold; a program did not even start; Ctrl-C or SIGTERM."""


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
        folder = Path(tempfile.mkdtemp(prefix=f"comanda-chaos-{plan.seed}-{evening}-"))
        kept = True
        try:
            rng = random.Random(f"{plan.seed}:{evening}")
            outcome = await run_evening(plan, cycles, folder, rng, _show)
            done += cycles
            measures.add(outcome.measures)
            kept = bool(outcome.violations)
            if outcome.violations:
                print(table(done, len(outcome.violations), measures))
                _tell(plan, outcome.violations, folder)
                return VIOLATED
        finally:
            interrupted = trio.current_effective_deadline() == -math.inf
            if interrupted or not kept:
                shutil.rmtree(folder, ignore_errors=True)
    print(table(done, 0, measures))
    return 0


def _show(line: str) -> None:
    print(line, flush=True)


def _tell(plan: Plan, violations: Sequence[Violation], folder: Path) -> None:
    lines = [f"{one.invariant:<10} {one.sentence}" for one in violations]
    text = "\n".join([f"Repeat: {plan.repeated_by}", *lines])
    (folder / "violations.txt").write_text(text + "\n", encoding="utf-8")
    for line in lines[:SHOWN_MOST]:
        print(line)
    if len(lines) > SHOWN_MOST:
        print(f"… and {len(lines) - SHOWN_MOST} more")
    print(f"Evidence: {folder} (journal, ledger, database, logs, violations.txt)")
    print(f"Repeat:   {plan.repeated_by}")


async def _until_told(plan: Plan) -> int:
    """Run; at SIGTERM end as at Ctrl-C, so that no program is left behind."""
    code = INTERRUPTED
    async with trio.open_nursery() as nursery:

        async def watch() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

        nursery.start_soon(watch)
        code = await run(plan)
        nursery.cancel_scope.cancel()
    return code


def main() -> None:
    """The command."""
    code = BROKEN
    try:
        code = trio.run(_until_told, parse())
    except* ProgramBroken as broken:
        print(f"chaos: {_innermost(broken)}", file=sys.stderr)
    raise SystemExit(code)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    main()
