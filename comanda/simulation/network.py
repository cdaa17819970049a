"""A network in memory: streams with a delay, which can be cut, fall silent, or find nobody there."""

from collections import deque
from collections.abc import Callable

import trio

KERNEL_BYTES = 131_072
"""What one direction holds that was not read yet, as a server's send buffer does."""

SLOW_KERNEL_BYTES = 2_048
"""The same towards a phone that does not read: small, so that an evening fills it."""


class _Pipe:
    """One direction. What is put in arrives `delay_seconds` later, in order."""

    def __init__(self, delay_seconds: float) -> None:
        self.broken = False
        self.ended = False
        self.silent = False
        self.held = False
        self.room_bytes = KERNEL_BYTES
        self._delay = delay_seconds
        self._parts: deque[tuple[float, bytes]] = deque()
        self._bytes = 0
        self._arrival = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()

    def put(self, data: bytes | bytearray | memoryview) -> int:
        """As a non-blocking socket's `send`: how much was taken; `BlockingIOError` where it is full."""
        if self.broken:
            raise ConnectionResetError("simulated: reset by peer")
        taken = bytes(data[: max(0, self.room_bytes - self._bytes)])
        if not taken and data:
            raise BlockingIOError
        self._bytes += len(taken)
        if not self.silent:
            self._parts.append((trio.current_time() + self._delay, taken))
            if len(self._parts) == 1:  # a reader waits for the first one to arrive already
                self._arrival.unpark_all()
        return len(taken)

    async def wait_room(self) -> None:
        while self._bytes >= self.room_bytes and not self.broken:
            await self._room.park()

    async def take(self) -> bytes:
        """What has arrived, waited for; b"" at the end. A checkpoint, and one step where it can be."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._parts and self._parts[0][0] <= trio.current_time():
            await trio.lowlevel.cancel_shielded_checkpoint()
        while True:
            if self.broken:
                raise trio.BrokenResourceError("simulated: the connection was reset")
            now = trio.current_time()
            if self.held:
                await self._arrival.park()
            elif self._parts and self._parts[0][0] <= now:
                return self._take_due(now)
            elif self._parts:
                with trio.move_on_at(self._parts[0][0]):
                    await self._arrival.park()
            elif self.ended and not self.silent:
                await trio.lowlevel.checkpoint()
                return b""
            else:
                await self._arrival.park()

    def _take_due(self, now: float) -> bytes:
        due = []
        while self._parts and self._parts[0][0] <= now:
            due.append(self._parts.popleft()[1])
        data = b"".join(due)
        self._bytes -= len(data)
        self._room.unpark_all()
        return data

    def hold(self, *, held: bool) -> None:
        """Keep what is under way, or let it arrive again."""
        self.held = held
        self._arrival.unpark_all()

    def end(self) -> None:
        """Nothing more is put in: the reader sees the end after what is under way."""
        self.ended = True
        self._arrival.unpark_all()

    def reset(self) -> None:
        """Both sides lose it now, with what was under way."""
        self.broken = True
        self._arrival.unpark_all()
        self._room.unpark_all()


class End(trio.abc.Stream):
    """One side of a connection."""

    def __init__(self, outgoing: _Pipe, incoming: _Pipe) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._closed = False

    def send(self, data: bytes) -> int:
        """As a non-blocking socket's."""
        if self._closed:
            raise ConnectionResetError("simulated: closed here")
        return self._outgoing.put(data)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As any stream's; waits while the other side does not read."""
        await trio.lowlevel.checkpoint()
        while data:
            if self._closed:
                raise trio.ClosedResourceError
            try:
                data = data[self._outgoing.put(data) :]
            except BlockingIOError:
                await self._outgoing.wait_room()
            except ConnectionResetError as error:
                raise trio.BrokenResourceError(str(error)) from None

    async def wait_send_all_might_not_block(self) -> None:
        """As any stream's."""
        await trio.lowlevel.checkpoint()
        await self._outgoing.wait_room()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """All that has arrived, however much that is; b"" at the end."""
        if self._closed:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError
        return await self._incoming.take()

    async def aclose(self) -> None:
        """Say that nothing more comes, and hear nothing more."""
        if not self._closed:
            self._closed = True
            self._outgoing.end()
            if not self._incoming.silent:
                self._incoming.reset()
        await trio.lowlevel.checkpoint()

    def reset(self) -> None:
        """Break it for both sides, now."""
        self._outgoing.reset()
        self._incoming.reset()

    def fall_silent(self) -> None:
        """Half-open: both sides believe that it lives, and nothing arrives any more."""
        self._outgoing.silent = True
        self._incoming.silent = True

    def stop_reading(self, *, stopped: bool) -> None:
        """What comes to this side is not taken, while it is stopped; and not much of it fits."""
        self._incoming.room_bytes = SLOW_KERNEL_BYTES if stopped else KERNEL_BYTES
        self._incoming.hold(held=stopped)

    def freeze(self, *, frozen: bool) -> None:
        """Nothing arrives in either direction while it is frozen; then all of it does."""
        self._outgoing.hold(held=frozen)
        self._incoming.hold(held=frozen)


def connection(delay_seconds: float) -> tuple[End, End]:
    """The two ends of a new connection; each direction takes `delay_seconds`."""
    there, back = _Pipe(delay_seconds), _Pipe(delay_seconds)
    return End(there, back), End(back, there)


class Network:
    """How one phone is connected: its open connections, and whether new ones can be made."""

    def __init__(self, delay_seconds: float) -> None:
        self.reachable = True
        self.delay_seconds = delay_seconds
        self._open: dict[End, None] = {}

    def add(self, end: End) -> None:
        """A connection of this phone was opened."""
        self._open[end] = None

    def remove(self, end: End) -> None:
        """It has ended."""
        self._open.pop(end, None)

    def cut(self) -> None:
        """Reset all that is open."""
        for end in tuple(self._open):
            end.reset()

    def stop_reading(self) -> Callable[[], None]:
        """Have all that is open take nothing more in; call what is returned to read on."""
        ends = tuple(self._open)
        for end in ends:
            end.stop_reading(stopped=True)

        def read_on() -> None:
            for end in ends:
                end.stop_reading(stopped=False)

        return read_on

    def fall_silent(self) -> None:
        """Make all that is open half-open."""
        for end in tuple(self._open):
            end.fall_silent()
