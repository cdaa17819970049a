"""HTTP requests that are wrong in themselves, too many, or of somebody who has no right to them."""

import random
from contextlib import suppress

import trio

from ..requests import Request
from ..stock import Stock
from ..wire import Line, LineLost, NoHttp, open_line, read_answer
from ..words import count
from ..world import SHOWN_BYTES, World

REQUESTS = (6, 14)
ANSWER_SECONDS = 0.5
"""A request that announces more than it sends is left then; the server waits for it longer."""

FLOOD_REQUESTS = 600
FLOOD_PIECE = 50
"""An address may have 400 at once and then 100 a second, of joins 120 and 4: the rest gets 429."""


async def _ask(world: World, line: Line, kind: str, data: bytes, method: str) -> int | None:
    """Send one request and take its answer's status; None where there is none in time."""
    await world.requests(kind)
    await line.send(data)
    answer = None
    with trio.move_on_after(ANSWER_SECONDS) as patience:
        try:
            answer = await read_answer(line, method.encode())
        except NoHttp as error:
            world.violation(f"{error} to {data[:SHOWN_BYTES]!r}")
            raise LineLost("no HTTP") from error
    if patience.cancelled_caught:
        raise LineLost("no answer")
    world.answered(answer, data)
    if answer is None or answer.headers.get(b"connection") == b"close":
        raise LineLost("the server has closed")
    return answer.status


async def mutated_requests(world: World, stock: Stock, chance: random.Random) -> None:
    """Spoilt requests one after another, good ones between, on connections that are kept while they hold."""
    left = chance.randint(*REQUESTS)
    while left > 0:
        async with open_line(world.port, world.address(chance)) as line:
            world.tally.connections += 1
            with suppress(LineLost):
                while left > 0:
                    left -= 1
                    spoil = chance.random() < 0.8
                    made = stock.requests.spoilt if spoil else stock.requests.good
                    request = made(chance)
                    kind = "mutated" if spoil else "good"
                    await _ask(world, line, kind, request.as_bytes(), request.method)


async def request_flood(world: World, stock: Stock, chance: random.Random) -> None:
    """More requests than one address may make, pipelined and as fast as the server takes them."""
    json = [("Content-Type", "application/json")]
    chosen = chance.choice(
        [
            Request("GET", "/staff", []),
            Request("GET", "/api/restaurants/3/menu", []),
            Request("POST", "/api/tables/none/join", json, b'{"name":"Eve"}'),
        ]
    )
    request = chosen.as_bytes()
    await world.turn_to_ask(FLOOD_REQUESTS)
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        for _ in range(FLOOD_REQUESTS // FLOOD_PIECE):
            count(world.tally.requests, "flood", FLOOD_PIECE)
            await line.send(request * FLOOD_PIECE)
            for _ in range(FLOOD_PIECE):
                world.answered(await read_answer(line), request)


async def callbacks(world: World, stock: Stock, chance: random.Random) -> None:
    """Callbacks without a signature or with a wrong one; and well signed ones that say nonsense."""
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        for _ in range(chance.randint(1, 5)):
            request, right = stock.requests.callback(chance)
            data = request.as_bytes()
            status = await _ask(world, line, "callback", data, "POST")
            if not right and status in (200, 204):
                world.violation(
                    f"{status} to a callback that nobody signed: {data[:SHOWN_BYTES]!r}"
                )


async def no_right(world: World, stock: Stock, chance: random.Random) -> None:
    """Members and another restaurant's staff at what is the honest restaurant's staff's alone."""
    seat = await world.seat(chance)
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        for _ in range(chance.randint(1, 5)):
            neighbour = chance.choice(world.neighbours)
            method, path, body = chance.choice(
                [
                    ("POST", f"/api/sessions/{neighbour}/close", None),
                    ("GET", f"/api/sessions/{neighbour}/cart", None),
                    ("GET", f"/api/sessions/{neighbour}/orders", None),
                    ("GET", "/api/restaurants/1/tables", None),
                    ("GET", "/api/restaurants/1/orders", None),
                    ("GET", "/api/restaurants/1/qr-codes", None),
                    ("PATCH", "/api/restaurants/1/menu/456", b'{"price": 1, "available": false}'),
                    (
                        "POST",
                        f"/api/orders/ORD-1-{chance.randint(1, 60)}/resolve",
                        b'{"outcome":"rejected","reason":"x"}',
                    ),
                ]
            )
            token = chance.choice([seat.token, world.job.staff_token, "x", ""])
            headers = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
            data = Request(method, path, headers, body).as_bytes()
            status = await _ask(world, line, "no right", data, method)
            if status is not None and 200 <= status < 300:
                world.violation(f"{status} to {data[:SHOWN_BYTES]!r}")
