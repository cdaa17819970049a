"""`python -m comanda.load.worker`: one process of members. Its job comes on standard input, then words.

It ends when it is told to, and when its standard input ends: no worker outlives its driver.
"""

import asyncio
import contextlib
import gc
import random
import resource
import sys
import time
import traceback
from collections.abc import Coroutine
from typing import Any

from msgspec import json

from .closed_loop import ClosedLoop
from .dialect import Seat, SeatRefused, Snapshot, dialect_of
from .member import Member
from .people import People
from .plan import Job
from .table import Table
from .tally import Tally
from .words import MOST_LINE_BYTES, OrderEnd, Report, decode_say, encode

REPORT_SECONDS = 0.5
"""Between two reports."""

QUIET_SECONDS = 0.3
"""For so long all must have been quiet before it counts as settled."""

SITTING_DOWN = 64
"""Members of a worker who sit down at a time; more only wait in the server's queue."""

LAST_LOOKS = 16
"""At a time."""

LAST_LOOK_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0)
"""Between tries, where a server says "not now"."""


class Worker:
    """The tables of one job."""

    def __init__(self, job: Job) -> None:
        self._plan = job.plan
        self._dialect = dialect_of(job.plan)
        self._tally = Tally()
        self._chance = random.Random(f"{job.plan.seed}:{job.first}")
        self._tasks: set[asyncio.Task[Any]] = set()
        self._tables = [self._table(number) for number in job.tables]
        self._paces = [self._pace(table) for table in self._tables]
        self._full: list[ClosedLoop | People] = []
        self._given_up = 0
        self._broken: Exception | None = None
        self._crashed = asyncio.Event()
        self._sitting = asyncio.Semaphore(SITTING_DOWN)
        self._measuring = False
        self._stopping = False
        self._settled = False

    def _table(self, number: int) -> Table:
        table = Table(number, self._dialect, self._tally_now)
        table.members = [
            Member(
                table,
                place,
                self._dialect,
                self._tally_now,
                self._crash,
                self._plan.request_ids,
            )
            for place in range(self._plan.members)
        ]
        return table

    def _pace(self, table: Table) -> "ClosedLoop | People":
        if self._plan.closed_loop:
            return ClosedLoop(table)
        return People(table, self._plan, self._tally_now, self._let_live)

    def _let_live(self, member: Member, people: People) -> None:
        self._spawn(people.live(member))

    def _tally_now(self) -> Tally:
        return self._tally

    def _crash(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._crashed.set()

    def _spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, what: Coroutine[Any, Any, None]) -> None:
        try:
            await what
        except Exception as error:
            self._crash(error)

    async def run(self, words: asyncio.StreamReader) -> None:
        """From the first join to the last report."""
        for table, pace in zip(self._tables, self._paces, strict=True):
            self._spawn(self._sit(table, pace))
        self._spawn(self._report_always())
        hearing = asyncio.create_task(self._hear(words))
        crashed = asyncio.create_task(self._crashed.wait())
        await asyncio.wait({hearing, crashed}, return_when=asyncio.FIRST_COMPLETED)
        last = Report(Tally(), ended=True)
        if self._broken is not None:
            traceback.print_exception(self._broken)
            last.broken = f"{type(self._broken).__name__}: {self._broken}"
        elif hearing.result():
            await self._look_at_the_end(last)
        for task in {*self._tasks, hearing, crashed}:
            task.cancel()
        for table in self._tables:
            for member in table.members:
                member.leave_for_good()
        await self._dialect.aclose()
        self._say(self._fill(last))

    async def _hear(self, words: asyncio.StreamReader) -> bool:
        """Do as told until the end is said; False where the driver is gone."""
        while line := await words.readline():
            match decode_say(line).word:
                case "measure":
                    self._measure()
                case "stop":
                    self._stopping = True
                    for pace in self._paces:
                        pace.stop()
                    self._spawn(self._settle())
                case "end":
                    return True
        return False

    # --- Sitting down -------------------------------------------------------------------------

    async def _sit(self, table: Table, pace: "ClosedLoop | People") -> None:
        """A table's party: the first opens it, the others follow, within the ramp."""
        first = self._chance.uniform(0, self._plan.ramp_seconds * 0.8)
        later = sorted(
            self._chance.uniform(first, self._plan.ramp_seconds) for _ in table.members[1:]
        )
        began = time.monotonic()
        for member, due in zip(table.members, [first, *later], strict=True):
            await asyncio.sleep(began + due - time.monotonic())
            async with self._sitting:
                seated = not self._stopping and await member.sit_down()
            if not seated:
                self._given_up += not self._stopping
                return
        self._full.append(pace)
        if self._measuring and not self._stopping:
            pace.start()

    def _measure(self) -> None:
        """All are seated, or will not be: from here on it counts."""
        gc.collect()
        gc.freeze()  # tables and members stay to the end
        gc.set_threshold(50_000, 50, 100)
        self._tally = Tally(errors=self._tally.errors)
        self._measuring = True
        for pace in self._full:
            pace.start()

    # --- Reports ------------------------------------------------------------------------------

    async def _report_always(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            for pace in self._paces:
                pace.look()
            self._say(self._fill(Report(Tally())))

    def _fill(self, report: Report) -> Report:
        report.tally, self._tally = self._tally, Tally()
        report.seated, report.given_up = len(self._full), self._given_up
        report.connections = sum(table.seated for table in self._tables)
        report.settled = self._settled
        used = resource.getrusage(resource.RUSAGE_SELF)
        report.cpu_seconds = used.ru_utime + used.ru_stime
        report.unquiet = sum(not table.quiet for table in self._tables)
        return report

    def _say(self, report: Report) -> None:
        sys.stdout.buffer.write(encode(report) + b"\n")
        sys.stdout.buffer.flush()

    # --- The end ------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Wait until all is quiet, at most the plan's time for it."""
        deadline = time.monotonic() + self._plan.settle_seconds
        quiet_since = time.monotonic()
        while time.monotonic() < deadline:
            await asyncio.sleep(QUIET_SECONDS / 6)
            if not all(table.quiet and pace.settled for table, pace in self._both()):
                quiet_since = time.monotonic()
            elif time.monotonic() >= quiet_since + QUIET_SECONDS:
                break
        self._settled = True

    def _both(self) -> "zip[tuple[Table, ClosedLoop | People]]":
        return zip(self._tables, self._paces, strict=True)

    async def _look_at_the_end(self, report: Report) -> None:
        """Hold what the members were told against each other, and against what the server has."""
        turn = asyncio.Semaphore(LAST_LOOKS)

        async def look(table: Table) -> None:
            seat = next((one.seat for one in table.members if one.seat is not None), None)
            if seat is None:
                return
            record = None
            async with turn:
                try:
                    record, wrongs = await self._last_look(table, seat)
                except (SeatRefused, OSError) as error:
                    wrongs = [f"the server does not say what it has on record: {error}"]
            for sentence in wrongs:
                table.wrong(sentence)
            table.judge_the_end(record)

        await asyncio.gather(*(look(table) for table in self._tables))
        for table in self._tables:
            report.wrongs += table.wrongs
            orders = getattr(table.view, "orders", {})
            report.orders += [OrderEnd(one.order_id, one.stage) for one in orders.values()]

    async def _last_look(self, table: Table, seat: Seat) -> tuple[Snapshot | None, list[str]]:
        for wait in LAST_LOOK_PAUSES_SECONDS:
            try:
                return await self._dialect.last_look(table.number, seat, table.view)
            except SeatRefused as error:
                if not error.again:
                    raise
                await asyncio.sleep(wait)
        return await self._dialect.last_look(table.number, seat, table.view)


async def main() -> None:
    """Read the job and do it."""
    loop = asyncio.get_running_loop()
    words = asyncio.StreamReader(limit=MOST_LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    line = await words.readline()
    if line:
        await Worker(json.decode(line, type=Job)).run(words)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        asyncio.run(main())
