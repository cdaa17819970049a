"""The worker over real sockets on loopback. What a peer does wrong is sent as raw bytes."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import trio
from hypercorn.protocol.h11 import H11Protocol
from quart import websocket
from quart_trio import QuartTrio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from comanda.http.worker import (
    CONNECTION_EXTENSION,
    SOCKET_EXTENSION,
    MemberSocket,
    StartupError,
    WorkerLimits,
    bind,
    check_fit,
    fast_way_misses,
    serve,
    text_frame,
    tune_garbage_collection,
)
from tests.certificates import make_certificate, needs_openssl

from .garbage import left_by

PATIENCE_SECONDS = 30  # Far above any limit under test; the defaults that could hide one are above.
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
App = Callable[[Any, Any, Any], Awaitable[None]]


# Helpers: a server in this process, and a client that sends what it is told.


@pytest.fixture(params=[None, "for this test"], ids=["fast way", "through streams"], autouse=True)
def fast(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything holds in both ways to read and write websockets; whether it is the fast one."""
    monkeypatch.setattr("comanda.http.worker.serving.fast_way_misses", lambda: request.param)
    return request.param is None


@dataclass
class Served:
    port: int
    stop: trio.Event
    ended: trio.Event
    errors: list[tuple[str, dict[str, Any]]]


@contextlib.asynccontextmanager
async def serving(
    app: Any,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    answer_headers: Any = MappingProxyType({}),
    **limits: Any,
) -> AsyncIterator[Served]:
    """The app served in this process; at the end it is stopped and must end by itself."""
    [listener] = bind("127.0.0.1", 0)
    served = Served(listener.getsockname()[1], trio.Event(), trio.Event(), [])

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        await serve(
            app,
            [listener],
            limits=WorkerLimits(**limits),
            answer_headers=answer_headers,
            shutdown=served.stop,
            log_error=lambda event, **fields: served.errors.append((event, fields)),
            task_status=task_status,
        )
        served.ended.set()

    with trio.fail_after(patience_seconds):
        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            yield served
            served.stop.set()


class RawClient:
    """A socket that speaks websocket frames as badly as it is told to."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._buffer = b""

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def send_frame(self, opcode: int, payload: bytes = b"", **bits: Any) -> None:
        await self.send(client_frame(opcode, payload, **bits))

    async def ended(self) -> bool:
        """Whether the server's end has come, with nothing before it."""
        return await self._more() == b""

    async def _more(self) -> bytes:
        try:
            data: bytes = await self.stream.receive_some(65_536)
        except trio.BrokenResourceError:
            return b""
        self._buffer += data
        return data

    async def read_head(self) -> str:
        while b"\r\n\r\n" not in self._buffer:
            assert await self._more(), f"the server closed after {self._buffer!r}"
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        return head.decode().lower()

    async def read_to_end(self) -> bytes:
        while await self._more():
            pass
        return self._buffer

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            assert await self._more(), f"the server closed after {self._buffer!r}"
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    async def read_frame(self) -> tuple[int, bytes]:
        first, second = await self._take(2)
        assert first & 0x70 == 0
        assert first & 0x80
        assert second & 0x80 == 0, "a server's frame has no mask"
        size = second
        if second == 126:
            size = int.from_bytes(await self._take(2), "big")
        elif second == 127:
            size = int.from_bytes(await self._take(8), "big")
        return first & 0x0F, await self._take(size)

    async def read_text(self) -> str:
        opcode, payload = await self.read_frame()
        assert opcode == TEXT
        return payload.decode()

    async def read_close(self) -> tuple[int, str]:
        """The close code and reason, past frames that came before."""
        while True:
            opcode, payload = await self.read_frame()
            if opcode == CLOSE:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()


def reset(client: RawClient) -> None:
    client.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.stream.socket.close()


def client_frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, rsv: int = 0
) -> bytes:
    size, mask = len(payload), b"\x01\x02\x03\x04"
    first = bytes([final << 7 | rsv << 4 | opcode])
    if size < 126:
        head = first + bytes([masked << 7 | size])
    elif size < 65_536:
        head = first + bytes([masked << 7 | 126]) + size.to_bytes(2, "big")
    else:
        head = first + bytes([masked << 7 | 127]) + size.to_bytes(8, "big")
    if not masked:
        return head + payload
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def upgrade(path: str = "/", **headers: str) -> bytes:
    fields = {
        "Host": "test",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@contextlib.asynccontextmanager
async def connected(served: Served, first_bytes: bytes = b"") -> AsyncIterator[RawClient]:
    async with await trio.open_tcp_stream("127.0.0.1", served.port) as stream:
        client = RawClient(stream)
        if first_bytes:
            await client.send(first_bytes)
        yield client


@contextlib.asynccontextmanager
async def member(served: Served) -> AsyncIterator[RawClient]:
    async with connected(served, upgrade()) as client:
        assert " 101 " in await client.read_head()
        yield client


@contextlib.asynccontextmanager
async def friendly(served: Served) -> AsyncIterator[WebSocketConnection]:
    """A client that keeps to the protocol, by somebody else."""
    # The stream is closed here: trio-websocket leaves it open when the server closed first.
    async with (
        await trio.open_tcp_stream("127.0.0.1", served.port) as stream,
        trio.open_nursery() as nursery,
    ):
        client = await wrap_client_stream(nursery, stream, "127.0.0.1", "/")
        yield client
        await client.aclose()
        nursery.cancel_scope.cancel()


@dataclass
class NoConnection:
    """Stands for the connection where virtual time is wanted, which no real socket keeps."""

    nursery: trio.Nursery
    aborted: trio.Event = field(default_factory=trio.Event)

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        self.nursery.start_soon(task)

    def closing(self) -> None:
        pass

    def abort(self) -> None:
        self.aborted.set()


@dataclass
class Room:
    """What the handler of `echoing` saw, and its sockets."""

    seen: list[Any] = field(default_factory=list)
    sockets: list[MemberSocket] = field(default_factory=list)
    entered: trio.Event = field(default_factory=trio.Event)
    left: trio.Event = field(default_factory=trio.Event)


def echoing(room: Room | None = None) -> QuartTrio:
    """Comanda's way: accept, take the socket, loop over receive, answer through the socket."""
    room = Room() if room is None else room
    app = QuartTrio(__name__)
    app.logger.disabled = True

    @app.websocket("/")
    async def join() -> None:
        await websocket.accept()
        extensions: Any = websocket.scope["extensions"]
        member: MemberSocket = extensions[SOCKET_EXTENSION]
        room.sockets.append(member)
        room.entered.set()
        try:
            while True:
                text = str(await websocket.receive())
                room.seen.append(text)
                if text == "fail":
                    raise ValueError("a bug in the handler")
                member.send_frame(text_frame(text.encode()))
        finally:
            room.left.set()

    @app.get("/")
    async def hello() -> str:
        return "hello"

    return app


async def expect_echo(served: Served) -> None:
    """The server still serves others."""
    async with member(served) as client:
        await client.send_frame(TEXT, b"still here")
        assert await client.read_text() == "still here"


async def accept(scope: Any, receive: Any, send: Any) -> MemberSocket:
    """The plain ASGI handshake."""
    assert scope["type"] == "websocket"
    assert (await receive())["type"] == "websocket.connect"
    await send({"type": "websocket.accept"})
    found: MemberSocket = scope["extensions"][SOCKET_EXTENSION]
    return found


# 1. Early bytes, and failures that leak


async def test_a_frame_in_the_same_segment_as_the_upgrade_request_is_answered() -> None:
    async with serving(echoing()) as served:
        early = b"".join(client_frame(TEXT, b"%d" % n) for n in range(40))
        async with connected(served, upgrade() + early) as client:
            assert " 101 " in await client.read_head()
            assert [await client.read_text() for _ in range(40)] == [str(n) for n in range(40)]
            await client.send_frame(TEXT, b"later")
            assert await client.read_text() == "later"
        assert served.errors == []


async def test_a_stray_byte_behind_the_upgrade_request_harms_nobody_else() -> None:
    async with serving(echoing()) as served:
        async with member(served) as other, connected(served, upgrade() + b"\xff") as client:
            assert " 101 " in await client.read_head()
            await client.send(b"\x00")
            assert (await client.read_close())[0] == 1002
            await other.send_frame(TEXT, b"untouched")
            assert await other.read_text() == "untouched"
        await expect_echo(served)


async def test_early_bytes_of_a_refused_handshake_are_dropped() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})

    async with serving(refusing) as served:
        early = client_frame(TEXT, b"too early")
        for _ in range(2):
            async with connected(served, upgrade() + early) as client:
                assert " 403 " in await client.read_head()
                assert await client.ended()
        assert served.errors == []


@pytest.mark.parametrize("error", [ValueError("x"), ExceptionGroup("group", [ValueError("x")])])
async def test_an_http_failure_before_the_answer_is_500_and_is_logged(error: Exception) -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise error

    async with serving(failing) as served:
        for _ in range(2):
            async with connected(served, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as client:
                assert " 500 " in await client.read_head()
        assert [fields["exc_info"] for _, fields in served.errors] == [error, error]


async def test_an_http_failure_within_the_answer_closes_that_connection() -> None:
    async def too_much(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"12345"})

    async with serving(too_much) as served:
        for _ in range(2):
            async with connected(served, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as client:
                assert " 200 " in await client.read_head()
                assert await client.read_to_end() == b""
        assert {type(fields["exc_info"]).__name__ for _, fields in served.errors} == {
            "LocalProtocolError"
        }


async def test_a_websocket_failure_before_accepting_is_500() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            raise ValueError("a bug before accepting")

    async with serving(failing) as served:
        async with connected(served, upgrade()) as client:
            assert " 500 " in await client.read_head()
            assert await client.ended()
        assert len(served.errors) == 1


async def test_a_websocket_failure_of_any_asgi_application_closes_1011() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await accept(scope, receive, send)
            raise ExceptionGroup("group", [ValueError("a bug")])

    async with serving(failing) as served:
        for _ in range(2):
            async with member(served) as client:
                assert (await client.read_close())[0] == 1011
        assert len(served.errors) == 2


async def test_a_failure_in_the_reader_itself_closes_1011() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            found: MemberSocket = scope["extensions"][SOCKET_EXTENSION]
            found.on_text = int  # type: ignore[assignment]  # "x" is none: it raises.
            await accept(scope, receive, send)
            await receive()

    async with serving(failing) as served:
        async with member(served) as client:
            await client.send_frame(TEXT, b"x")
            assert (await client.read_close())[0] == 1011
        assert [type(fields["exc_info"]) for _, fields in served.errors] == [ValueError]


async def test_a_keyboard_interrupt_in_a_handler_ends_the_server() -> None:
    async def interrupted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            raise KeyboardInterrupt

    async def talk() -> None:
        async with serving(interrupted) as served, connected(served, REQUESTS["http"]) as client:
            await client.read_to_end()
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        await talk()
    assert caught.value.subgroup(KeyboardInterrupt) is not None


async def test_cancelling_serve_ends_it_with_its_connections() -> None:
    room = Room()
    [listener] = bind("127.0.0.1", 0)
    served = Served(listener.getsockname()[1], trio.Event(), trio.Event(), [])
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            await nursery.start(
                partial(
                    serve, echoing(room), [listener], shutdown=served.stop, log_error=pytest.fail
                )
            )
            async with member(served) as client:
                await room.entered.wait()
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    assert await client.ended()
    assert listener.fileno() == -1


# 2. Compression


async def test_compression_is_never_negotiated_nor_shown_to_the_application() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            scopes.append(scope)
            await accept(scope, receive, send)
            await receive()

    async with serving(app) as served:
        offer = upgrade(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits")
        async with connected(served, offer) as client:
            assert "sec-websocket-extensions" not in await client.read_head()
            await client.send_frame(TEXT, b"compressed", rsv=4)
            assert (await client.read_close())[0] == 1002
    assert b"sec-websocket-extensions" not in dict(scopes[0]["headers"])


# 3. Writes


def streaming(told: trio.Event) -> App:
    """An HTTP answer, and a websocket, without an end, until the connection is gone."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def produce() -> None:
            while True:
                await send({"type": kind, name: b"x" * 65_536, "more_body": True})

        if scope["type"] == "lifespan":
            return
        if scope["type"] == "http":
            kind, name = "http.response.body", "body"
            await send({"type": "http.response.start", "status": 200, "headers": []})
        else:
            kind, name = "websocket.send", "bytes"
            await accept(scope, receive, send)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(produce)
            while not (await receive())["type"].endswith(".disconnect"):
                pass
            told.set()
            nursery.cancel_scope.cancel()

    return app


REQUESTS = {"http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "websocket": upgrade()}


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_stalled_reader_is_cut_off_after_the_write_timeout(kind: str) -> None:
    told = trio.Event()
    limits = {"write_timeout_seconds": 0.1, "graceful_seconds": 60}
    async with serving(streaming(told), **limits) as served, connected(served, REQUESTS[kind]):
        await told.wait()


@pytest.mark.parametrize("kind", REQUESTS)
async def test_a_stalled_reader_does_not_hang_the_shutdown(kind: str) -> None:
    limits = {"write_timeout_seconds": 60, "graceful_seconds": 0.1, "close_timeout_seconds": 60}
    server = serving(streaming(trio.Event()), **limits)
    async with server as served, connected(served, REQUESTS[kind]) as client:
        await client.read_head()
        served.stop.set()
        await served.ended.wait()


# 4. Pings


async def test_members_are_pinged_and_a_pong_or_any_byte_keeps_them() -> None:
    room = Room()
    async with serving(echoing(room), ping_interval_seconds=0.05, pong_timeout_seconds=5) as served:
        async with member(served) as client:
            for n in range(6):
                while (await client.read_frame())[0] != PING:
                    pass
                await client.send_frame(PONG if n % 2 else TEXT)
        assert room.sockets[0].close_code != 1013


async def test_a_silent_half_open_connection_is_dropped() -> None:
    room = Room()
    limits = {"ping_interval_seconds": 0.05, "pong_timeout_seconds": 0.05}
    async with serving(echoing(room), **limits) as served, member(served) as client:
        await room.left.wait()
        assert b"\x89\x00" in await client.read_to_end()
    assert room.sockets[0].close_code == 1006


async def test_a_ping_is_answered_with_its_payload() -> None:
    async with serving(echoing()) as served, member(served) as client:
        await client.send_frame(PING, b"abc")
        assert await client.read_frame() == (PONG, b"abc")


# 5. The end of the server and of handlers


async def test_a_failed_quart_handler_closes_1011_and_is_logged() -> None:
    async with serving(echoing()) as served:
        async with member(served) as client:
            await client.send_frame(TEXT, b"fail")
            assert (await client.read_close())[0] == 1011
        assert [type(fields["exc_info"]) for _, fields in served.errors] == [ValueError]


async def test_a_handler_that_returns_closes_1000() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await accept(scope, receive, send)

    async with serving(app) as served, member(served) as client:
        assert (await client.read_close())[0] == 1000


async def test_a_shutdown_closes_every_websocket_1012() -> None:
    room = Room()
    server = serving(echoing(room), graceful_seconds=60)
    async with server as served:
        members = member(served), friendly(served)
        async with members[0] as raw, members[1] as other:
            await raw.send_frame(TEXT, b"hello")
            assert await raw.read_text() == "hello"
            served.stop.set()
            assert (await raw.read_close())[0] == 1012
            with pytest.raises(ConnectionClosed) as closed:
                await other.get_message()
            assert closed.value.reason is not None
            assert closed.value.reason.code == 1012
            await raw.send_frame(CLOSE, b"\x03\xf4")
            assert await raw.ended()
            await served.ended.wait()
    assert [found.close_code for found in room.sockets] == [1012] * len(room.sockets)


async def test_a_handshake_undecided_at_the_shutdown_is_closed_1012_when_accepted() -> None:
    asked, go_on, told = trio.Event(), trio.Event(), trio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            asked.set()
            await go_on.wait()
            await accept(scope, receive, send)
            assert (await receive())["code"] == 1012
            told.set()

    server = serving(slow, graceful_seconds=60, close_timeout_seconds=60)
    async with server as served, connected(served, upgrade()) as client:
        await asked.wait()
        async with connected(served) as idle:
            served.stop.set()
            assert await idle.ended()
        go_on.set()
        assert " 101 " in await client.read_head()
        assert (await client.read_close())[0] == 1012
        await told.wait()
        assert served.errors == []


async def test_a_member_that_ignores_the_shutdown_is_forced_out() -> None:
    limits = {"graceful_seconds": 0.1, "close_timeout_seconds": 60}
    async with serving(echoing(), **limits) as served, member(served) as client:
        served.stop.set()
        assert (await client.read_close())[0] == 1012
        await served.ended.wait()
        assert await client.ended()


async def test_a_shutdown_lets_a_request_finish_and_refuses_new_connections() -> None:
    begun, go_on = trio.Event(), trio.Event()
    app = QuartTrio(__name__)

    @app.get("/")
    async def slow() -> str:
        begun.set()
        await go_on.wait()
        return "finished"

    async with serving(app, graceful_seconds=60) as served:
        clients = connected(served), connected(served, REQUESTS["http"])
        async with clients[0] as idle, clients[1] as client:
            await begun.wait()
            served.stop.set()
            assert await idle.ended()
            with pytest.raises(OSError, match="attempts to connect"):
                await trio.open_tcp_stream("127.0.0.1", served.port)
            go_on.set()
            head = await client.read_head()
            assert " 200 " in head
            assert "connection: close" in head
            assert await client.read_to_end() == b"finished"


async def test_lifespan_runs_around_the_serving_and_its_failure_is_one_clear_error() -> None:
    order: list[str] = []
    app = echoing()

    @app.before_serving
    async def start() -> None:
        order.append("start")

    @app.after_serving
    async def stop() -> None:
        order.append("stop")

    async with serving(app) as served:
        await expect_echo(served)
        assert order == ["start"]
    assert order == ["start", "stop"]

    failing = echoing()

    @failing.before_serving
    async def fail() -> None:
        raise RuntimeError("no database")

    with pytest.raises(StartupError, match="no database"):
        await serve(failing, [], shutdown=trio.Event(), log_error=pytest.fail)


async def test_an_application_that_knows_no_lifespan_is_served() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(scope, receive, send)  # Fails at any other scope, as ASGI says it may.
        await receive()

    async with serving(app) as served, member(served):
        assert served.errors == []


async def test_a_start_without_an_end_is_given_up() -> None:
    async def hanging(scope: Any, receive: Any, send: Any) -> None:
        await trio.sleep_forever()

    limits = WorkerLimits(lifespan_seconds=0.05)
    with trio.fail_after(PATIENCE_SECONDS), pytest.raises(StartupError, match="startup"):
        await serve(hanging, [], shutdown=trio.Event(), log_error=pytest.fail, limits=limits)


# 6. What comes in is bounded


async def test_messages_wait_for_a_handler_that_does_not_receive_yet() -> None:
    go_on = trio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            found = await accept(scope, receive, send)
            await go_on.wait()
            while (event := await receive())["type"] == "websocket.receive":
                found.send_frame(text_frame(event["text"].encode()))

    async with serving(late, inbox_messages=2) as served, member(served) as client:
        for n in range(100):
            await client.send_frame(TEXT, b"%d" % n)
        await client.send_frame(PING)
        go_on.set()
        frames = [await client.read_frame() for _ in range(101)]
        frames.remove((PONG, b""))  # Sent when the ping was read, not when texts were answered.
        assert frames == [(TEXT, b"%d" % n) for n in range(100)]


async def test_a_handler_that_never_receives_is_ended_with_1011() -> None:
    cancelled = trio.Event()

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await accept(scope, receive, send)
            try:
                await trio.sleep_forever()
            finally:
                cancelled.set()

    limits = {"inbox_messages": 2, "handler_stall_seconds": 0.1, "close_timeout_seconds": 0.1}
    async with serving(deaf, **limits) as served:
        async with member(served) as client:
            await client.send(client_frame(TEXT, b"x") * 3)
            assert (await client.read_close())[0] == 1011
            await cancelled.wait()
        assert [event for event, _ in served.errors] == ["websocket handler does not receive"]


async def test_a_message_of_exactly_the_limit_arrives() -> None:
    room = Room()
    async with serving(echoing(room)) as served, member(served) as client:
        whole = "é" * 32_768
        await client.send_frame(TEXT, whole.encode()[:30_001], final=False)
        await client.send_frame(PING, b"between")
        await client.send_frame(0, whole.encode()[30_001:])
        assert await client.read_frame() == (PONG, b"between")
        assert await client.read_text() == whole


TOO_LONG = {
    "whole": client_frame(TEXT, b"x" * 65_537),
    "in few characters": client_frame(TEXT, ("é" * 40_000).encode()),
    "fragmented": client_frame(TEXT, b"x" * 65_536, final=False) + client_frame(0, b"x"),
    "announced alone": client_frame(TEXT, b"x" * 70_000)[:14],
    "never finished": client_frame(TEXT, b"x" * 10_000, final=False)
    + client_frame(0, b"x" * 10_000, final=False) * 6,
}


@pytest.mark.parametrize("sent", TOO_LONG.values(), ids=TOO_LONG)
async def test_a_message_over_the_limit_closes_1009_and_nothing_more_is_heard(sent: bytes) -> None:
    room = Room()
    async with serving(echoing(room)) as served, member(served) as client:
        await client.send(sent)
        assert (await client.read_close())[0] == 1009
        # Taken and thrown away: a reset could keep our close frame from the peer.
        await client.send(client_frame(TEXT, b"one more") * 200_000)
        await client.stream.send_eof()
        assert await client.ended()
        await room.left.wait()
    assert room.seen == []


# 7. What is no text message


VIOLATIONS = {
    "binary": (client_frame(BINARY, b"x"), 1003),
    "empty binary": (client_frame(BINARY), 1003),
    "announced binary": (client_frame(BINARY, b"x" * 70_000)[:14], 1003),
    "not UTF-8": (client_frame(TEXT, b"\xff\xfe"), 1007),
    "cut off UTF-8": (client_frame(TEXT, b"\xc3"), 1007),
    "a surrogate": (client_frame(TEXT, b"\xed\xa0\x80"), 1007),
    "unmasked": (client_frame(TEXT, b"x", masked=False), 1002),
    "reserved bit": (client_frame(TEXT, b"x", rsv=1), 1002),
    "bad opcode": (client_frame(3, b"x"), 1002),
    "bad control opcode": (client_frame(11, b"x"), 1002),
    "fragmented ping": (client_frame(PING, b"x", final=False), 1002),
    "long ping": (client_frame(PING, b"x" * 126), 1002),
    "continuation of nothing": (client_frame(0, b"x"), 1002),
    "text within a text": (client_frame(TEXT, b"x", final=False) + client_frame(TEXT), 1002),
    "close with one byte": (client_frame(CLOSE, b"\x03"), 1002),
    "close with a reserved code": (client_frame(CLOSE, b"\x03\xed"), 1002),
    "close with a broken reason": (client_frame(CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize(("sent", "code"), VIOLATIONS.values(), ids=VIOLATIONS)
async def test_a_violation_closes_with_its_code_and_the_handler_sees_nothing(
    sent: bytes, code: int
) -> None:
    room = Room()
    async with serving(echoing(room)) as served:
        async with member(served) as client:
            await client.send(sent)
            assert (await client.read_close())[0] == code
            await client.send_frame(TEXT, b"after it")
            await client.stream.send_eof()
            assert await client.ended()
            await room.left.wait()
        assert served.errors == []
    assert room.seen == []
    assert room.sockets[0].close_code == code


async def test_another_websocket_version_gets_426_with_ours() -> None:
    request = upgrade(Sec_WebSocket_Version="8")
    async with serving(echoing()) as served, connected(served, request) as client:
        head = await client.read_head()
        assert " 426 " in head
        assert "sec-websocket-version: 13" in head
        assert await client.ended()


async def test_a_handshake_without_a_key_gets_400_and_the_connection_ends() -> None:
    async with serving(echoing()) as served:
        request = upgrade().replace(b"Sec-WebSocket-Key", b"X-Other")
        async with connected(served, request) as client:
            assert " 400 " in await client.read_head()
            assert await client.ended()


# 8. Slow or large requests


async def test_a_request_head_without_an_end_gets_408() -> None:
    server = serving(echoing(), request_head_timeout_seconds=0.1)
    async with server as served, connected(served, b"GET / HTTP/1.1\r\nHost: ") as client:
        assert " 408 " in await client.read_head()
        assert await client.ended()


async def test_a_request_body_without_an_end_gets_408_and_ends_its_handler() -> None:
    told = trio.Event()

    async def reading(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            while (await receive())["type"] != "http.disconnect":
                pass
            told.set()

    async with serving(reading, request_body_timeout_seconds=0.1) as served:
        request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
        async with connected(served, request) as client:
            assert " 408 " in await client.read_head()
            await told.wait()
            assert await client.ended()
        assert served.errors == []


async def test_an_answer_at_the_very_moment_of_the_408_breaks_nothing() -> None:
    """It came between the head of the 408 and its end."""

    async def late(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await trio.sleep(0.1)
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body"})

    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345"
    async with serving(late, request_body_timeout_seconds=0.1) as served:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(served)) for _ in range(60)]
            for client in clients:
                await client.stream.send_all(request)
            heard = [await client.read_to_end() for client in clients]
        assert any(heard)
        assert all(one[:12] in (b"HTTP/1.1 408", b"HTTP/1.1 200", b"") for one in heard)
        assert all(one.count(b"HTTP/1.1") <= 1 for one in heard)
        assert served.errors == []


@pytest.mark.parametrize("target", [b"?", b"?x=1", b"?/"])
async def test_a_target_without_a_path_gets_400(target: bytes) -> None:
    async with serving(echoing()) as served:
        request = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        async with connected(served, request) as client:
            assert " 400 " in await client.read_head()
            assert await client.ended()
        assert served.errors == []


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/0.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
    ],
)
async def test_a_version_or_a_transfer_coding_that_is_not_spoken_is_the_askers_fault(
    head: bytes,
) -> None:
    async with serving(echoing()) as served, connected(served, head) as client:
        assert " 400 " in await client.read_head()
        assert await client.ended()


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
async def test_a_head_over_its_limit_gets_431(end: bytes) -> None:
    async with serving(echoing(), header_bytes=2000) as served:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 2000 + end
        async with connected(served, request) as client:
            assert " 431 " in await client.read_head()
            assert await client.ended()


async def get_hello(client: RawClient) -> None:
    await client.send(REQUESTS["http"])
    assert " 200 " in await client.read_head()
    assert await client._take(5) == b"hello"


async def test_a_connection_is_used_again_for_the_next_request() -> None:
    async with serving(echoing()) as served, connected(served) as client:
        for _ in range(3):
            await get_hello(client)


async def test_an_idle_connection_is_closed_after_keep_alive() -> None:
    server = serving(echoing(), keep_alive_seconds=0.3)
    async with server as served, connected(served, REQUESTS["http"]) as client:
        assert " 200 " in await client.read_head()
        assert await client._take(5) == b"hello"
        assert await client.ended()


async def test_an_answer_before_the_whole_body_does_not_block_the_connection() -> None:
    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body"})

    async with serving(hasty, graceful_seconds=60) as served:
        request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n"
        async with connected(served, request) as client:
            for _ in range(30):
                await client.send(b"x" * 100_000)
            assert " 413 " in await client.read_head()


async def test_http_2_is_neither_spoken_nor_changed_to() -> None:
    async with serving(echoing()) as served:
        async with connected(served, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") as client:
            assert " 400 " in await client.read_head()
        h2c = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        async with connected(served, h2c) as client:
            assert " 200 " in await client.read_head()


async def test_too_many_connections_get_503() -> None:
    async with serving(echoing(), max_connections=1) as served, member(served) as client:
        async with connected(served) as refused:
            assert " 503 " in await refused.read_head()
        await client.send_frame(TEXT, b"inside")
        assert await client.read_text() == "inside"


async def test_one_connection_too_many_that_is_reset_at_once_ends_nothing() -> None:
    async with serving(echoing(), max_connections=1) as served, member(served) as client:
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", served.port)) as hasty:
                hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await client.send_frame(TEXT, b"inside")
        assert await client.read_text() == "inside"
        async with connected(served) as refused:
            assert " 503 " in await refused.read_head()
        assert not served.ended.is_set()


# 9. The close handshake


@pytest.mark.parametrize("code", [1000, 1008, 1011, 1013, 4401, 4404, 4410])
async def test_our_close_codes_and_reasons_reach_the_client(code: int) -> None:
    room = Room()
    async with serving(echoing(room)) as served, friendly(served) as client:
        await room.entered.wait()
        [found] = room.sockets
        found.send_frame(text_frame(b"first"))
        found.close(code, "the reason")
        found.close(1002, "the first counts")
        found.send_frame(text_frame(b"never sent"))
        assert await client.get_message() == "first"
        with pytest.raises(ConnectionClosed) as closed:
            await client.get_message()
        assert closed.value.reason is not None
        assert (closed.value.reason.code, closed.value.reason.reason) == (code, "the reason")
        await found.wait_closed()
        assert (found.closed, found.close_code) == (True, code)
        await room.left.wait()


async def test_a_close_by_asgi_goes_the_same_way() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await accept(scope, receive, send)
            await send({"type": "websocket.send", "text": "é" * 50_000})
            await send({"type": "websocket.send", "bytes": b"\x00"})
            await send({"type": "websocket.close", "code": 4410, "reason": "é" * 100})

    async with serving(app) as served, member(served) as client:
        assert await client.read_text() == "é" * 50_000
        assert await client.read_frame() == (BINARY, b"\x00")
        assert await client.read_close() == (4410, "é" * 61)


@pytest.mark.parametrize(
    ("sent", "code"), [(b"", 1005), (b"\x03\xe8", 1000), (b"\x0f\xa0bye", 4000)]
)
async def test_the_clients_close_is_echoed_behind_what_waits(sent: bytes, code: int) -> None:
    room = Room()
    async with serving(echoing(room)) as served, member(served) as client:
        await client.send_frame(TEXT, b"last")
        assert await client.read_text() == "last"
        long = text_frame(b"x" * 3_000_000)
        room.sockets[0].send_frame(long)
        assert room.sockets[0].waiting_bytes > 0
        assert room.sockets[0].closed  # Too much waits: that was 1013, and it is kept.
        assert room.sockets[0].close_code == 1013
        assert await client.read_text() == "x" * 3_000_000
        assert (await client.read_close())[0] == 1013
    async with (
        serving(echoing(room), close_timeout_seconds=60) as served,
        member(served) as client,
    ):
        await client.send_frame(CLOSE, sent)
        assert await client.read_frame() == (CLOSE, sent[:2])
        assert await client.ended()
        await room.left.wait()
    assert [found.close_code for found in room.sockets] == [1013, code]


@pytest.mark.parametrize("how", ["end", "reset"])
async def test_a_lost_connection_cancels_the_handler(how: str) -> None:
    room = Room()
    async with serving(echoing(room)) as served:
        async with member(served) as client:
            await room.entered.wait()
            if how == "reset":
                reset(client)
        await room.left.wait()
        assert served.errors == []
    assert (room.sockets[0].closed, room.sockets[0].close_code) == (True, 1006)
    room.sockets[0].send_frame(text_frame(b"into the void"))
    room.sockets[0].close(1000)
    assert room.sockets[0].close_code == 1006


async def test_a_client_that_never_answers_our_close_is_cut_off() -> None:
    room = Room()
    limits = {"close_timeout_seconds": 0.1}
    async with serving(echoing(room), **limits) as served, member(served) as client:
        await room.entered.wait()
        room.sockets[0].close(1008)
        await room.sockets[0].wait_closed()
        assert (await client.read_close())[0] == 1008
        with pytest.raises(trio.BrokenResourceError):  # A reset: the kernel keeps nothing.
            await client.stream.receive_some()


@pytest.mark.parametrize("closed_before", [True, False], ids=["closed before", "closed after"])
async def test_whom_a_websocket_was_handed_over_to_ends_with_it(closed_before: bool) -> None:
    handled, left = trio.Event(), trio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        await receive()
        await send({"type": "websocket.accept"})
        socket = scope["extensions"][SOCKET_EXTENSION]

        async def handler() -> None:
            handled.set()
            try:
                await trio.sleep_forever()
            finally:
                left.set()

        if closed_before:
            socket.close(1008)
        scope["extensions"][CONNECTION_EXTENSION].hand_over(handler)
        if not closed_before:
            await handled.wait()
            socket.close(1008)

    limits = {"close_timeout_seconds": 60, "graceful_seconds": 60}
    async with serving(app, **limits) as served, member(served) as client:
        await left.wait()
        assert (await client.read_close())[0] == 1008


async def test_a_close_ends_the_handler_before_the_peer_has_answered() -> None:
    room = Room()
    limits = {"close_timeout_seconds": 60, "graceful_seconds": 60}
    async with serving(echoing(room), **limits) as served, member(served):
        await room.entered.wait()
        room.sockets[0].close(1008)
        await room.left.wait()


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 2000, 5000, 70_000])
async def test_a_code_that_may_not_be_sent_becomes_1011(code: int) -> None:
    room = Room()
    async with serving(echoing(room)) as served, member(served) as client:
        await room.entered.wait()
        room.sockets[0].close(code)
        assert (await client.read_close())[0] == 1011


async def test_sending_to_a_peer_that_has_just_reset_never_raises(fast: bool) -> None:
    room = Room()
    async with serving(echoing(room)) as served, member(served) as client:
        await room.entered.wait()
        reset(client)
        for _ in range(3):  # The reader has not run since.
            room.sockets[0].send_frame(text_frame(b"into the void"))
        room.sockets[0].close(1000)
        await room.left.wait()
    # Through a stream nothing is sent yet when the close comes, so that the close is first.
    assert room.sockets[0].close_code == (1006 if fast else 1000)


# The way out


async def test_frames_keep_their_order_and_size_with_plain_sends_between() -> None:
    sizes = [0, 125, 126, 65_535, 65_536, 200_000, 1]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            found = await accept(scope, receive, send)
            for n, size in enumerate(sizes * 5):
                if n % 3:
                    found.send_frame(text_frame(b"%d" % (n % 10) * size))
                else:
                    await send({"type": "websocket.send", "text": str(n % 10) * size})
            await receive()

    async with serving(app, outgoing_bytes=10_000_000) as served, member(served) as client:
        for n, size in enumerate(sizes * 5):
            assert await client.read_text() == str(n % 10) * size


async def test_a_slow_reader_is_closed_1013_and_gets_every_frame_before_it() -> None:
    room = Room()
    async with serving(echoing(room), outgoing_bytes=100_000) as served, member(served) as client:
        await room.entered.wait()
        [found] = room.sockets
        sent = 0
        while not found.closed:
            found.send_frame(text_frame(b"x" * 1000))
            sent += 1
        assert 100_000 < found.waiting_bytes < 110_000
        for _ in range(sent):
            assert await client.read_text() == "x" * 1000
        assert (await client.read_close())[0] == 1013


async def test_one_slow_reader_delays_nobody() -> None:
    room = Room()
    async with serving(echoing(room)) as served, member(served), member(served) as quick:
        while len(room.sockets) < 2:
            await trio.lowlevel.checkpoint()
        stalled = max(room.sockets, key=room.sockets.index)
        for n in range(3000):
            for found in room.sockets:
                found.send_frame(text_frame(b"%04d" % n + b"x" * 1000))
            await trio.lowlevel.checkpoint()
            if stalled.closed:
                break
        first = await quick.read_text()
        assert first.startswith("0000")


async def test_texts_can_be_taken_synchronously() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            found: MemberSocket = scope["extensions"][SOCKET_EXTENSION]
            found.on_text = lambda text: found.send_frame(text_frame(text.upper().encode()))
            await accept(scope, receive, send)
            assert (await receive())["type"] == "websocket.disconnect"

    async with serving(app) as served:
        async with connected(served, upgrade() + client_frame(TEXT, b"early")) as client:
            await client.read_head()
            await client.send(client_frame(TEXT, b"x") * 200)
            assert await client.read_text() == "EARLY"
            assert [await client.read_text() for _ in range(200)] == ["X"] * 200
        assert served.errors == []


@needs_openssl
async def test_the_same_over_tls(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(made.certificate, made.key)
    client_side = ssl.create_default_context(cafile=str(made.certificate))
    client_side.set_alpn_protocols(["h2", "http/1.1"])
    [listener] = bind("127.0.0.1", 0)
    stop = trio.Event()
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            start = partial(serve, shutdown=stop, log_error=pytest.fail, ssl_context=server_side)
            await nursery.start(partial(start, echoing(), [listener]))
            tcp = await trio.open_tcp_stream("127.0.0.1", listener.getsockname()[1])
            async with trio.SSLStream(
                tcp, client_side, server_hostname="localhost", https_compatible=True
            ) as stream:
                client = RawClient(stream)
                await client.send(upgrade())
                assert " 101 " in await client.read_head()
                assert stream.selected_alpn_protocol() == "http/1.1"
                for text in ("one", "two" * 20_000, "three"):
                    await client.send_frame(TEXT, text.encode())
                    assert await client.read_text() == text
                stop.set()
                assert (await client.read_close())[0] == 1012


# 10. The process


def test_sockets_are_bound_to_a_free_port_and_a_taken_one_is_an_os_error() -> None:
    [first] = bind("127.0.0.1", 0)
    with first, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", first.getsockname()[1])


async def test_what_the_fast_way_misses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast_way_misses() is None
    monkeypatch.delattr("select.epoll")
    assert fast_way_misses() == "this system has no epoll"


async def test_another_hypercorn_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    check_fit()
    monkeypatch.delattr(H11Protocol, "_check_protocol")
    with pytest.raises(
        RuntimeError, match=r"does not fit Hypercorn .*H11Protocol\._check_protocol"
    ):
        await serve(echoing(), [], shutdown=trio.Event(), log_error=pytest.fail)


async def _ends_after(served: Served, request: bytes, how: str) -> None:
    async with connected(served, request) as client:
        if how == "read to the end":
            await client.read_to_end()
        elif how == "reset after the head":
            await client.read_head()
            reset(client)


@pytest.mark.parametrize(
    ("request_", "how"),
    [
        (b"", "dropped"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "read to the end"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "reset after the head"),
        (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", "read to the end"),
        (b"no request at all\r\n\r\n", "read to the end"),
        (upgrade(), "reset after the head"),
        (upgrade() + client_frame(TEXT, b"\xff"), "read to the end"),
    ],
)
async def test_an_ended_connection_leaves_nothing_to_the_collector(
    request_: bytes, how: str
) -> None:
    """It looks so seldom that what waits for it is a leak: see `tune_garbage_collection`."""
    async with serving(echoing()) as served:
        left = await left_by(partial(_ends_after, served, request_, how))
    assert not left & {"Connection", "HttpProtocol", "WebSocketStream", "Task", "Context", "frame"}


def test_garbage_collection_is_tuned_when_asked() -> None:
    before = gc.get_threshold()
    try:
        tune_garbage_collection()
        assert gc.get_threshold() == (50_000, 50, 100)
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
