"""Who is pinged, when, and who is cut: on virtual time, on sockets without a network."""

import gc
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from comanda.http.frames import PING_FRAME
from comanda.http.keep_alive import GRAINS, LOOKS_A_TURN, KeepAlive
from comanda.http.socket import MemberSocket, WorkerLimits

INTERVAL = 20.0
PATIENCE = 20.0
GRAIN = min(INTERVAL, PATIENCE) / GRAINS
LIMITS = WorkerLimits(ping_interval_seconds=INTERVAL, pong_timeout_seconds=PATIENCE)


@dataclass
class Peer:
    """The other side of a socket: when it was pinged, and when it was cut."""

    pings: list[float] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)

    def send(self, data: bytes) -> int:
        assert data == PING_FRAME
        self.pings.append(trio.current_time())
        return len(data)

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        raise AssertionError("nothing waits, so nothing is flushed")

    def closing(self) -> None:
        pass

    def abort(self) -> None:
        self.cut.append(trio.current_time())
        self.socket.lost()

    def sit_down(self, keep_alive: KeepAlive) -> "Peer":
        there: object = self
        self.socket = MemberSocket(there, there, LIMITS, self)  # type: ignore[arg-type]
        self.socket.open()
        keep_alive.watch(self.socket)
        return self

    def say(self) -> None:
        self.socket.heard_at = trio.current_time()


@asynccontextmanager
async def keeping() -> AsyncIterator[KeepAlive]:
    keep_alive = KeepAlive(LIMITS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive.run)
        yield keep_alive
        nursery.cancel_scope.cancel()


def about(*times: float) -> list[object]:
    """Not before these times, and at most a grain after them."""
    return [pytest.approx(time + GRAIN / 2, abs=GRAIN / 2) for time in times]


async def test_whoever_says_nothing_is_pinged_an_interval_later_and_cut_a_timeout_after_it(
    autojump_clock: MockClock,
) -> None:
    async with keeping() as keep_alive:
        await trio.sleep(7)
        silent = Peer().sit_down(keep_alive)
        await trio.sleep(100)
    assert silent.pings == about(27)
    assert silent.cut == about(silent.pings[0] + PATIENCE)


async def test_whoever_says_something_at_least_every_interval_is_never_pinged(
    autojump_clock: MockClock,
) -> None:
    async with keeping() as keep_alive:
        busy = Peer().sit_down(keep_alive)
        for _ in range(20):
            await trio.sleep(INTERVAL - 1)
            busy.say()
    assert (busy.pings, busy.cut) == ([], [])


async def test_an_answer_to_a_ping_counts_until_an_interval_after_the_answer(
    autojump_clock: MockClock,
) -> None:
    async with keeping() as keep_alive:
        there = Peer().sit_down(keep_alive)
        await trio.sleep(30)
        there.say()
        await trio.sleep(100)
    assert there.pings == about(20, 50)
    assert there.cut == about(there.pings[1] + PATIENCE)


async def test_nobody_is_cut_while_the_server_does_not_read_and_then_has_the_whole_time(
    autojump_clock: MockClock,
) -> None:
    async with keeping() as keep_alive:
        unheard = Peer().sit_down(keep_alive)
        unheard.socket.reading = False
        await trio.sleep(190)
        assert unheard.pings == about(*range(20, 190, 20))
        assert unheard.cut == []
        unheard.socket.reading = True
        unheard.say()
        await trio.sleep(100)
    assert unheard.pings[9:] == about(190 + INTERVAL)
    assert unheard.cut == about(unheard.pings[-1] + PATIENCE)


async def test_a_closed_websocket_is_not_pinged_and_not_kept(autojump_clock: MockClock) -> None:
    async with keeping() as keep_alive:
        peer = Peer().sit_down(keep_alive)
        peer.socket.lost()
        gone = weakref.ref(peer.socket)
        await trio.sleep(100)
        assert peer.pings == []
        other = Peer().sit_down(keep_alive)
        kept = weakref.ref(other.socket)
        del peer.socket, other.socket
        gc.collect()
        assert gone() is None
        assert kept() is None
        await trio.sleep(100)


async def test_websockets_that_come_and_go_pile_up_nowhere(autojump_clock: MockClock) -> None:
    keep_alive = KeepAlive(WorkerLimits(max_connections=10))
    staying = Peer().sit_down(keep_alive)
    for _ in range(100):
        gone = Peer().sit_down(keep_alive)
        gone.socket.lost()
        del gone.socket
    assert keep_alive.remembered <= 20
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_alive.run)
        await trio.sleep(INTERVAL + 1)
        assert len(staying.pings) == 1
        nursery.cancel_scope.cancel()


class Passes(trio.abc.Instrument):
    """Counts Trio's passes over the tasks that can run."""

    count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


async def test_a_crowd_that_is_due_at_once_is_pinged_in_turns(autojump_clock: MockClock) -> None:
    passes, pings_a_pass = Passes(), dict[int, int]()

    class Counted(Peer):
        def send(self, data: bytes) -> int:
            pings_a_pass[passes.count] = pings_a_pass.get(passes.count, 0) + 1
            return super().send(data)

    trio.lowlevel.add_instrument(passes)
    async with keeping() as keep_alive:
        crowd = [Counted().sit_down(keep_alive) for _ in range(5 * LOOKS_A_TURN)]
        await trio.sleep(INTERVAL + 1)
    trio.lowlevel.remove_instrument(passes)
    assert all(len(peer.pings) == 1 for peer in crowd)
    assert max(pings_a_pass.values()) == LOOKS_A_TURN
