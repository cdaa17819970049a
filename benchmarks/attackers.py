"""Who wants nothing good of a server: connections by the hundred that are slow, or send without end.

Each is a task for one connection, again and again, until it is cancelled.
"""

import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import trio

HANDSHAKE = (
    b"GET /ws/sessions/nobody HTTP/1.1\r\nHost: attacked\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASK = b"\x00\x00\x00\x00"
BLOCK_FRAMES = 8_000

PONGS = (b"\x8a\x80" + MASK) * BLOCK_FRAMES
PINGS = (b"\x89\x80" + MASK) * BLOCK_FRAMES
BEGIN_OF_A_MESSAGE = b"\x01\x80" + MASK
PARTS = (b"\x00\x80" + MASK) * BLOCK_FRAMES

HEADER_EVERY_SECONDS = 1.0
READ_BYTES = 65_536

Attacker = Callable[[trio.SocketStream], Awaitable[None]]


@dataclass(frozen=True)
class Attack:
    """So many attackers of one kind."""

    name: str
    connections: int
    attacker: Attacker


async def send_headers_slowly(stream: trio.SocketStream) -> None:
    """A head that never ends, a header a second."""
    await stream.send_all(HANDSHAKE[:-2])
    for number in itertools.count():
        await trio.sleep(HEADER_EVERY_SECONDS)
        await stream.send_all(b"X-%d: y\r\n" % number)


async def flood(first: bytes, block: bytes, stream: trio.SocketStream) -> None:
    """Frames without end, as fast as the server takes them; what comes is read and thrown away."""

    async def send() -> None:
        with contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(HANDSHAKE + first)
            while True:
                await stream.send_all(block)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some(READ_BYTES):
                pass
        nursery.cancel_scope.cancel()


ATTACKS = [
    Attack("heads that never end", 500, send_headers_slowly),
    Attack("floods of pongs", 64, partial(flood, b"", PONGS)),
    Attack("floods of pings", 64, partial(flood, b"", PINGS)),
    Attack("messages in parts without end", 64, partial(flood, BEGIN_OF_A_MESSAGE, PARTS)),
]


async def carry_on(attack: Attack, port: int) -> None:
    """Attack a port of this machine with all connections, until cancelled: who is cut off comes again."""

    async def again_and_again() -> None:
        while True:
            with contextlib.suppress(OSError, trio.BrokenResourceError):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    await attack.attacker(stream)

    async with trio.open_nursery() as nursery:
        for _ in range(attack.connections):
            nursery.start_soon(again_and_again)
