"""What an ended connection leaves behind: nothing that only the garbage collector would find.

That looks so seldom (`tune_garbage_collection`) that whoever connects and drops all night would fill the
memory with what waits for it.
"""

import random
from functools import partial

import pytest
import trio

from abuse import frames
from abuse.wire import Line, open_line, read_answer

from .garbage import left_by
from .server import PATIENCE_SECONDS, Member, Server

ROUTERS_OWN = {"cell", "set", "tuple", "function"}
"""What werkzeug's matcher leaves of each request: a function that calls itself."""

JOINED = {
    "a reset": (b"", "reset"),
    "the end": (b"", "end"),
    "a good-bye": (frames.close(1000), "wait"),
    "a bad opcode": (b"\xff" * 8, "wait"),
    "too long a message": (frames.text(b"x" * 65_537), "wait"),
}


async def end(line: Line, how: str) -> None:
    """Leave, in one of four ways."""
    if how == "reset":
        line.reset()
    elif how == "close":
        with trio.fail_after(PATIENCE_SECONDS):
            assert await line.more()
        line.reset()
    elif how == "wait":
        with trio.fail_after(PATIENCE_SECONDS):
            while await line.more():
                pass


async def talk(server: Server, member: Member, last: bytes, how: str, *, join: bool) -> None:
    """A websocket from the handshake to its end."""
    async with open_line(server.port, "127.0.0.1") as line:
        await line.send(frames.handshake(f"/ws/sessions/{member.pid}", random.Random(1)))
        assert await read_answer(line)
        if join:
            hello = b'{"type":"join","token":"' + member.token.encode() + b'"}'
            await line.send(frames.text(hello))
            while b"cart_snapshot" not in line.buffer:
                assert await line.more()
        await line.send(last)
        await end(line, how)


@pytest.mark.parametrize(("last", "how"), JOINED.values(), ids=JOINED)
async def test_a_member_who_has_left_leaves_nothing_to_the_collector(
    server: Server, last: bytes, how: str
) -> None:
    ana = await server.join()
    leave = partial(talk, server, ana, last, how, join=True)
    assert await left_by(leave) <= ROUTERS_OWN


@pytest.mark.parametrize(
    ("first", "how"), [(b"", "reset"), (frames.text(b"no join"), "close"), (b"\x83\x80", "close")]
)
async def test_who_never_joined_leaves_nothing_to_the_collector(
    server: Server, first: bytes, how: str
) -> None:
    ana = await server.join()
    leave = partial(talk, server, ana, first, how, join=False)
    assert await left_by(leave) <= ROUTERS_OWN


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/t/demo-1", "/api/restaurants/7/menu", "/api/restaurants", "/api/tables/x/join"],
)
async def test_a_request_leaves_nothing_to_the_collector_whatever_its_answer(
    server: Server, path: str
) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    assert await left_by(partial(server.raw, request)) <= ROUTERS_OWN
