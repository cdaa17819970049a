"""Listening, serving until the shutdown, and what all connections of one `serve` share."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket as stdlib_socket
import ssl
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import quart
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.logging import Logger
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import LifespanState
from hypercorn.utils import LifespanFailureError, LifespanTimeoutError
from quart.signals import got_websocket_exception

from comanda.http.keep_alive import KeepAlive
from comanda.http.socket import WorkerLimits

from .connection import Connection
from .fit import check_fit, fast_way_misses
from .shared_reader import SharedReader
from .streams import SOCKET_EXTENSION

LogError = Callable[..., None]
"""Called as `log_error(event, exc_info=error_or_None, **fields)`, like structlog's `error`."""

_DEFAULT_LIMITS = WorkerLimits()


class StartupError(RuntimeError):
    """The application refused to start, or did not start or stop in time."""


class ComplaintsOnly(Logger):
    """Hypercorn's own complaints, which are few here, to the one place where errors go."""

    def __init__(self, log_error: LogError) -> None:
        self._log_error = log_error

    async def access(self, *args: Any, **kwargs: Any) -> None:
        pass

    log = info = debug = warning = access

    async def error(self, message: str, *args: Any, **kwargs: Any) -> None:
        self._log_error(message % args if args else message, exc_info=True)

    critical = exception = error


class Worker:
    """What all connections of one `serve` share."""

    def __init__(
        self,
        app: Any,
        limits: WorkerLimits,
        log_error: LogError,
        answer_headers: Mapping[str, str],
    ) -> None:
        self.app = ASGIWrapper(app)
        self.limits = limits
        self.answer_headers = [
            (name.lower().encode(), value.encode()) for name, value in answer_headers.items()
        ]
        self.context = WorkerContext(None)
        self.state = LifespanState({})
        self.connections: set[Connection] = set()
        self.numbers = itertools.count()
        self.reader = SharedReader() if fast_way_misses() is None else None
        self.keep_alive = KeepAlive(limits)
        self.turns = trio.StrictFIFOLock()
        self._log_error = log_error
        self._empty = trio.lowlevel.ParkingLot()
        self.config = Config()
        self.config.logger_class = cast(Any, lambda config: ComplaintsOnly(log_error))
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
            await self._turn_away(stream)
            return
        connection = Connection(self, stream)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)
            if not self.connections:
                self._empty.unpark_all()

    async def wait_turn(self) -> None:
        """Before what a crowd makes expensive: of however many who wait here one goes on at a time, and
        the others' work comes between. Alone it is a checkpoint."""
        # To get it takes a pass of Trio's: there is one a pass, as new ones come.
        async with self.turns:
            pass

    async def _turn_away(self, stream: Any) -> None:
        """One connection too many. With TLS it ends without a word: to shake hands first would be
        the work that the bound is to spare, and connections that nobody counts."""
        if isinstance(stream, trio.SSLStream):
            return
        with trio.move_on_after(self.limits.write_timeout_seconds):
            # The peer may have gone before it was accepted; what left here would end the process.
            with contextlib.suppress(trio.BrokenResourceError):
                await stream.send_all(self._too_many())

    def _too_many(self) -> bytes:
        own = [(b"connection", b"close"), (b"retry-after", b"1"), (b"content-length", b"0")]
        lines = [b"%s: %s\r\n" % header for header in [*own, *self.answer_headers]]
        return b"HTTP/1.1 503 Service Unavailable\r\n%s\r\n" % b"".join(lines)

    async def drain(self) -> None:
        """Close websockets 1012, let requests finish; return when all is over, or time is."""
        await self.context.terminated.set()
        for connection in list(self.connections):
            connection.drain()
        with trio.move_on_after(self.limits.graceful_seconds):
            while self.connections:
                await self._empty.park()


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
    answer_headers: Mapping[str, str] = MappingProxyType({}),
    ssl_context: ssl.SSLContext | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on `sockets` until `shutdown` returns (or is set), then end gracefully.

    The order: ASGI lifespan startup; `task_status.started()`; serving; no new connections; every
    websocket closed 1012 and requests in flight finished, for `graceful_seconds`; force; lifespan
    shutdown. `sockets` are closed in any case, first at the shutdown. An exception of a connection
    or of the application's handlers never leaves here: it goes to `log_error(event,
    exc_info=error, **fields)`. With `ssl_context`, whose ALPN is set to HTTP/1.1, all sockets
    speak TLS. `answer_headers` are those that every answer is to have: what is answered beneath the
    application (a 400, 408, 431, 503 and so on) gets them here, the rest where it lacks them.

    Raises `StartupError` when the application's startup or shutdown fails or takes more than
    `lifespan_seconds`, RuntimeError from `check_fit`, and whatever `shutdown` raises. Cancelling
    is the force at once: connections are cut and the lifespan shutdown does not run.
    """
    try:
        check_fit()
        worker = Worker(app, limits, log_error, answer_headers)
        with _closing_failed_handlers(app, worker):
            async with _lifespan(worker):
                listeners = _listeners(sockets, limits, ssl_context)
                await _serve_until(worker, listeners, shutdown, task_status)
    finally:
        for sock in sockets:
            sock.close()


async def _serve_until(
    worker: Worker,
    listeners: list[Any],
    shutdown: Callable[[], Awaitable[object]] | trio.Event,
    task_status: trio.TaskStatus[None],
) -> None:
    async with trio.open_nursery() as reading, trio.open_nursery() as connections:
        if worker.reader is not None:
            reading.start_soon(worker.reader.run)
        reading.start_soon(worker.keep_alive.run)
        async with trio.open_nursery() as accepting:
            accepting.start_soon(
                partial(trio.serve_listeners, worker.attend, listeners, handler_nursery=connections)
            )
            task_status.started()
            await (shutdown.wait() if isinstance(shutdown, trio.Event) else shutdown())
            accepting.cancel_scope.cancel()
        await worker.drain()
        reading.cancel_scope.cancel()  # The connections' too; their sockets close, which ends
        # shielded writes.


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
async def _lifespan(worker: Worker) -> AsyncIterator[None]:
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
def _closing_failed_handlers(app: Any, worker: Worker) -> Iterator[None]:
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
