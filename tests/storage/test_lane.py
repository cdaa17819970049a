"""The lane: batches, bounds, and an answer for everybody, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from outcome import Error, Maybe, Value

from comanda.actors.ports import CommitUnknown, StorageUnavailable
from comanda.storage.lane import DatabaseThread, Lane


class Gate:
    """Serves batches; each waits in the thread until the test lets one go."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.dies = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._passes = asyncio.Semaphore(0)
        self._token = trio.lowlevel.current_trio_token()
        self._news = trio.Event()

    async def serve(self, works: Sequence[str]) -> list[Maybe[Any]]:
        self._loop = asyncio.get_running_loop()
        self.batches.append(list(works))
        self._token.run_sync_soon(self._tell)
        await self._passes.acquire()
        if self.dies:
            raise SystemExit("the thread dies")
        return [
            Error(KeyError(work)) if work.startswith("bad") else Value(work.upper())
            for work in works
        ]

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def taken(self, batches: int = 1) -> None:
        """Wait until the thread has taken so many."""
        while len(self.batches) < batches:
            await self._news.wait()

    async def has_looked(self) -> None:
        """Wait until the thread has had its turns to take what waits."""
        for _ in range(3):
            turn = trio.Event()
            tell = partial(self._token.run_sync_soon, turn.set)
            assert self._loop is not None
            self._loop.call_soon_threadsafe(tell)
            await turn.wait()

    def let_go(self, batches: int = 1) -> None:
        """Let so many pass."""
        for _ in range(batches):
            if self._loop is None:
                self._passes.release()
            else:
                with suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._passes.release)


@asynccontextmanager
async def lane_of(
    gate: Gate,
    *,
    queued_max: int = 10,
    batch_weight_max: int = 100,
    wait_seconds: float = 30.0,
    crowd_min: int = 1000,
    crowd_interval_seconds: float = 0.0,
) -> AsyncIterator[tuple[Lane[str], DatabaseThread]]:
    lane: Lane[str] = Lane(
        gate.serve,
        queued_max=queued_max,
        batch_weight_max=batch_weight_max,
        wait_seconds=wait_seconds,
        crowd_min=crowd_min,
        crowd_interval_seconds=crowd_interval_seconds,
    )
    thread = DatabaseThread(lane.serve_all, lane.break_off)
    thread.start()
    try:
        yield lane, thread
    finally:
        gate.let_go(1000)
        lane.close()
        assert await thread.wait_ended(10)


class Asked:
    """Tasks that wait at a lane, and what they were told."""

    def __init__(self, lane: Lane[str], nursery: trio.Nursery) -> None:
        self._lane = lane
        self._nursery = nursery
        self.told: dict[str, object] = {}

    async def ask(self, *works: str) -> None:
        """Put works in, one after another."""
        for work in works:
            self._nursery.start_soon(self._ask, work)
            await trio.testing.wait_all_tasks_blocked()

    async def _ask(self, work: str) -> None:
        try:
            self.told[work] = await self._lane.do(work)
        except Exception as error:
            self.told[work] = type(error)


async def test_all_that_waits_goes_in_one_batch_and_each_hears_its_own() -> None:
    gate = Gate()
    async with lane_of(gate) as (lane, _), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("first")
        await gate.taken()
        await asked.ask("a", "bad", "c")
        gate.let_go(2)
        await gate.taken(2)
    assert gate.batches == [["first"], ["a", "bad", "c"]]
    assert asked.told == {"first": "FIRST", "a": "A", "bad": KeyError, "c": "C"}


async def test_a_batch_takes_so_much_weight_and_the_oldest_always() -> None:
    gate = Gate()
    async with lane_of(gate, batch_weight_max=5) as (lane, _), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("first")
        await gate.taken()
        for work, weight in (("heavy", 9), ("x", 3), ("y", 2), ("z", 1)):
            nursery.start_soon(lane.do, work, weight)
            await trio.testing.wait_all_tasks_blocked()
        gate.let_go(4)
        await gate.taken(4)
    assert gate.batches == [["first"], ["heavy"], ["x", "y"], ["z"]]


async def test_works_that_follow_one_another_in_a_quiet_house_do_not_wait() -> None:
    gate = Gate()
    gate.let_go(3)
    async with lane_of(gate, crowd_min=4, crowd_interval_seconds=3600.0) as (lane, _):
        with trio.fail_after(60):
            for work in ("prepared", "sent", "confirmed"):
                await lane.do(work)
    assert gate.batches == [["prepared"], ["sent"], ["confirmed"]]


async def test_in_a_crowd_a_batch_waits_for_those_who_come_meanwhile() -> None:
    gate = Gate()
    gate.let_go(100_000)  # More than there can be until the watch looks, however fast the machine.
    async with lane_of(gate, crowd_min=2, crowd_interval_seconds=0.1) as (lane, _):
        await lane.do("first")
        with trio.fail_after(60):
            while ["a", "b", "c"] not in gate.batches:  # until the watch has seen the crowd
                async with trio.open_nursery() as nursery:
                    asked = Asked(lane, nursery)
                    for work in ("a", "b", "c"):
                        await asked.ask(work)
                        await gate.has_looked()
    assert gate.batches[:2] == [["first"], ["a"]]


async def test_in_a_crowd_what_is_to_be_done_at_once_waits_for_nobody_and_takes_along_who_waits() -> (
    None
):
    gate = Gate()
    gate.let_go(100_000)
    async with lane_of(gate, crowd_min=2, crowd_interval_seconds=3600.0) as (lane, _):
        with trio.fail_after(60):
            waits = False
            while not waits:  # until the watch has seen the crowd
                with trio.move_on_after(1) as patience:
                    await lane.do("a commit")
                waits = patience.cancelled_caught
            async with trio.open_nursery() as nursery:
                asked = Asked(lane, nursery)
                await asked.ask("waits")
                assert await lane.do("an activation", at_once=True) == "AN ACTIVATION"
    assert gate.batches[-1] == ["waits", "an activation"]


async def test_a_full_lane_refuses_at_once() -> None:
    gate = Gate()
    async with lane_of(gate, queued_max=2) as (lane, _), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("first")
        await gate.taken()
        await asked.ask("a", "b", "c")
        assert asked.told == {"c": StorageUnavailable}
        assert lane.waiting == 2
        gate.let_go(2)
    assert asked.told["a"] == "A"


async def test_who_is_cancelled_before_asking_puts_nothing_in() -> None:
    async with lane_of(Gate(), queued_max=0) as (lane, _):
        with trio.CancelScope() as scope:
            scope.cancel()
            await lane.do("never")  # Put in, it would be refused.
        assert scope.cancelled_caught


async def test_a_waiter_cancelled_in_the_queue_is_withdrawn() -> None:
    gate = Gate()
    async with lane_of(gate) as (lane, _), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("first")
        await gate.taken()
        with trio.move_on_after(0) as scope:
            await lane.do("never")
        assert scope.cancelled_caught
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_blocked, scope)
            await lane.do("withdrawn")
        await asked.ask("a")
        gate.let_go(2)
        await gate.taken(2)
    assert gate.batches == [["first"], ["a"]]


async def test_a_waiter_cancelled_too_late_harms_nobody_in_its_batch() -> None:
    gate = Gate()
    async with lane_of(gate) as (lane, _), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("first")
        await gate.taken()
        with trio.CancelScope() as gone:
            nursery.start_soon(_cancel_when_taken, gate, gone)
            nursery.start_soon(asked.ask, "neighbour")
            await lane.do("leaves")
        assert gone.cancelled_caught
        gate.let_go()
    assert sorted(gate.batches[1]) == ["leaves", "neighbour"]
    assert asked.told["neighbour"] == "NEIGHBOUR"


async def _cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def _cancel_when_taken(gate: Gate, scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    gate.let_go()
    await gate.taken(2)
    scope.cancel()


async def test_a_wait_ends_in_time_truly_told() -> None:
    gate = Gate()
    async with lane_of(gate, wait_seconds=0.0) as (lane, _):
        async with trio.open_nursery() as nursery:
            asked = Asked(lane, nursery)
            await asked.ask("taken")
            await gate.taken()
            await asked.ask("queued")
        assert asked.told == {"taken": CommitUnknown, "queued": StorageUnavailable}
    assert gate.batches == [["taken"]]


async def test_closing_finishes_what_is_queued_and_takes_no_more() -> None:
    gate = Gate()
    async with lane_of(gate) as (lane, thread), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("first")
        await gate.taken()
        await asked.ask("queued")
        lane.close()
        await asked.ask("late")
        gate.let_go(2)
        assert await thread.wait_ended(10)
    assert asked.told == {"first": "FIRST", "queued": "QUEUED", "late": StorageUnavailable}


async def test_a_thread_that_dies_answers_everybody() -> None:
    gate = Gate()
    gate.dies = True
    async with lane_of(gate) as (lane, thread), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("taken")
        await gate.taken()
        await asked.ask("queued")
        gate.let_go()
        assert await thread.wait_ended(10)
        await asked.ask("late")
    assert asked.told == {
        "taken": CommitUnknown,
        "queued": StorageUnavailable,
        "late": StorageUnavailable,
    }


async def test_a_thread_that_does_not_end_is_left_and_its_waiters_are_answered() -> None:
    gate = Gate()
    async with lane_of(gate) as (lane, thread), trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("taken")
        await gate.taken()
        lane.close()
        assert not await thread.wait_ended(0)
        lane.break_off("did not close in time")
        await trio.testing.wait_all_tasks_blocked()
        assert asked.told == {"taken": CommitUnknown}
        gate.let_go()


async def test_works_put_in_before_the_thread_runs_are_served() -> None:
    gate = Gate()
    gate.let_go(10_000)
    lane: Lane[str] = Lane(gate.serve, queued_max=10, batch_weight_max=10, wait_seconds=30)
    thread = DatabaseThread(lane.serve_all, lane.break_off)
    async with trio.open_nursery() as nursery:
        asked = Asked(lane, nursery)
        await asked.ask("early", "bird")
        thread.start()
    assert gate.batches == [["early", "bird"]]
    lane.close()
    assert await thread.wait_ended(10)


@pytest.mark.parametrize("round_number", range(3))
async def test_nobody_is_forgotten_when_many_come_and_go(round_number: int) -> None:
    gate = Gate()
    gate.let_go(10_000)
    answered = 0

    async def guest(lane: Lane[str], name: str) -> None:
        nonlocal answered
        for number in range(40):
            assert await lane.do(f"{name}{number}") == f"{name}{number}".upper()
            answered += 1

    async with lane_of(gate, queued_max=100) as (lane, _), trio.open_nursery() as nursery:
        for number in range(50):
            nursery.start_soon(guest, lane, f"g{round_number}-{number}-")
    assert answered == 2000
