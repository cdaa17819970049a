"""Who takes its time: heads, bodies and messages that do not end, and readers that do not read."""

import random

import trio

from .. import frames
from ..frames import frame
from ..stock import Stock
from ..talk import open_talk
from ..wire import Line, NoHttp, open_line, read_answer
from ..world import World

PATIENCE_SECONDS = 45.0
"""Longer than any of the server's own: 10 s for a head, 30 s for a body."""

DRIP_SECONDS = (0.2, 3.0)
"""Between two pieces of what takes its time."""

SILENCE_SECONDS = (1.0, 12.0)
FRAGMENT_BYTES = 3000
FRAGMENTS = 26
"""More than a message may have."""

SMALL_BUFFER_BYTES = 4096
ORDERS_UNREAD = 110
"""Each wrong order is answered by a snapshot: within a burst, they are more than may wait for a reader."""


async def _drip(line: Line, chance: random.Random, data: bytes, size: int) -> None:
    """Send it piece by piece, up to the end or until the server has enough."""
    for at in range(0, len(data), size):
        await line.send(data[at : at + size])
        await trio.sleep(chance.uniform(*DRIP_SECONDS))


async def _drip_and_look(
    world: World, chance: random.Random, data: bytes, size: int, start: bytes = b""
) -> None:
    """Drip after a start that comes at once, and read meanwhile what the server answers: it should be 408."""
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        if start:
            await line.send(start)
        with trio.move_on_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_drip, line, chance, data, size)
                try:
                    world.answered(await read_answer(line), start or data)
                except NoHttp as error:
                    world.violation(str(error))
                nursery.cancel_scope.cancel()


async def slow_heads(world: World, stock: Stock, chance: random.Random) -> None:
    """A head that comes a few bytes at a time and never ends."""
    await world.requests("slow head")
    head = stock.requests.good(chance).as_bytes().partition(b"\r\n\r\n")[0]
    head += b"".join(b"\r\nX-%d: y" % n for n in range(200))
    await _drip_and_look(world, chance, head, chance.choice([1, 7, 60]))


async def slow_bodies(world: World, stock: Stock, chance: random.Random) -> None:
    """A body that comes a few bytes at a time and never ends."""
    await world.requests("slow body")
    how = chance.choice(
        [b"Content-Length: 60000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\nea60\r\n"]
    )
    path = f"/api/tables/{chance.choice(world.job.tables)}/join"
    start = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode() + how
    await _drip_and_look(world, chance, b" " * 60_000, chance.choice([1, 100]), start)


async def half_handshakes(world: World, stock: Stock, chance: random.Random) -> None:
    """Half an upgrade request, then silence, then perhaps a reset."""
    await world.requests("half handshake")
    request = frames.handshake("/ws/sessions/session_none", chance)
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        await line.send(request[: chance.randrange(1, len(request) - 1)])
        with trio.move_on_after(chance.choice([2.0, PATIENCE_SECONDS])):
            try:
                world.answered(await read_answer(line), request)
            except NoHttp as error:
                world.violation(str(error))
        line.reset()


async def silent_members(world: World, stock: Stock, chance: random.Random) -> None:
    """A websocket that never joins, or joins and then is silent."""
    seat = await world.seat(chance)
    async with open_talk(world, chance, seat.session) as talk:
        if chance.random() < 0.5:
            await talk.join(seat)
        with trio.move_on_after(chance.uniform(*SILENCE_SECONDS)):
            await talk.over.wait()


async def unfinished_fragments(world: World, stock: Stock, chance: random.Random) -> None:
    """A message in fragments that never ends: the server closes it at its limit, or we leave."""
    seat = await world.seat(chance)
    async with open_talk(world, chance, seat.session) as talk:
        if not await talk.join(seat):
            return
        part = frame(
            frames.TEXT, b'{"type":"ping","x":"' + b"x" * FRAGMENT_BYTES, first=frames.TEXT
        )
        await talk.say("fragment", part)
        for _ in range(chance.randint(1, FRAGMENTS)):
            await trio.sleep(chance.random() * 0.6)
            ping = frame(frames.PING, b"still there")
            await talk.say("fragment", frame(0, b"x" * FRAGMENT_BYTES, first=0), ping)
        with trio.move_on_after(chance.uniform(*SILENCE_SECONDS)):
            await talk.over.wait()


async def slow_readers(world: World, stock: Stock, chance: random.Random) -> None:
    """Somebody who asks for large answers and does not read them."""
    seat = await world.seat(chance)
    opened = open_talk(
        world, chance, seat.session, receive_bytes=SMALL_BUFFER_BYTES, listening=False
    )
    async with opened as talk:
        note = b'"' + "ö".encode() * 280 + b'"'
        lines = [
            frames.text(b'{"type":"add_item","menu_item_id":456,"qty":1,"note":' + note + b"}")
        ] * 30
        order = frames.text(b'{"type":"place_order","cart_items":[],"total":1}')
        await talk.say(
            "join", frames.text(b'{"type":"join","token":"' + seat.token.encode() + b'"}')
        )
        await talk.say("unread", *lines)
        await trio.sleep(chance.random())
        await talk.say("unread", *[order] * (ORDERS_UNREAD - len(lines)))
        await trio.sleep(chance.uniform(*SILENCE_SECONDS))
        if chance.random() < 0.5:
            await talk.listen()
