"""Driving: workers are started, told when to measure and when to stop, and their reports added up."""

import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import trio
from msgspec import json

from .figures import Cost, Figures, Moment, latency_of, percentile
from .plan import Job, Plan
from .process_cost import Used, listening_pid, used_by
from .tally import LATENCIES, Tally, merge
from .words import MOST_LINE_BYTES, OrderEnd, Report, Say, decode_report

SEATING_SECONDS = 60.0
SEATING_SECONDS_A_MEMBER = 0.05
"""Beyond the ramp, for everybody to sit down, each with a commit; then it is measured with those who do."""

LOOK_SECONDS = 0.25
"""Between two looks at how far it is."""

MOMENT_SECONDS = 1.0
"""Of the run's course, one point."""

END_SECONDS = 120.0
"""For the last looks of a worker."""

FILES_PER_CONNECTION = 1
SPARE_FILES = 256
READ_BYTES = 1 << 20


class DriverFailed(Exception):
    """The run could not be made or not be ended; the text says why."""


class Driving:
    """A run under way, for who shows it. `figures.moments` grows while it is measured."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.figures = Figures(tables=plan.tables, members=plan.members)
        self.connections = 0
        self.stage = "sitting down"
        self.orders: list[OrderEnd] = []
        self.total = Tally()
        self.began = trio.current_time()


Show = Callable[[Driving], None]


async def drive(
    plan: Plan,
    *,
    server_pid: int | None = None,
    stop: trio.Event | None = None,
    show: Show = lambda driving: None,
) -> Figures:
    """Run a plan against its server. When cancelled the workers are killed.

    Where every table gives up before anybody has sat down nothing is measured: `seated` and `seconds` are 0,
    and `errors` says why.

    Args:
        server_pid: the process whose cost is measured; without it the one that listens at the plan's
            address, where that is this machine's loopback.
        stop: set to end the measuring early; the rest takes place as ever.
        show: called about twice a second, and must not take long.

    Raises:
        DriverFailed: a worker has ended by itself.
    """
    stop = trio.Event() if stop is None else stop
    return (await _Run(plan, server_pid, stop, show).run()).figures


async def drive_in_detail(
    plan: Plan, *, server_pid: int | None, stop: trio.Event, show: Show
) -> Driving:
    """As `drive`; what comes back has the orders that were told besides."""
    return await _Run(plan, server_pid, stop, show).run()


def files_needed(plan: Plan) -> int:
    """Descriptors that one worker needs."""
    tables = -(-plan.tables // plan.processes)
    return tables * plan.members * FILES_PER_CONNECTION + SPARE_FILES


def allow_files(needed: int) -> bool:
    """Raise this process's limit of descriptors, which its children inherit. False: it may not be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, soft), hard))
        return wanted >= needed
    return True


class _Worker:
    """One worker process and its last report."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self.report: Report | None = None
        self.cpu_seconds = 0.0
        self.ended = trio.Event()


class _Run:
    def __init__(self, plan: Plan, pid: int | None, stop: trio.Event, show: Show) -> None:
        self._plan = plan
        self._pid = pid
        self._stop = stop
        self._show = show
        self._workers: list[_Worker] = []
        self._driving = Driving(plan)
        self._figures = self._driving.figures
        self._fresh = Tally()
        self._fresh_since = 0.0
        self._began_at = 0.0
        self._server_before: Used | None = None
        self._moment_before: Used | None = None
        self._driver_before = 0.0
        self._at_rest: Used | None = None
        self._measuring = False

    async def run(self) -> Driving:
        failed: BaseException | None = None
        try:
            await self._run()
        except* DriverFailed as group:
            failed = group.exceptions[0]
        if failed is not None:
            raise failed
        return self._driving

    async def _run(self) -> None:
        if self._pid is None:
            self._pid = listening_pid(self._plan.server)
        self._at_rest = self._used()
        async with trio.open_nursery() as nursery:
            try:
                for number in range(self._plan.processes):
                    worker = await self._start(number)
                    nursery.start_soon(self._listen, worker)
                await self._sit()
                if self._stop.is_set() or not self._nobody_will_come():
                    await self._measure()
                    await self._settle()
                await self._end()
                self._sum_up()
            finally:
                for worker in self._workers:
                    worker.process.kill()
                with trio.CancelScope(shield=True):
                    for worker in self._workers:
                        await worker.process.wait()
            nursery.cancel_scope.cancel()

    async def _start(self, number: int) -> _Worker:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "comanda.load.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is the driver's to hear
        )
        worker = _Worker(process)
        self._workers.append(worker)
        assert process.stdin is not None
        job = Job(plan=self._plan, first=number, step=self._plan.processes)
        await process.stdin.send_all(json.encode(job) + b"\n")
        return worker

    async def _listen(self, worker: _Worker) -> None:
        """Take a worker's reports until its last."""
        assert worker.process.stdout is not None
        buffer = b""
        while chunk := await worker.process.stdout.receive_some(READ_BYTES):
            *lines, buffer = (buffer + chunk).split(b"\n")
            for line in lines:
                self._take(worker, decode_report(line))
            if len(buffer) > MOST_LINE_BYTES:
                raise DriverFailed("a worker's report has no end")
        if not worker.ended.is_set():
            raise DriverFailed("a worker process has ended by itself; what it said is above")

    def _take(self, worker: _Worker, report: Report) -> None:
        if report.broken:
            raise DriverFailed(report.broken)
        worker.report = report
        worker.cpu_seconds = report.cpu_seconds
        if self._measuring:
            self._fresh.add(report.tally)
        else:
            merge(self._figures.errors, report.tally.errors)
            for name, counts in report.tally.latencies.items():  # of what was asked for before
                merge(self._driving.total.latencies[name], counts)
        if report.ended:
            self._figures.wrongs += report.wrongs
            self._figures.unsettled += report.unquiet
            self._driving.orders += report.orders
            worker.ended.set()

    async def _say(self, word: str) -> None:
        for worker in self._workers:
            assert worker.process.stdin is not None
            with suppress(trio.BrokenResourceError):  # its end shows elsewhere
                await worker.process.stdin.send_all(json.encode(Say(word)) + b"\n")

    # --- One after the other ------------------------------------------------------------------

    async def _sit(self) -> None:
        members = self._plan.tables * self._plan.members
        limit = SEATING_SECONDS + SEATING_SECONDS_A_MEMBER * members
        with trio.move_on_after(self._plan.ramp_seconds + limit):
            while not self._stop.is_set() and not self._all_are_seated():
                await self._look()
        self._all_are_seated()

    def _all_are_seated(self) -> bool:
        reports = [worker.report for worker in self._workers if worker.report is not None]
        figures = self._figures
        figures.seated = sum(report.seated for report in reports)
        figures.given_up = sum(report.given_up for report in reports)
        return figures.seated + figures.given_up >= self._plan.tables

    def _nobody_will_come(self) -> bool:
        return not self._figures.seated and self._figures.given_up >= self._plan.tables

    async def _measure(self) -> None:
        self._driving.stage = "measuring"
        await self._say("measure")
        self._begin()
        with trio.move_on_after(self._plan.seconds):
            while not self._stop.is_set():
                await self._look()
        self._figures.interrupted = self._stop.is_set()
        self._finish()
        await self._say("stop")

    async def _settle(self) -> None:
        self._driving.stage = "settling"
        with trio.move_on_after(self._plan.settle_seconds + END_SECONDS):
            while not all(worker.report and worker.report.settled for worker in self._workers):
                await self._look()

    async def _end(self) -> None:
        """Have the workers look whether all was true, and end."""
        self._driving.stage = "checking"
        self._show(self._driving)
        await self._say("end")
        with trio.move_on_after(END_SECONDS) as waiting:
            for worker in self._workers:
                await worker.ended.wait()
        if waiting.cancelled_caught:
            raise DriverFailed(f"the last looks were not done in {END_SECONDS:g} s")

    async def _look(self) -> None:
        with trio.move_on_after(LOOK_SECONDS):
            await trio.sleep_forever()
        self._all_are_seated()
        reports = [worker.report for worker in self._workers if worker.report is not None]
        self._driving.connections = sum(report.connections for report in reports)
        if self._measuring and trio.current_time() >= self._fresh_since + MOMENT_SECONDS:
            self._moment()
        self._show(self._driving)

    # --- Figures ------------------------------------------------------------------------------

    def _used(self) -> Used | None:
        return None if self._pid is None else used_by(self._pid)

    def _driver_cpu(self) -> float:
        own = resource.getrusage(resource.RUSAGE_SELF)
        workers = (used_by(worker.process.pid) for worker in self._workers)
        return own.ru_utime + own.ru_stime + sum(one.cpu_seconds for one in workers if one)

    def _begin(self) -> None:
        self._measuring = True
        self._server_before = self._moment_before = self._used()
        self._driver_before = self._driver_cpu()
        self._began_at = self._fresh_since = trio.current_time()

    def _moment(self) -> None:
        """What came since the last one, added to the figures."""
        now, fresh = trio.current_time(), self._fresh
        seconds = now - self._fresh_since
        used, before = self._used(), self._moment_before
        self._fresh, self._fresh_since, self._moment_before = Tally(), now, used
        self._driving.total.add(fresh)
        self._figures.moments.append(
            Moment(
                at=now - self._began_at,
                edits_a_second=fresh.edits / seconds,
                deliveries_a_second=fresh.deliveries / seconds,
                p50=percentile(fresh.latencies["last_member"], 0.5),
                p99=percentile(fresh.latencies["last_member"], 0.99),
                errors=sum(fresh.errors.values()),
                server_cpu=(used.cpu_seconds - before.cpu_seconds) / seconds
                if used and before
                else None,
                server_bytes=used.resident_bytes if used else None,
            )
        )

    def _finish(self) -> None:
        self._moment()
        self._measuring = False
        figures, total = self._figures, self._driving.total
        figures.seconds = self._fresh_since - self._began_at
        figures.edits, figures.orders = total.edits, total.orders
        figures.deliveries = total.deliveries
        figures.refreshes, figures.drops = total.refreshes, total.drops
        figures.refused = total.refused
        merge(figures.errors, total.errors)
        figures.driver_cores = (self._driver_cpu() - self._driver_before) / figures.seconds
        figures.driver_processes = len(self._workers)
        figures.server = self._cost()

    def _sum_up(self) -> None:
        """When all answers are there: an order may be settled long after its edits."""
        for name in LATENCIES:
            counts = self._driving.total.latencies[name]
            self._figures.raw_latencies[name] = latency_of(counts)
            self._figures.latencies[name] = latency_of(counts, self._expected_micros())

    def _expected_micros(self) -> int:
        """Of a closed loop: the time from one edit of a table to the next, on the average."""
        if not self._plan.closed_loop or not self._figures.edits:
            return 0
        return int(self._figures.seconds * self._figures.seated * 1e6 / self._figures.edits)

    def _cost(self) -> Cost | None:
        used, before = self._used(), self._server_before
        if used is None or before is None:
            return None
        cpu = used.cpu_seconds - before.cpu_seconds
        deliveries, connections = self._figures.deliveries, self._driving.connections
        more = used.resident_bytes - self._at_rest.resident_bytes if self._at_rest else 0
        return Cost(
            cpu_seconds=cpu,
            cores=cpu / self._figures.seconds,
            delivery_micros=cpu / deliveries * 1e6 if deliveries else None,
            resident_bytes=used.resident_bytes,
            connection_bytes=more / connections if connections else None,
        )
