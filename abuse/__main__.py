"""`python -m abuse`: run a hostile evening, print what came of it. Exit code 1 where anything was wrong."""

import argparse
import math
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import trio

from comanda.cli.load_server import NotStarted
from comanda.load import DriverFailed

from .attacks import ATTACKS
from .crew import CrewFailed
from .evening import Evening, run_evening
from .plan import TABLES_A_RESTAURANT, Plan
from .report import progress, table

SHOWN_MOST = 20
"""Violations printed; the folder has them all."""

VIOLATED, BROKEN, INTERRUPTED = 1, 2, 130
"""Exit codes: something was wrong; the run could not be made; Ctrl-C or SIGTERM."""

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
    folder = Path(tempfile.mkdtemp(prefix=f"comanda-abuse-{plan.seed}-"))
    kept = True
    try:
        evening = await run_evening(plan, folder, lambda now: print(progress(now), flush=True))
        kept = bool(evening.violations)
        print(table(evening), flush=True)
        if kept:
            _tell(evening, folder)
    finally:
        interrupted = trio.current_effective_deadline() == -math.inf
        if interrupted or not kept:
            shutil.rmtree(folder, ignore_errors=True)
    return VIOLATED if evening.violations else 0


def _tell(evening: Evening, folder: Path) -> None:
    plan, lines = evening.plan, evening.violations
    text = "\n".join([f"Repeat: {plan.repeated_by}", *lines])
    (folder / "violations.txt").write_text(text + "\n", encoding="utf-8")
    for line in lines[:SHOWN_MOST]:
        print(line)
    if len(lines) > SHOWN_MOST:
        print(f"… and {len(lines) - SHOWN_MOST} more")
    print(f"Evidence: {folder} (database, ledger, logs, violations.txt)")
    print(f"Repeat:   {plan.repeated_by}")


async def _until_told(plan: Plan) -> int:
    """Run; at Ctrl-C or SIGTERM end with all that was started."""
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
    except* (NotStarted, DriverFailed, CrewFailed) as broken:
        print(f"abuse: {_innermost(broken)}", file=sys.stderr)
    raise SystemExit(code)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


if __name__ == "__main__":
    main()
