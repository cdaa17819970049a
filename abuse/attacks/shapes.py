"""HTTP as it must not be written: smuggling, chunked nonsense, and requests cut at any byte."""

import random

import trio

from ..nonsense import spoil_bytes
from ..stock import Stock
from ..wire import LineLost, NoHttp, open_line, read_answer
from ..world import SHOWN_BYTES, World

ANSWERS_MOST = 4
ANSWER_SECONDS = 0.7
"""Many of these are never whole, and the server waits for their rest."""

_JOIN = b"POST /api/tables/load-99/join HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
_INNER = b"GET /api/restaurants/1/tables HTTP/1.1\r\nHost: x\r\n\r\n"
_CHUNKED = _JOIN + b"Transfer-Encoding: chunked\r\n\r\n"

SHAPES: tuple[bytes, ...] = (
    _JOIN + b"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + _INNER,
    _JOIN + b"Content-Length: 12\r\nContent-Length: 44\r\n\r\n" + b'{"name":"x"}' + _INNER,
    _JOIN + b"Content-Length: 12, 12\r\n\r\n" + b'{"name":"x"}' + _INNER,
    _JOIN + b"Content-Length: +12\r\n\r\n" + b'{"name":"x"}' + _INNER,
    _JOIN + b"Content-Length: 1_2\r\n\r\n" + b'{"name":"x"}',
    _JOIN + b"Content-Length: -1\r\n\r\n",
    _JOIN + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nx",
    _JOIN + b"Content-Length : 12\r\n\r\n" + b'{"name":"x"}',
    _JOIN + b"Content-Length: 12\r\n\r\n" + b'{"name":"x"}' + _INNER * 3,
    _JOIN + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + _INNER,
    _JOIN + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _INNER,
    _JOIN + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + _INNER,
    _JOIN + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    _JOIN + b"Transfer-Encoding\r\n : chunked\r\n\r\n0\r\n\r\n",
    _CHUNKED + b"c\r\n" + b'{"name":"x"}' + b"\r\n0\r\n\r\n" + _INNER,
    _CHUNKED + b"C;a=b;" + b"x" * 400 + b"\r\n" + b'{"name":"x"}' + b"\r\n0\r\nX: y\r\n\r\n",
    _CHUNKED + b"-1\r\n\r\n",
    _CHUNKED + b"0x0c\r\n" + b'{"name":"x"}' + b"\r\n0\r\n\r\n",
    _CHUNKED + b"ffffffffffffffffffff\r\nx",
    _CHUNKED + b"zz\r\nx",
    _CHUNKED + b"c\n" + b'{"name":"x"}' + b"\n0\n\n",
    _CHUNKED + b"c\r\n" + b'{"name":"x"}XX0\r\n\r\n' + _INNER,
    _CHUNKED + b"1\r\n \r\n" * 3000 + b"0\r\n\r\n",
    _CHUNKED + b"0\r\n" + b"X: y\r\n" * 4000 + b"\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\tc\r\n\r\n",
    b"GET /healthz HTTP/1.1\nHost: x\n\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n",
    b"GET /healthz HTTP/1.0\r\n\r\n",
    b"GET /healthz HTTP/0.9\r\n\r\n",
    b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /healthz\r\n\r\n",
    b"GET  /healthz  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /health\x00z HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET //evil.example/%2e%2e HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + _INNER,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    b"\r\n\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"SSH-2.0-OpenSSH_9\r\n",
    b"\x00" * 400,
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
)


async def smuggling(world: World, stock: Stock, chance: random.Random) -> None:
    """One of the shapes, at times spoilt further, at times with a good request behind it."""
    data = chance.choice(SHAPES)
    if chance.random() < 0.3:
        data = spoil_bytes(chance, data)
    if chance.random() < 0.2:
        data += stock.requests.good(chance).as_bytes()
    await _send_and_look(world, chance, data, "shape")


async def cut_requests(world: World, stock: Stock, chance: random.Random) -> None:
    """A good request in two pieces, or half of it and then the end or a reset."""
    data = stock.requests.good(chance).as_bytes()
    at = chance.randrange(1, len(data))
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        await world.requests("cut")
        await line.send(data[:at])
        dice = chance.random()
        if dice < 0.4:
            line.reset()
            return
        if dice < 0.7:
            await line.finish_sending()
        else:
            await trio.sleep(chance.random() * 0.05)
            await line.send(data[at:])
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                world.answered(await read_answer(line), data[:at])
            except NoHttp as error:
                world.violation(f"{error} to {data[:at]!r}")


async def _send_and_look(world: World, chance: random.Random, data: bytes, kind: str) -> None:
    """Send it, and read whatever answers come soon: each must be one, and none may be a 5xx."""
    async with open_line(world.port, world.address(chance)) as line:
        world.tally.connections += 1
        await world.requests(kind)
        await line.send(data)
        if chance.random() < 0.3:
            await line.finish_sending()
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                for _ in range(ANSWERS_MOST):
                    answer = await read_answer(line)
                    world.answered(answer, data)
                    if answer is None or answer.status == 101:
                        return
                    if b'"restaurant_id":1,"tables":' in answer.body:
                        world.violation(f"the tables of a restaurant to {data[:SHOWN_BYTES]!r}")
            except NoHttp as error:
                if not data.startswith(b"HEAD"):
                    world.violation(f"{error} to {data[:SHOWN_BYTES]!r}")
            except LineLost:
                return
