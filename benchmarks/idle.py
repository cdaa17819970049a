"""What tables cost that nobody uses: waking them, keeping them asleep, starting with many on record.

A table is woken as a member's connection wakes it: its rows are read and a new epoch is committed. The
house runs in this process, its store on a file, with `synchronous=FULL`; the start is `comanda serve`'s.

    python -m benchmarks.idle [--woken 1000] [--asleep 10000] [--on-record 100000]
"""

import argparse
import gc
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio
from msgspec import Struct

from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import SessionKey
from comanda.cli.load_server import own_server
from comanda.http.wire import frame
from comanda.load.process_cost import used_by
from comanda.pos.dummy import DummyPos
from comanda.storage.store import open_store
from comanda.system import RandomIds, SystemClock

from .filling import fill
from .machine import load_average, machine_in_words

WAKERS = 20
"""Tables that are woken at once where it is not timed."""

STARTS = 3


class Sleepers(Struct, frozen=True):
    """What waking and sleeping has cost. Times in milliseconds, memory in bytes a table."""

    p50_ms: float
    p99_ms: float
    most_ms: float
    awake_bytes: float
    asleep_bytes: float


async def sleepers(database: Path, keys: Sequence[SessionKey], woken: int) -> Sleepers:
    """Wake tables one after another; then twice as many as shall sleep, half of them at a time."""
    ids = RandomIds()
    async with open_store(f"sqlite:///{database}") as store, trio.open_nursery() as nursery:
        house = House(
            store=store,
            pos=DummyPos(),
            clock=SystemClock(),
            ids=ids,
            new_pid=ids.session_pid,
            frame=frame,
            limits=HouseLimits(max_live=len(keys), max_live_per_restaurant=len(keys)),
            rng=random.Random(0),
        )
        await nursery.start(house.run)
        took_ms = []
        for key in keys[:woken]:
            began = time.perf_counter()
            await house.registry.ref(key)
            took_ms.append((time.perf_counter() - began) * 1e3)
        await send_to_sleep(house, keys[:woken])
        half = (len(keys) - woken) // 2
        first, second = keys[woken : woken + half], keys[woken + half : woken + 2 * half]
        before = resident_bytes()
        await wake(house, first)
        awake = resident_bytes()
        # The first half brings the process to its size; what the second adds is what sleepers keep.
        await send_to_sleep(house, first)
        asleep_before = resident_bytes()
        await wake(house, second)
        await send_to_sleep(house, second)
        asleep = resident_bytes()
        nursery.cancel_scope.cancel()
    took_ms.sort()
    return Sleepers(
        p50_ms=took_ms[len(took_ms) // 2],
        p99_ms=took_ms[len(took_ms) * 99 // 100],
        most_ms=took_ms[-1],
        awake_bytes=(awake - before) / half,
        asleep_bytes=(asleep - asleep_before) / half,
    )


async def wake(house: House, keys: Sequence[SessionKey]) -> None:
    """Some at once, as a street that fills."""

    async def some(mine: Sequence[SessionKey]) -> None:
        for key in mine:
            await house.registry.ref(key)

    async with trio.open_nursery() as nursery:
        for number in range(WAKERS):
            nursery.start_soon(some, keys[number::WAKERS])


async def send_to_sleep(house: House, keys: Sequence[SessionKey]) -> None:
    """As the registry does it after five minutes in which nothing happens.

    Raises:
        RuntimeError: one does not go.
    """
    for key in keys:
        await house.registry.passivate(key)
    if house.registry.refs():
        raise RuntimeError(f"{len(house.registry.refs())} tables are still awake")


def resident_bytes() -> int:
    """What this process holds, without what is only waiting to be collected."""
    gc.collect()
    used = used_by(os.getpid())
    assert used is not None
    return used.resident_bytes


async def start_seconds(folder: Path) -> float:
    """From nothing to `comanda serve` taking calls, with the database in the folder."""
    began = time.perf_counter()
    async with own_server(folder, tables=100, pos_delay_seconds=None):
        return time.perf_counter() - began


def main() -> None:
    """Measure all three, and print them beside what they should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--woken", type=int, default=1_000, help="tables, one after another")
    parser.add_argument("--asleep", type=int, default=10_000)
    parser.add_argument(
        "--on-record", type=int, default=100_000, help="sessions, half of them over"
    )
    arguments = parser.parse_args()
    print(machine_in_words(), f"Load average {load_average()}.", flush=True)
    with tempfile.TemporaryDirectory(prefix="comanda-bench-") as name:
        database = Path(name) / "comanda.db"
        keys = fill(database, arguments.woken + 2 * arguments.asleep)
        found = trio.run(sleepers, database, keys, arguments.woken)
        print(
            f"waking a table   p50 {found.p50_ms:.2f} ms, p99 {found.p99_ms:.2f} ms (under 5), "
            f"at most {found.most_ms:.2f} ms; {arguments.woken:,} one after another\n"
            f"memory a table   asleep {found.asleep_bytes:,.0f} bytes (none worth measuring), "
            f"awake {found.awake_bytes / 1024:,.1f} kB; {arguments.asleep:,} of them",
            flush=True,
        )
    with tempfile.TemporaryDirectory(prefix="comanda-bench-") as name:
        empty = [trio.run(start_seconds, Path(name)) for _ in range(STARTS)]
    with tempfile.TemporaryDirectory(prefix="comanda-bench-") as name:
        fill(Path(name) / "comanda.db", arguments.on_record, closed_every=2)
        full = [trio.run(start_seconds, Path(name)) for _ in range(STARTS)]
    print(
        f"start            {_seconds(full)} s with {arguments.on_record:,} sessions on record "
        f"(under 2), {_seconds(empty)} s with none"
    )
    print(f"Load average {load_average()} after.")


def _seconds(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


if __name__ == "__main__":
    main()
