"""Serve an ASGI application over HTTP/1.1 and websockets on Trio, with Hypercorn made hard.

The one module that knows Hypercorn's insides. Its parsing, ASGI scopes and responses are used as
they are; what is replaced is replaced for a measured fact:

- one byte behind an upgrade request, or any exception that leaks, would end the whole process:
  every failure is contained in its connection, logged, and answered (500, or close 1011);
- permessage-deflate is negotiated whenever offered, and inflates without a bound: never offered on;
- writes are shielded without a bound, so that one stalled reader hangs the shutdown: each is
  bounded, then the connection is reset;
- no ping, no pong timeout, no bound of a request's slowness: each has a limit in `WorkerLimits`;
- a shutdown sends websockets nothing (clients see 1006) and a failed handler closes 1000: 1012
  and 1011;
- a full queue to an application that has ended blocks for ever: `_Inbox` in its place.

Each connection is one reader task, which always reads (see `MemberSocket` for the one pause), in a
nursery with the application's task. Only HTTP/1.1 and 1.0 are spoken: an offer of h2c is ignored,
HTTP/2 gets 505.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import inspect
import math
import os
import socket as stdlib_socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import Any, cast

import h11
import quart
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.logging import Logger
from hypercorn.protocol import events as stream_events
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState, LifespanState
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError, UnexpectedMessageError
from quart.signals import got_websocket_exception
from wsproto.frame_protocol import FrameDecoder

from comanda.http.socket import (
    CHUNK_BYTES,
    CloseReceived,
    FrameReader,
    MemberSocket,
    PingReceived,
    Violation,
    WorkerLimits,
    abort_tcp,
    binary_frame,
    text_frame,
)

__all__ = [
    "SOCKET_EXTENSION",
    "MemberSocket",
    "StartupError",
    "WorkerLimits",
    "bind",
    "check_fit",
    "serve",
    "text_frame",
    "tune_garbage_collection",
]

SOCKET_EXTENSION = "comanda.socket"
"""Under this name a websocket's ASGI scope holds its `MemberSocket`, in `extensions`."""

LogError = Callable[..., None]
"""Called as `log_error(event, exc_info=error_or_None, **fields)`, like structlog's `error`."""

_Address = tuple[str, int] | None  # A Unix socket has none.
_MESSAGES_A_TURN = 64  # A peer's flood of small frames lets the other tasks run after so many.
_DEFAULT_LIMITS = WorkerLimits()


class StartupError(RuntimeError):
    """The application refused to start, or did not start or stop in time."""


class _Inbox:
    """ASGI events on their way to one application, bounded.

    After the disconnect, which is also told to an application that has ended, nothing waits.
    """

    def __init__(self, limits: WorkerLimits) -> None:
        self.scope = trio.CancelScope()  # Around the application.
        self._limits = limits
        self._events: deque[tuple[Any, int]] = deque()
        self._bytes = 0
        self._disconnect: Any = None
        self._arrival = trio.lowlevel.ParkingLot()
        self._room = trio.lowlevel.ParkingLot()

    @property
    def full(self) -> bool:
        if self._disconnect is not None:
            return False  # Whatever comes now goes nowhere.
        return (
            len(self._events) >= self._limits.inbox_messages
            or self._bytes >= self._limits.inbox_bytes
        )

    def put_nowait(self, event: Any, size: int) -> None:
        """Add an event without regard to the bound; nothing follows a disconnect."""
        if self._disconnect is not None:
            return
        if event["type"].endswith(".disconnect"):
            self._disconnect = event
            self._room.unpark_all()
        else:
            self._events.append((event, size))
            self._bytes += size
        self._arrival.unpark()

    async def put(self, event: Any) -> None:
        """Hypercorn's way in: add an event, then wait until there is room for one more."""
        self.put_nowait(event, len(event.get("body", b"")))
        await self.wait_room()

    async def wait_room(self) -> None:
        while self.full:
            await self._room.park()

    async def receive(self) -> Any:
        """ASGI's receive. After the disconnect it is told again and again."""
        await trio.lowlevel.checkpoint()
        while not self._events:
            if self._disconnect is not None:
                return self._disconnect
            await self._arrival.park()
        event, size = self._events.popleft()
        self._bytes -= size
        if not self.full:
            self._room.unpark_all()
        return event


class _AppTasks(TaskGroup):
    """Runs the application for a stream of one connection, and contains what it raises."""

    def __init__(self, connection: _Connection, nursery: trio.Nursery) -> None:
        super().__init__()
        self._nursery = self.nursery = nursery
        self._connection = connection

    async def spawn_app(
        self, app: Any, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        inbox = _Inbox(self._connection.worker.limits)
        if scope["type"] == "websocket":
            scope["extensions"][SOCKET_EXTENSION] = self._connection.member
            self._connection.member_inbox = inbox
        self.nursery.start_soon(self._run, app, scope, inbox, send)
        return inbox.put

    async def _run(
        self, app: Any, scope: Any, inbox: _Inbox, send: Callable[[Any], Awaitable[None]]
    ) -> None:
        connection = self._connection
        try:
            with inbox.scope:
                await app(scope, inbox.receive, send, trio.to_thread.run_sync, trio.from_thread.run)
        except BaseException as error:
            connection.contain("application failed", error, path=scope["path"])
            connection.close_websocket(1011, "internal error")
        try:
            await send(None)  # Hypercorn's sign of the end: a 500 when nothing was sent.
        except Exception as error:
            connection.contain("response failed", error, path=scope["path"])
            connection.finish()


class _HttpStream(HTTPStream):
    """One request and its response."""

    def __init__(self, connection: _Connection, *hypercorn: Any) -> None:
        super().__init__(*hypercorn)
        self._connection = connection

    async def handle(self, event: stream_events.Event) -> None:
        if isinstance(event, stream_events.EndBody):
            self._connection.enter(_Phase.BUSY)
        await super().handle(event)

    async def app_send(self, message: Any) -> None:
        if not self.closed:
            await super().app_send(message)
        else:  # h11 would raise; a loop of sends must still let others run, and be cancelled.
            await trio.lowlevel.checkpoint()


class _WebSocketStream(WSStream):
    """Hypercorn's handshake and scope; after it, frames go through `MemberSocket` alone."""

    def __init__(self, connection: _Connection, member: MemberSocket, *hypercorn: Any) -> None:
        super().__init__(*hypercorn)
        self._connection = connection
        self._member = member
        self._limits = connection.worker.limits
        self._frames = FrameReader(self._limits.message_bytes)
        self._decided = trio.Event()  # The application has accepted, or never will.

    async def handle(self, event: stream_events.Event) -> None:
        if isinstance(event, stream_events.Data):
            await self.feed(event.data)
        elif isinstance(event, stream_events.StreamClosed):
            self.closed = True
            self._decided.set()
            self.disconnect()
        else:
            if isinstance(event, stream_events.Request):
                headers = [h for h in event.headers if h[0] != b"sec-websocket-extensions"]
                event = replace(event, headers=headers)
            await super().handle(event)
            if self.closed:  # Hypercorn refused the handshake, but leaves the connection open.
                await self.send(stream_events.StreamClosed(stream_id=self.stream_id))

    def disconnect(self) -> None:
        """Tell the handler that it is over."""
        inbox = self._connection.member_inbox
        if inbox is not None:
            code = self._member.close_code or 1006
            inbox.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""}, 0)

    async def feed(self, data: bytes) -> None:
        """Take what the reader read. Bytes that are too early wait here, and the reader with them:
        at most what one read brought, besides what was in the same segment as the request."""
        if not self._decided.is_set():
            await self._decided.wait()
        if not self.handshake.accepted:
            return
        try:
            self._frames.feed(data)
            await self._take_events()
        except Violation as violation:
            self._member.close(violation.code, violation.reason)
            await self._connection.discard_after_close()

    async def _take_events(self) -> None:
        # Of several pings in one read the last alone is answered, as RFC 6455 5.5.3 allows.
        ping: PingReceived | None = None
        taken = 0
        try:
            while (event := self._frames.next_event()) is not None:
                if isinstance(event, str):
                    await self._take_text(event)
                elif isinstance(event, PingReceived):
                    ping = event
                elif isinstance(event, CloseReceived):
                    self._member.peer_closed(event.code)
                    await self._connection.hang_up_when_flushed()
                    return
                taken += 1
                if taken % _MESSAGES_A_TURN == 0:
                    await trio.lowlevel.checkpoint()
        finally:
            if ping is not None:
                self._member.send_pong(ping.payload)

    async def _take_text(self, text: str) -> None:
        if self._member.closed:
            return
        if self._member.on_text is not None:
            self._member.on_text(text)
            return
        inbox = self._connection.member_inbox
        assert inbox is not None
        inbox.put_nowait({"type": "websocket.receive", "bytes": None, "text": text}, len(text))
        if inbox.full:
            self._member.reading = False
            with trio.move_on_after(self._limits.handler_stall_seconds) as patience:
                await inbox.wait_room()
            self._member.reading = self._member.heard = True
            if patience.cancelled_caught:
                self._connection.report("websocket handler does not receive", None)
                self._member.close(1011, "internal error")

    async def app_send(self, message: Any) -> None:
        if self.closed:
            await trio.lowlevel.checkpoint()
            return
        if self.state is not ASGIWebsocketState.CONNECTED:
            await super().app_send(message)
        elif message is None:
            self._member.close(1000)  # The application ended without closing.
        elif message["type"] == "websocket.send":
            if message.get("bytes") is not None:
                self._member.send_frame(binary_frame(bytes(message["bytes"])))
            else:
                self._member.send_frame(text_frame(message["text"].encode()))
            await self._member.wait_flushed()
        elif message["type"] == "websocket.close":
            self._member.close(int(message.get("code") or 1000), message.get("reason") or "")
        else:
            raise UnexpectedMessageError(self.state, message["type"])

    async def _accept(self, message: Any) -> None:
        status, headers, _ = self.handshake.accept(
            message.get("subprotocol"), message.get("headers", [])
        )
        response = stream_events.Response(
            stream_id=self.stream_id, status_code=status, headers=headers
        )
        await self.send(response)
        self.state = ASGIWebsocketState.CONNECTED
        self._decided.set()
        self._member.open()
        if self._member.closed:  # The shutdown came first.
            self.disconnect()


class _Refusal(Exception):
    def __init__(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.headers = headers


class _Protocol(H11Protocol):
    """HTTP/1.1 of one connection: h11 until a websocket takes over."""

    def __init__(self, connection: _Connection, client: _Address, server: _Address) -> None:
        self._owner = connection
        self._websocket: _WebSocketStream | None = None
        super().__init__(
            connection.app,
            connection.config,
            connection.context,
            connection.tasks,
            ConnectionState(connection.state),
            connection.encrypted,
            client,
            server,
            connection.protocol_send,
        )

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData) and self._websocket is not None:
            await self._websocket.feed(event.data)  # Past h11's loop: it has nothing to add.
            return
        try:
            await super().handle(event)
        except _Refusal as refusal:
            await self.refuse(refusal.status, *refusal.headers)

    async def refuse(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Answer with a status alone, where no answer has begun, and close."""
        if self.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            response = h11.Response(
                status_code=status,
                headers=[
                    (b"content-length", b"0"),
                    (b"connection", b"close"),
                    *headers,
                    *self.config.response_headers("h11"),
                ],
            )
            await self._send_h11_event(response)
            await self._send_h11_event(h11.EndOfMessage())
        await self._close_stream()
        await self.send(Closed())

    async def stream_send(self, event: stream_events.Event) -> None:
        if (
            isinstance(event, stream_events.Response)
            and (self.context.terminated.is_set() or isinstance(self.stream, WSStream))
            and event.status_code >= 200
            and (b"connection", b"close") not in event.headers
        ):
            event = replace(event, headers=[*event.headers, (b"connection", b"close")])
        await super().stream_send(event)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would change to HTTP/2 here."""
        if event.http_version not in {b"1.0", b"1.1"}:
            raise _Refusal(505)
        size = len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers)
        if size > self.config.h11_max_incomplete_size:
            raise _Refusal(431)  # h11 bounds a head only while it is incomplete.

    async def _create_stream(self, request: h11.Request) -> None:
        hypercorn = (
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        if _asks_for_websocket(request):
            version = dict(request.headers).get(b"sec-websocket-version")
            if version is not None and version != b"13":
                raise _Refusal(426, (b"sec-websocket-version", b"13"), (b"upgrade", b"websocket"))
            if self.context.terminated.is_set():
                raise _Refusal(503, (b"retry-after", b"1"))
            member = self._owner.become_websocket()
            websocket = _WebSocketStream(self._owner, member, *hypercorn)
            self.stream = self._websocket = websocket
            self.connection = H11WSConnection(cast(h11.Connection, self.connection))
        else:
            self.stream = _HttpStream(self._owner, *hypercorn)
        await self.stream.handle(
            stream_events.Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode("ascii").upper(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1
        await self.context.mark_request()

    def disconnect_handler(self) -> None:
        if self._websocket is not None and self.websocket_accepted:
            self._websocket.disconnect()

    @property
    def websocket_accepted(self) -> bool:
        return self._websocket is not None and self._websocket.handshake.accepted


def _asks_for_websocket(request: h11.Request) -> bool:
    headers = dict(request.headers)
    tokens = headers.get(b"connection", b"").lower().split(b",")
    return (
        request.method.upper() == b"GET"
        and headers.get(b"upgrade", b"").strip().lower() == b"websocket"
        and any(token.strip() == b"upgrade" for token in tokens)
    )


class _Phase(Enum):
    """What the reader waits for, each with its own time."""

    IDLE = auto()  # the next request
    HEAD = auto()  # the end of its headers
    BODY = auto()  # the end of its body
    BUSY = auto()  # the application, or a websocket's next frame: no bound of the reader's
    CLOSING = auto()  # the peer's end, or its answer to our close frame


class _Connection(TCPServer):
    """One TCP connection: a reader, the application, and at most one websocket.

    Cancelling it cuts the connection; nothing it started outlives it.
    """

    stream: Any  # A SocketStream, or an SSLStream over one.

    def __init__(self, worker: _Worker, stream: Any) -> None:
        state = ConnectionState(worker.state.copy())
        super().__init__(worker.app, worker.config, worker.context, cast(Any, state), stream)
        self.worker = worker
        self.encrypted = isinstance(stream, trio.SSLStream)
        self.socket: Any = (stream.transport_stream if self.encrypted else stream).socket
        self.member: MemberSocket | None = None
        self.member_inbox: _Inbox | None = None
        self._phase = _Phase.IDLE
        self._deadline = trio.current_time() + worker.limits.keep_alive_seconds
        self._reading = trio.CancelScope()
        self._discarding = False  # What is read now is thrown away.
        self._over = False

    # The connection's life

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self.tasks = _AppTasks(self, nursery)
                try:
                    if not self.encrypted or await self._shake_hands():
                        await self._converse()
                finally:
                    self._hang_up()
                    if self.member_inbox is not None:
                        patience = self.worker.limits.close_timeout_seconds
                        self.member_inbox.scope.deadline = trio.current_time() + patience
        except BaseException as error:
            self.contain("connection failed", error)

    async def _shake_hands(self) -> bool:
        with trio.move_on_after(self.worker.limits.tls_handshake_seconds):
            try:
                await self.stream.do_handshake()
            except trio.BrokenResourceError:
                return False
            return True
        return False

    async def _converse(self) -> None:
        try:
            client = _host_and_port(self.socket.getpeername())
            server = _host_and_port(self.socket.getsockname())
        except OSError:
            return  # Gone before it was served.
        protocol = self._http = _Protocol(self, client, server)
        while True:
            with trio.CancelScope(deadline=self._deadline) as self._reading:
                await self._read()
            if not self._reading.cancelled_caught:
                break
            if self._phase is _Phase.CLOSING:
                if self.member is not None:
                    self.abort()
                break  # What the kernel still has of an HTTP answer it may deliver.
            if self._phase is _Phase.IDLE:
                self.finish()
            else:
                await protocol.refuse(408)
        self._hang_up()
        await protocol.handle(Closed())  # The application hears of it.

    async def _read(self) -> None:
        """Read until the peer's end, the connection's, or the deadline."""
        while not self._over:
            try:
                data = await self.stream.receive_some(CHUNK_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not data:
                return
            if self.member is not None:
                self.member.heard = True
            if self._discarding:
                continue
            if self._phase is _Phase.IDLE:
                self.enter(_Phase.HEAD)
            try:
                await self._http.handle(RawData(bytes(data)))
            except Exception as error:
                await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        """Something of ours, or Hypercorn's, broke on what this peer sent."""
        self.contain("connection failed", error)
        if self.close_websocket(1011, "internal error"):
            await self.discard_after_close()
        else:
            await self._http.refuse(500)

    def enter(self, phase: _Phase) -> None:
        """Go on to another phase, whose time starts now. From CLOSING nothing leads back."""
        if self._phase is _Phase.CLOSING:
            return
        limits = self.worker.limits
        seconds = {
            _Phase.IDLE: limits.keep_alive_seconds,
            _Phase.HEAD: limits.request_head_timeout_seconds,
            _Phase.BODY: limits.request_body_timeout_seconds,
            _Phase.BUSY: math.inf,
            _Phase.CLOSING: limits.close_timeout_seconds,
        }[phase]
        self._phase = phase
        self._deadline = self._reading.deadline = trio.current_time() + seconds

    # What is sent

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            async with self.send_lock:
                await self._send(event.data)
        elif isinstance(event, Closed):
            self.finish()
        elif isinstance(event, Updated):
            self.enter(_Phase.IDLE if event.idle else _Phase.BODY)

    async def _send(self, data: bytes) -> None:
        """Write part of an HTTP answer. Shielded, since a part of a part would break the framing;
        bounded, since a stalled reader would hold its task for ever."""
        for start in range(0, len(data), CHUNK_BYTES):
            chunk = data[start : start + CHUNK_BYTES]
            seconds = self.worker.limits.write_timeout_seconds
            with trio.move_on_after(seconds, shield=True) as patience:
                try:
                    await self.stream.send_all(chunk)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self.abort()
                    return
            if patience.cancelled_caught:
                self.abort()
                return

    # The ends. All but one are synchronous, and each may come twice.

    def finish(self) -> None:
        """HTTP's end: half-close, then read to the peer's end, so that its kernel does not throw
        our answer away for a reset."""
        self.enter(_Phase.CLOSING)
        self._discarding = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(stdlib_socket.SHUT_WR)

    async def discard_after_close(self) -> None:
        """The peer broke the protocol: after our close frame what it sends is thrown away."""
        self._discarding = True
        if self.member is not None:
            await self.member.wait_flushed()
        self.finish()

    async def hang_up_when_flushed(self) -> None:
        """Both close frames are made: when ours is out, the server closes first."""
        if self.member is not None:
            await self.member.wait_flushed()
        self._over = True

    def close_websocket(self, code: int, reason: str) -> bool:
        """Close the websocket, where the application has accepted one."""
        if self.member is None or not self._http.websocket_accepted:
            return False
        self.member.close(code, reason)
        return True

    def drain(self) -> None:
        """The shutdown has begun."""
        if self.member is not None:
            self.member.close(1012, "the server is restarting")
        elif self._phase is _Phase.IDLE:
            self.finish()

    def abort(self) -> None:
        """Reset the connection; the reader ends by it."""
        abort_tcp(self.socket)
        self._hang_up()

    def _hang_up(self) -> None:
        self.socket.close()
        if self.member is not None:
            self.member.lost()

    # What a `MemberSocket` needs

    def become_websocket(self) -> MemberSocket:
        # Over TLS every byte goes through the SSL stream, so nothing can be handed over at once.
        raw = None if self.encrypted else self.socket._sock
        self.member = MemberSocket(self.stream, raw, self.worker.limits, self)
        self.enter(_Phase.BUSY)
        return self.member

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        self.tasks.nursery.start_soon(task)

    def closing(self) -> None:
        self.enter(_Phase.CLOSING)
        self._http.disconnect_handler()

    # What went wrong

    def contain(self, event: str, error: BaseException, **fields: Any) -> None:
        """Report what is an `Exception` in `error`; raise the rest (Cancelled, an interrupt)."""
        ours: BaseException | None = error
        others: BaseException | None = None
        if isinstance(error, BaseExceptionGroup):
            ours, others = error.split(Exception)
        elif not isinstance(error, Exception):
            raise error
        if ours is not None:
            self.report(event, ours, **fields)
        if others is not None:
            raise others

    def report(self, event: str, error: BaseException | None, **fields: Any) -> None:
        self.worker.report(event, error, **fields)


def _host_and_port(address: Any) -> _Address:
    return (address[0], address[1]) if isinstance(address, tuple) else None


class _Log(Logger):
    """Hypercorn's own complaints, which are few here, to the one place where errors go."""

    def __init__(self, log_error: LogError) -> None:
        self._log_error = log_error

    async def access(self, *args: Any) -> None:
        pass

    async def log(self, level: int, message: str, *args: Any, **kwargs: Any) -> None:
        pass

    info = debug = warning = log  # type: ignore[assignment]  # The level is part of the name.

    async def error(self, message: str, *args: Any, **kwargs: Any) -> None:
        self._log_error(message % args if args else message, exc_info=True)

    critical = exception = error


class _Worker:
    """What all connections of one `serve` share."""

    def __init__(self, app: Any, limits: WorkerLimits, log_error: LogError) -> None:
        self.app = ASGIWrapper(app)
        self.limits = limits
        self.context = WorkerContext(None)
        self.state = LifespanState({})
        self.connections: set[_Connection] = set()
        self._log_error = log_error
        self._empty = trio.lowlevel.ParkingLot()
        self.config = Config()
        self.config.logger_class = cast(Any, lambda config: _Log(log_error))
        self.config.h11_max_incomplete_size = limits.header_bytes
        self.config.include_server_header = False
        self.config.startup_timeout = limits.lifespan_seconds
        self.config.shutdown_timeout = limits.lifespan_seconds

    def report(self, event: str, error: BaseException | None, **fields: Any) -> None:
        with contextlib.suppress(Exception):  # A broken log is no reason to end the process.
            self._log_error(event, exc_info=error, **fields)

    async def attend(self, stream: Any) -> None:
        """Serve one connection, to its end."""
        if self.context.terminated.is_set():
            return
        if len(self.connections) >= self.limits.max_connections:
            with trio.move_on_after(self.limits.write_timeout_seconds):
                await stream.send_all(_TOO_MANY)
            return
        connection = _Connection(self, stream)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            if not self.connections:
                self._empty.unpark_all()

    async def drain(self) -> None:
        """Close websockets 1012, let requests finish; return when all is over, or time is."""
        await self.context.terminated.set()
        for connection in list(self.connections):
            connection.drain()
        with trio.move_on_after(self.limits.graceful_seconds):
            while self.connections:
                await self._empty.park()


_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n"
    b"retry-after: 1\r\ncontent-length: 0\r\n\r\n"
)


# What the application calls


def bind(
    host: str, port: int, *, backlog: int = _DEFAULT_LIMITS.backlog
) -> list[stdlib_socket.socket]:
    """Listening TCP sockets for each address of `host`; port 0 picks one port for them all.

    The kernel already takes connections; `serve` owns and closes the sockets. Raises OSError (and
    its `socket.gaierror`) as the system says it: a taken port, an address that is not ours.
    """
    found = stdlib_socket.getaddrinfo(
        host or None, port, type=stdlib_socket.SOCK_STREAM, flags=stdlib_socket.AI_PASSIVE
    )
    sockets: list[stdlib_socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sock = stdlib_socket.socket(family, kind, protocol)
            sockets.append(sock)
            if os.name == "posix":  # Elsewhere the option would let two servers share a port.
                sock.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_REUSEADDR, 1)
            if family == stdlib_socket.AF_INET6:
                sock.setsockopt(stdlib_socket.IPPROTO_IPV6, stdlib_socket.IPV6_V6ONLY, 1)
            if port == 0 and len(sockets) > 1:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            sock.bind(address)
            sock.listen(backlog)
            sock.setblocking(False)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


async def serve(
    app: Any,
    sockets: Sequence[stdlib_socket.socket],
    *,
    shutdown: Callable[[], Awaitable[object]] | trio.Event,
    log_error: LogError,
    limits: WorkerLimits = _DEFAULT_LIMITS,
    ssl_context: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on `sockets` until `shutdown` returns (or is set), then end gracefully.

    The order: ASGI lifespan startup; `task_status.started()`; serving; no new connections; every
    websocket closed 1012 and requests in flight finished, for `graceful_seconds`; force; lifespan
    shutdown. `sockets` are closed in any case, first at the shutdown. An exception of a connection
    or of the application's handlers never leaves here: it goes to `log_error(event,
    exc_info=error, **fields)`. With `ssl_context`, whose ALPN is set to HTTP/1.1, all sockets
    speak TLS.

    Raises `StartupError` when the application's startup or shutdown fails or takes more than
    `lifespan_seconds`, RuntimeError from `check_fit`, and whatever `shutdown` raises. Cancelling
    is the force at once: connections are cut and the lifespan shutdown does not run.
    """
    try:
        check_fit()
        worker = _Worker(app, limits, log_error)
        with _closing_failed_handlers(app, worker):
            async with _lifespan(worker):
                listeners = _listeners(sockets, limits, ssl_context)
                await _serve_until(worker, listeners, shutdown, task_status)
    finally:
        for sock in sockets:
            sock.close()


async def _serve_until(
    worker: _Worker,
    listeners: list[Any],
    shutdown: Callable[[], Awaitable[object]] | trio.Event,
    task_status: trio.TaskStatus[None],
) -> None:
    async with trio.open_nursery() as connections:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(
                partial(trio.serve_listeners, worker.attend, listeners, handler_nursery=connections)
            )
            task_status.started()
            await (shutdown.wait() if isinstance(shutdown, trio.Event) else shutdown())
            accepting.cancel_scope.cancel()
        await worker.drain()
        connections.cancel_scope.cancel()  # Closes their sockets, which ends shielded writes.


def _listeners(
    sockets: Iterable[stdlib_socket.socket],
    limits: WorkerLimits,
    ssl_context: ssl.SSLContext | None,
) -> list[Any]:
    listeners: list[Any] = []
    for sock in sockets:
        if limits.kernel_send_bytes is not None:  # What a listener has, its connections inherit.
            size = limits.kernel_send_bytes
            sock.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_SNDBUF, size)
        sock.listen(limits.backlog)
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        if ssl_context is None:
            listeners.append(listener)
        else:
            ssl_context.set_alpn_protocols(["http/1.1"])
            listeners.append(trio.SSLListener(listener, ssl_context, https_compatible=True))
    return listeners


@contextlib.asynccontextmanager
async def _lifespan(worker: _Worker) -> AsyncIterator[None]:
    """ASGI's startup and shutdown around the block, by Hypercorn's `Lifespan`."""
    lifespan = Lifespan(cast(Any, worker.app), worker.config, worker.state)
    ended = trio.Event()

    async def live() -> None:
        await lifespan.handle_lifespan()
        ended.set()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live)
            await lifespan.wait_for_startup()
            if lifespan.shutdown.is_set():  # It is over already: the application knows none, or
                await ended.wait()  # a failure is on its way, which cancels us here.
            yield
            if not lifespan.shutdown.is_set():  # Set when the application knows no lifespan.
                await lifespan.wait_for_shutdown()
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        failures, others = group.split((LifespanFailureError, LifespanTimeoutError))
        if failures is None or others is not None:
            raise
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise StartupError(str(first)) from first


@contextlib.contextmanager
def _closing_failed_handlers(app: Any, worker: _Worker) -> Iterator[None]:
    """Quart catches what a websocket handler raises and closes 1000; its signal comes before."""

    async def close(_: object, exception: BaseException, **__: object) -> None:
        worker.report("websocket handler failed", exception, path=quart.websocket.path)
        extensions: Any = quart.websocket.scope["extensions"]
        member = extensions.get(SOCKET_EXTENSION)
        if member is not None:
            member.close(1011, "internal error")

    if not isinstance(app, quart.Quart):
        yield
        return
    with got_websocket_exception.connected_to(close, sender=app):
        yield


_NAMES_USED: tuple[tuple[object, tuple[str, ...]], ...] = (
    (TCPServer, ("protocol_send", "run")),
    (TaskGroup, ("spawn_app",)),
    (
        H11Protocol,
        (
            "_check_protocol",
            "_close_stream",
            "_create_stream",
            "_handle_events",
            "_send_h11_event",
            "stream_send",
        ),
    ),
    (WSStream, ("_accept", "app_send", "handle")),
    (HTTPStream, ("app_send", "handle")),
    (Lifespan, ("handle_lifespan", "wait_for_shutdown", "wait_for_startup")),
    (Config, ("h11_max_incomplete_size", "logger_class", "shutdown_timeout", "startup_timeout")),
)
_PARAMETERS_USED: tuple[tuple[Callable[..., Any], str], ...] = (
    (TCPServer, "app config context state stream"),
    (H11Protocol, "app config context task_group connection_state ssl client server send"),
    (WSStream, "app config context task_group ssl client server send stream_id"),
    (HTTPStream, "app config context task_group ssl client server send stream_id"),
    (TaskGroup.spawn_app, "self app config scope send"),
    (Lifespan, "app config state"),
)


def check_fit() -> None:
    """Raise RuntimeError, in a sentence, when Hypercorn (or what it builds on) is another one."""
    wrong = [
        f"{getattr(owner, '__name__', owner)}.{name}"
        for owner, names in _NAMES_USED
        for name in names
        if not hasattr(owner, name)
    ]
    with trio.socket.socket() as probe:  # What `MemberSocket` writes to without a checkpoint.
        if not hasattr(probe, "_sock"):
            wrong.append("Trio's socket._sock")
    decoder = FrameDecoder(client=False)
    wrong += [
        f"wsproto's FrameDecoder.{name}"
        for name in ("header", "payload_consumed", "process_buffer", "receive_bytes")
        if not hasattr(decoder, name)
    ]
    for function, expected in _PARAMETERS_USED:
        if list(inspect.signature(function).parameters) != expected.split():
            wrong.append(f"the parameters of {function.__qualname__}")
    if wrong:
        version = importlib.metadata.version("hypercorn")
        raise RuntimeError(
            f"Comanda's worker does not fit Hypercorn {version} and what it builds on; missing or "
            f"changed: {', '.join(wrong)}. Install the versions that pyproject.toml allows."
        )


def tune_garbage_collection() -> None:
    """Collect rarely, and never what exists now. To be called once, when all is imported.

    Cyclic collection costs a third of the deliveries at the default thresholds, since every
    connection's objects are looked through again and again.
    """
    gc.collect()
    gc.set_threshold(50_000, 50, 100)
    gc.freeze()
