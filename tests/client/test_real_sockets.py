"""The same client over TCP: what memory streams and a transport of one's own cannot show."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from comanda.client import Reconnected, TableConnection, open_table

from ..actors.domain.helpers import MARGHERITA
from .fake_server import FakeServer

WITHIN_SECONDS = 20.0


def port_of(listeners: list[trio.SocketListener]) -> int:
    port: int = listeners[0].socket.getsockname()[1]
    return port


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[FakeServer, str]]:
    """A fake server on two ports of the loopback, and the address of its HTTP."""
    with trio.fail_after(WITHIN_SECONDS):
        async with trio.open_nursery() as nursery:
            server = FakeServer(nursery)

            async def serve_http(stream: trio.SocketStream) -> None:
                async with stream:
                    await answer_once(server, stream)

            async def serve_websocket(stream: trio.SocketStream) -> None:
                await server.serve(stream)

            sockets = await nursery.start(trio.serve_tcp, serve_websocket, 0)
            server.ws_url = f"ws://127.0.0.1:{port_of(sockets)}"
            listeners = await nursery.start(trio.serve_tcp, serve_http, 0)
            yield server, f"http://127.0.0.1:{port_of(listeners)}"
            nursery.cancel_scope.cancel()


async def answer_once(server: FakeServer, stream: trio.SocketStream) -> None:
    """Read one request, let the fake server answer it, close."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += await stream.receive_some()
    head, _, body = received.partition(b"\r\n\r\n")
    start, *lines = head.decode().split("\r\n")
    method, path, _ = start.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    length = int({key.lower(): value for key, value in headers.items()}.get("content-length", "0"))
    while len(body) < length:
        body += await stream.receive_some()
    request = httpx.Request(method, f"http://test{path}", headers=headers, content=body)
    response = await server.answer(request)
    await stream.send_all(
        f"HTTP/1.1 {response.status_code} Whatever\r\nConnection: close\r\n"
        f"Content-Length: {len(response.content)}\r\n\r\n".encode()
        + response.content
    )


@asynccontextmanager
async def ana_at(url: str) -> AsyncIterator[TableConnection]:
    async with open_table(url, "table-code", "Ana") as table:
        yield table


async def test_a_table_is_joined_edited_and_left_politely() -> None:
    async with a_server() as (server, url):
        async with ana_at(url) as table:
            await table.add_to_cart(MARGHERITA, 2)
            assert table.store.total == 1250
            assert (await table.fetch_snapshot()).seq == server.seq
        while not server.close_codes:
            await trio.lowlevel.checkpoint()
        assert server.close_codes == [1000]


async def test_a_cut_reaches_the_server_as_a_broken_connection_and_is_joined_again() -> None:
    async with a_server() as (server, url), ana_at(url) as table:
        happenings = table.events()
        table.cut()
        await happenings.find(lambda one: isinstance(one, Reconnected), WITHIN_SECONDS)
        await table.add_to_cart(MARGHERITA)
        assert server.close_codes == [1006]
        assert server.connections == 2


async def test_a_cancelled_client_leaves_a_close_frame_behind() -> None:
    async with a_server() as (server, url):
        with trio.CancelScope() as scope:
            async with ana_at(url):
                scope.cancel()
                await trio.sleep_forever()
        while not server.close_codes:
            await trio.lowlevel.checkpoint()
        assert server.close_codes == [1000]


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with a_server() as (_, url), ana_at(url) as table:
        assert table.connected
