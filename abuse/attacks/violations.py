"""Frames that no client may send, and bytes that come before it is their time."""

import random

import trio

from .. import frames
from ..frames import FINAL, frame
from ..nonsense import spoil_bytes
from ..stock import Stock
from ..talk import join_frame, open_talk
from ..world import World

MESSAGE_BYTES = 65_536
CLOSE_SECONDS = 8.0
"""For the close that a violation must get."""

EARLY_FRAMES = 70
"""Behind the join; 64 may wait for its answer."""


def a_violation(chance: random.Random) -> list[bytes]:
    """Frames of which at least one is wrong."""
    good = frame(frames.TEXT, b'{"type":"ping"}')
    part = frame(frames.TEXT, b'{"type":', first=frames.TEXT)
    rest = frame(frames.CONTINUATION, b'"ping"}')
    big = b" " * (MESSAGE_BYTES + 1)
    half = b" " * (MESSAGE_BYTES // 2)
    wrong = chance.choice(
        [
            [
                frame(
                    frames.TEXT,
                    b"{}",
                    first=FINAL | frames.TEXT | chance.choice([0x40, 0x20, 0x10]),
                )
            ],
            [frame(chance.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15]), b"?")],
            [frame(frames.TEXT, b'{"type":"ping"}', mask=None)],
            [frame(frames.PING, b"?", first=frames.PING)],
            [frame(frames.PING, b"?" * 126)],
            [frame(frames.BINARY, chance.randbytes(chance.randrange(40)))],
            [frame(frames.TEXT, chance.choice([b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"{}\x80"]))],
            [frame(frames.TEXT, big)],
            [frame(frames.TEXT, b"", announced=chance.choice([2**63, 2**63 - 1, 2**32, 65537]))],
            [frame(frames.TEXT, half, first=frames.TEXT)]
            + [frame(frames.CONTINUATION, half, first=0)] * 2,
            [part, good],
            [rest],
            [part, frame(frames.PING, b"in between"), frame(frames.BINARY, b"!")],
            [frame(frames.TEXT, b"{}", wide=chance.choice([2, 8]))],
            [frame(frames.CLOSE, b"\x03")],
            [
                frames.close(
                    chance.choice([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
                )
            ],
            [frames.close(1000, b"\xff\xff")],
            [frame(frames.CLOSE, b"\x03\xe8" + b"x" * 124)],
            [spoil_bytes(chance, good * 3)],
            [chance.randbytes(chance.randint(1, 300))],
        ]
    )
    return [good] * chance.randint(0, 3) + wrong + [good] * chance.randint(0, 3)


async def frame_violations(world: World, stock: Stock, chance: random.Random) -> None:
    """One violation, before or after the join, perhaps cut into pieces; then what the server says to it."""
    seat = await world.seat(chance)
    async with open_talk(world, chance, seat.session) as talk:
        if chance.random() < 0.7 and not await talk.join(seat):
            return
        said = a_violation(chance)
        if chance.random() < 0.3:
            data = b"".join(said)
            await world.frames("violation", len(said))
            at = chance.randrange(len(data) + 1)
            await talk.line.send(data[:at])
            await trio.sleep(chance.random() * 0.02)
            await talk.line.send(data[at:])
        else:
            await talk.say("violation", *said)
        if chance.random() < 0.2:
            talk.line.reset()
            return
        with trio.move_on_after(CLOSE_SECONDS * chance.random()):
            await talk.over.wait()


async def early_bytes(world: World, stock: Stock, chance: random.Random) -> None:
    """Frames or nonsense in one piece with the upgrade, and too much behind the join."""
    seat = await world.seat(chance)
    join = join_frame(seat.token)
    good = frame(frames.TEXT, b'{"type":"ping"}')
    behind = chance.choice(
        [
            join,
            join + good * 3,
            join + chance.choice(stock.speech.spoilt) * 2,
            join + good * EARLY_FRAMES,
            b"x",
            b"\r\n",
            chance.randbytes(20),
            b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
            b"".join(a_violation(chance)),
            (join + good)[:-3],
        ]
    )
    await world.frames("early", max(1, behind.count(b"ping")))
    async with open_talk(world, chance, seat.session, behind=behind) as talk:
        if chance.random() < 0.5:
            await talk.ask("early", until=b"cart_snapshot", seconds=chance.random())
        await talk.end()
