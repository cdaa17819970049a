"""How many durable edits a second the store takes, grouped and one by one.

An edit is a whole unit as the actor commits it: the fence on the session's row, one changed cart line,
one new event number; `synchronous=FULL`, every constraint and trigger on. Each session has one edit in
flight, as its actor does.

    python -m benchmarks.commits [--sessions 200] [--seconds 5]
"""

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import trio
from msgspec.structs import replace

from comanda.actors.domain.cart import CartLine
from comanda.actors.domain.changes import Changes
from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.actors.domain.session import Session
from comanda.actors.ports import Unit
from comanda.storage.store import SqlStore, StoreLimits, open_store

NOW = datetime(2026, 1, 1, 19, 0, tzinfo=UTC)


@dataclass
class Figures:
    """What one run brought."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    groups: int = 0

    @property
    def units_a_second(self) -> float:
        """Durable edits a second."""
        return len(self.latencies) / self.seconds

    def report(self, name: str) -> str:
        """The figures in two lines."""
        ordered = sorted(self.latencies)
        units = len(ordered)
        return (
            f"{name:<12}{self.units_a_second:>9,.0f} units/s   {units / self.groups:6.1f} a group   "
            f"commit p50 {ordered[units // 2] * 1e3:6.2f} ms, "
            f"p99 {ordered[units * 99 // 100] * 1e3:6.2f} ms\n"
            f"{'':<12}{self.cpu_seconds / units * 1e6:>9,.0f} µs CPU a unit, whole process; "
            f"{self.cpu_seconds / self.seconds:.0%} of a core"
        )


def restaurant_of(tables: int) -> Restaurant:
    """A restaurant with one dish and many tables."""
    menu = Menu(1, "INR", 2, {1: MenuItem(1, "Pizza", "Margherita", "", 62500, True)})
    return Restaurant(
        1, "Ana's", menu, tuple(Table(f"T{number}", str(number), 1) for number in range(tables))
    )


async def seated(store: SqlStore, number: int) -> tuple[int, Session]:
    """An activated session with one line in its cart."""
    key = await store.open_session(Table(f"T{number}", str(number), 1), f"S{number:05}", NOW)
    loaded = await store.activate(key)
    line = CartLine("L1", 0, 1, "Margherita", 62500, 1, "", "pending", True, "member_1")
    return loaded.epoch, await edited(store, loaded.epoch, loaded.session, line)


async def edited(store: SqlStore, epoch: int, before: Session, line: CartLine) -> Session:
    """Commit one changed line."""
    changes = Changes()
    changes.lines[line.public_id] = line
    after = replace(
        before, seq=before.seq + 1, updated_at=NOW, lines={line.public_id: line}, next_position=1
    )
    await store.commit(Unit(epoch, before, after, changes))
    return after


async def edit_until(
    store: SqlStore, figures: Figures, deadline: float, epoch: int, session: Session
) -> None:
    """One session: an edit, and when it is durable the next."""
    line = session.lines["L1"]
    while (began := time.perf_counter()) < deadline:
        line = replace(line, qty=line.qty % 99 + 1)
        session = await edited(store, epoch, session, line)
        figures.latencies.append(time.perf_counter() - began)


async def measure(folder: Path, sessions: int, seconds: float, limits: StoreLimits) -> Figures:
    """Let `sessions` edit for `seconds` on a new database."""
    figures = Figures()
    url = f"sqlite:///{folder / f'{limits.group_max}.db'}"
    async with open_store(url, limits) as store:
        await store.install([restaurant_of(sessions)], "benchmark")
        seats = [await seated(store, number) for number in range(sessions)]
        groups, cpu, began = store.groups, time.process_time(), time.perf_counter()
        async with trio.open_nursery() as nursery:
            for epoch, session in seats:
                nursery.start_soon(edit_until, store, figures, began + seconds, epoch, session)
        figures.seconds = time.perf_counter() - began
        figures.cpu_seconds = time.process_time() - cpu
        figures.groups = store.groups - groups
    return figures


def main() -> None:
    """Run both ways, one after the other, and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, alone_seconds = arguments.seconds, min(arguments.seconds, 3.0)
        one_by_one = StoreLimits(group_max=1, crowd_interval_seconds=0.0)
        where = (Path(folder), arguments.sessions)
        grouped = trio.run(measure, *where, seconds, StoreLimits())
        alone = trio.run(measure, *where, alone_seconds, one_by_one)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{arguments.sessions} sessions, one durable edit in flight each")
    print(grouped.report("grouped"))
    print(alone.report("one by one"))
    print(f"{'ratio':<12}{grouped.units_a_second / alone.units_a_second:>9.1f}")
    print(f"{'memory':<12}{peak_mib:>9,.0f} MiB at the peak, whole process")


if __name__ == "__main__":
    main()
