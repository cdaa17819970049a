"""Who wants to get in where they have no seat: tokens, first frames, origins, handshakes."""

import random

import trio

from .. import frames
from ..nonsense import cut_short, odd_values, spoil_bytes
from ..stock import Stock
from ..talk import join_frame, open_talk, shake_hands
from ..wire import open_line
from ..world import Seat, World

DROPS = 25
CLOSE_SECONDS = 7.0
"""A first frame that is no join is closed at once, none at all after five seconds."""


def spoilt_token(chance: random.Random, seat: Seat, others: list[Seat], staff: str) -> str:
    """A token that must open nothing."""
    token = seat.token
    body, _, signature = token.rpartition(".")
    other = chance.choice(others).token if others else token
    swapped = f"{body}.{other.rpartition('.')[2]}" if other != token else f"{token}x"
    flipped = spoil_bytes(chance, token.encode()).decode("ascii", "replace").replace("\ufffd", "A")
    return chance.choice(
        [
            cut_short(chance, token.encode()).decode()[:-1],
            swapped,
            body,
            f"{body}.",
            f".{signature}",
            f"{token}{token}",
            token.swapcase(),
            staff,
            "",
            "x" * 2048,
            f"{flipped}!",
        ]
    )


async def wrong_joins(world: World, stock: Stock, chance: random.Random) -> None:
    """A good token for a neighbour's session, a spoilt one, or a first frame that is no join."""
    seat = await world.seat(chance)
    token = spoilt_token(chance, seat, world.seats, world.job.staff_token)
    escaped = token.replace("\\", "").replace('"', "").replace("\x00", "")
    session, first = chance.choice(
        [
            (chance.choice(world.neighbours), join_frame(seat.token)),
            (chance.choice(world.neighbours), join_frame(escaped)),
            (seat.session, join_frame(escaped)),
            (
                chance.choice(["session_none", "%00", "a" * 64, "..%2F", "%F0%9F%8D%95"]),
                join_frame(seat.token),
            ),
            (seat.session, chance.choice(stock.speech.good)),
            (seat.session, chance.choice(stock.speech.spoilt)),
            (
                seat.session,
                frames.text(
                    b'{"type":"join","token":' + chance.choice(odd_values(chance)).encode() + b"}"
                ),
            ),
        ]
    )
    async with open_talk(world, chance, session) as talk:
        behind = [chance.choice(stock.speech.good)] * chance.randint(0, 5)
        if await talk.ask(
            "wrong join", first, *behind, until=b'"cart_snapshot"', seconds=CLOSE_SECONDS
        ):
            world.violation(f"was told the cart of {session} by {first[:300]!r}")


async def wrong_handshakes(world: World, stock: Stock, chance: random.Random) -> None:
    """Handshakes with other versions, keys, origins and extensions than there are."""
    seat = await world.seat(chance)
    path = f"/ws/sessions/{seat.session}"
    good = frames.handshake(path, chance)
    request = chance.choice(
        [
            good.replace(
                b"Version: 13", b"Version: " + chance.choice([b"12", b"8", b"", b"x", b"13, 8"])
            ),
            good.replace(
                b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: " + chance.choice([b"!", b"AA", b","])
            ),
            good.replace(
                b"Upgrade: websocket", b"Upgrade: " + chance.choice([b"h2c", b"x", b"websocket2"])
            ),
            good.replace(b"Connection: Upgrade", b"Connection: close"),
            good.replace(b"GET ", chance.choice([b"POST ", b"HEAD ", b"PUT "])),
            good.replace(b"HTTP/1.1", b"HTTP/1.0"),
            good.replace(
                path.encode(), chance.choice([b"/healthz", b"/ws", b"/ws/sessions/", b"/t/load-1"])
            ),
            frames.handshake(path, chance, "Origin: " + chance.choice(_ORIGINS)),
            frames.handshake(path, chance, "Sec-WebSocket-Extensions: permessage-deflate; x=1, x"),
            frames.handshake(path, chance, "Sec-WebSocket-Protocol: a, b,,c"),
            frames.handshake(path, chance, "Content-Length: 5") + b"12345",
            frames.handshake(path, chance, "X-Forwarded-For: 127.0.0.1, \udcff"),
            spoil_bytes(chance, good),
        ]
    )
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        if b"\r\n\r\n" not in request:
            await world.requests("handshake")
            await line.send(request)
            return
        with trio.move_on_after(1 + chance.random()):
            await shake_hands(world, line, request)


_ORIGINS = (
    "null",
    "http://evil.example",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1:1",
    "https://127.0.0.1",
    "http://evil127.0.0.1",
    "file://",
    "x" * 3000,
    "http://[::1",
)


async def connect_and_drop(world: World, stock: Stock, chance: random.Random) -> None:
    """Connections that say nothing, or nearly nothing, and are gone."""
    address = world.address(chance)
    for _ in range(DROPS):
        async with open_line(world.port, address) as line:
            world.tally.connections += 1
            if chance.random() < 0.3:
                await line.send(chance.choice([b"G", b"GET / HT", b"\x16\x03\x01", b"\r\n"]))
            if chance.random() < 0.5:
                line.reset()
