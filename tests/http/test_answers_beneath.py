"""What the worker answers by itself, beneath the application, has the headers of every other answer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import trio

from comanda.http.security_headers import EVERY_ANSWER

from .server import Server
from .test_worker import RawClient, connected, serving, upgrade

HEADERS = {name.lower(): value.lower() for name, value in EVERY_ANSWER.items()}
LONG_HEAD = b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 20_000 + b"\r\n\r\n"


def assert_hardened(head: str, status: int) -> None:
    """An answer's head, in lower case, has this status and each of the headers once."""
    first, *lines = head.split("\r\n")
    assert first.split()[1] == str(status), head
    fields = [line.partition(": ") for line in lines]
    counted = Counter(name for name, _, _ in fields)
    assert {name: counted[name] for name in HEADERS} == dict.fromkeys(HEADERS, 1), head
    assert HEADERS.items() <= {name: value for name, _, value in fields}.items()


async def hard_to_please(scope: Any, receive: Any, send: Any) -> None:
    """Fails, refuses a websocket, or takes its time, as the path says."""
    if scope["path"] == "/fail":
        raise ValueError("a bug")
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close"})
    while (await receive())["type"] == "http.request":
        pass


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01 nothing like a request\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
        (upgrade().replace(b"Sec-WebSocket-Key", b"No-Key"), 400),
        (upgrade(), 403),
        (b"GET / HT", 408),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n", 408),
        (upgrade(Sec_WebSocket_Version="8"), 426),
        (LONG_HEAD, 431),
        (LONG_HEAD[:-4], 431),
        (b"GET /fail HTTP/1.1\r\nhost: x\r\n\r\n", 500),
        (upgrade("/fail"), 500),
    ],
)
async def test_a_refusal_has_them(sent: bytes, status: int) -> None:
    at_once = {"request_head_timeout_seconds": 0.1, "request_body_timeout_seconds": 0.1}
    limits = at_once if status == 408 else {}
    async with (
        serving(hard_to_please, answer_headers=EVERY_ANSWER, **limits) as served,
        connected(served, sent) as client,
    ):
        assert_hardened(await client.read_head(), status)


async def test_one_connection_too_many_has_them() -> None:
    async with (
        serving(hard_to_please, answer_headers=EVERY_ANSWER, max_connections=1) as served,
        connected(served, b"GET / HT"),
        connected(served) as refused,
    ):
        assert_hardened(await refused.read_head(), 503)


async def test_a_websocket_during_the_shutdown_has_them() -> None:
    async with (
        serving(hard_to_please, answer_headers=EVERY_ANSWER) as served,
        connected(served, upgrade()[:-2]) as client,
    ):
        served.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        await client.send(b"\r\n")
        assert_hardened(await client.read_head(), 503)


async def test_what_the_application_says_itself_stands() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"cache-control", b"no-cache")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

    async with (
        serving(app, answer_headers=EVERY_ANSWER) as served,
        connected(served, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n") as client,
    ):
        head = await client.read_head()
        assert head.count("cache-control") == 1
        assert "cache-control: no-cache" in head
        assert "x-content-type-options: nosniff" in head


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"GET\r\n\r\n", 400), (LONG_HEAD, 431), (upgrade(Sec_WebSocket_Version="8"), 426)],
)
async def test_comandas_server_answers_so(sent: bytes, status: int, server: Server) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        client = RawClient(stream)
        await client.send(sent)
        assert_hardened(await client.read_head(), status)
