"""One TCP connection: its reader, its clocks, its writes, and the containment of whatever fails in it."""

from __future__ import annotations

import contextlib
import math
import re
import socket as stdlib_socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import trio
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ConnectionState

from comanda.http.socket import CHUNK_BYTES, MemberSocket, abort_tcp

from .phase import Phase
from .protocol import Address, HttpProtocol
from .shared_reader import SharedReader
from .streams import AppTasks, Inbox, WebSocketStream

if TYPE_CHECKING:
    from .serving import Worker

_HEADS_END = re.compile(rb"\n\r?\n")
"""As h11 looks for it."""

_HEADS_END_BYTES = 3
"""At most, so that what was looked at need not be looked at again but for so many."""

_SPREAD = 0.1
"""So much more of its time than others, at most, a connection gets: hundreds that came in one moment would be
late in one moment, and be ended in one pass of Trio's."""

_SPREAD_STEPS = 512


class Connection(TCPServer):
    """One TCP connection: a reader, the application, and at most one websocket.

    Cancelling it cuts the connection; nothing it started outlives it.
    """

    stream: Any  # A SocketStream, or an SSLStream over one.

    def __init__(self, worker: Worker, stream: Any) -> None:
        state = ConnectionState(worker.state.copy())
        super().__init__(worker.app, worker.config, worker.context, cast(Any, state), stream)
        self.worker = worker
        self.encrypted = isinstance(stream, trio.SSLStream)
        self.socket: Any = (stream.transport_stream if self.encrypted else stream).socket
        self.shared_reader = None if self.encrypted else worker.reader
        self.member: MemberSocket | None = None
        self.member_inbox: Inbox | None = None
        self.handed_over = False
        self.handling: trio.CancelScope | None = None  # Around whoever handles the websocket.
        self._phase = Phase.IDLE
        self._patience = 1 + _SPREAD * (next(worker.numbers) % _SPREAD_STEPS) / _SPREAD_STEPS
        self._reading = trio.CancelScope()
        self.enter(Phase.IDLE)
        self._discarding = False  # What is read now is thrown away.
        self._over = False

    # The connection's life

    async def run(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                self.tasks = AppTasks(self, nursery)
                try:
                    if not self.encrypted or await self._shake_hands():
                        await self._converse()
                finally:
                    self._hang_up()
                    if self.handling is not None:
                        patience = self.worker.limits.close_timeout_seconds
                        self.handling.deadline = trio.current_time() + patience
        except BaseException as error:
            self.contain("connection failed", error)
        finally:
            self._fall_apart()

    def _fall_apart(self) -> None:
        """Nothing of an ended connection refers to itself any more, so that it is gone at once.

        The collector, which looks seldom, would find it an hour later, and thousands like it.
        """
        if self.member is not None:
            self.member.on_text = None
        self.member = self.member_inbox = self.handling = None
        vars(self).pop("tasks", None)
        http: HttpProtocol | None = vars(self).pop("_http", None)
        if http is not None:
            http.fall_apart()

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
        protocol = self._http = HttpProtocol(self, client, server)
        while True:
            with trio.CancelScope(deadline=self._deadline) as self._reading:
                await self._read()
            await self.worker.wait_turn()  # Hundreds may end, or be late, in the same moment.
            if not self._reading.cancelled_caught:
                break
            if self._phase is Phase.CLOSING:
                if self.member is not None:
                    self.abort()
                break  # What the kernel still has of an HTTP answer it may deliver.
            if self._phase is Phase.IDLE:
                self.finish()
            else:
                await protocol.refuse(408)
        self._hang_up()
        await protocol.handle(Closed())  # The application hears of it.

    async def _read(self) -> None:
        """Read until the peer's end, the connection's, or the deadline."""
        data = b""
        while not self._over:
            websocket = self._http.websocket
            if websocket is not None and self.shared_reader is not None:
                await self._lend(websocket, self.shared_reader)
                continue
            in_pieces = self._phase is Phase.HEAD
            try:
                if in_pieces:
                    data = await self._rest_of_head(data)
                else:
                    data = await self.stream.receive_some(CHUNK_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            if not data:
                return
            if self.member is not None:
                self.member.heard_at = trio.current_time()
            if self._discarding:
                continue
            if in_pieces:
                await self.worker.wait_turn()  # Nobody's head comes so who means well.
            elif self._phase is Phase.IDLE:
                self.enter(Phase.HEAD)
            try:
                await self._http.handle(RawData(bytes(data)))
            except Exception as error:
                await self._fail(error)

    async def _rest_of_head(self, begun: bytes) -> bytes:
        """What comes after a piece of a head: all of it at once, when its end or more than a head may have
        is there, so that a piece, of which some send hundreds at once, costs a read and wakes no task.

        Empty at the peer's end. Over TLS the next piece alone.
        """
        if self.shared_reader is None:
            return bytes(await self.stream.receive_some(CHUNK_BYTES))
        most = self.worker.limits.header_bytes
        rest = bytearray(begun[-_HEADS_END_BYTES:])
        before = len(rest)

        def take(data: bytes) -> bool:
            looked_at = len(rest) - _HEADS_END_BYTES
            rest.extend(data)
            whole = _HEADS_END.search(rest, max(looked_at, 0)) is not None
            return bool(data) and not whole and len(rest) <= most

        await self.shared_reader.lend(self.socket._sock, take)
        return bytes(rest[before:])

    async def _lend(self, websocket: WebSocketStream, reader: SharedReader) -> None:
        """Have the shared reader read, until something comes that is for this task."""

        def take(data: bytes) -> bool:
            if not data:
                self._over = True
                return False
            assert self.member is not None
            self.member.heard_at = trio.current_time()
            return self._discarding or websocket.take(data)

        try:
            await reader.lend(self.socket._sock, take)
            if not self._over:
                await websocket.resume()
        except Exception as error:
            await self._fail(error)

    async def _fail(self, error: Exception) -> None:
        """Something of ours, or Hypercorn's, broke on what this peer sent."""
        self.contain("connection failed", error)
        if self.close_websocket(1011, "internal error"):
            await self.discard_after_close()
        else:
            await self._http.refuse(500)

    def enter(self, phase: Phase) -> None:
        """Go on to another phase, whose time starts now. From CLOSING nothing leads back."""
        if self._phase is Phase.CLOSING:
            return
        limits = self.worker.limits
        seconds = {
            Phase.IDLE: limits.keep_alive_seconds,
            Phase.HEAD: limits.request_head_timeout_seconds,
            Phase.BODY: limits.request_body_timeout_seconds,
            Phase.BUSY: math.inf,
            Phase.CLOSING: limits.close_timeout_seconds,
        }[phase]
        self._phase = phase
        self._deadline = self._reading.deadline = trio.current_time() + seconds * self._patience

    # What is sent

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, RawData):
            async with self.send_lock:
                await self._send(event.data)
        elif isinstance(event, Closed):
            self.finish()
        elif isinstance(event, Updated):
            self.enter(Phase.IDLE if event.idle else Phase.BODY)

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
        self.enter(Phase.CLOSING)
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
        elif self._phase is Phase.IDLE:
            self.finish()

    def abort(self) -> None:
        """Reset the connection; the reader ends by it."""
        self._take_back()
        abort_tcp(self.socket)
        self._hang_up()

    def _hang_up(self) -> None:
        self._take_back()
        self.socket.close()
        if self.member is not None:
            self.member.lost()

    def _take_back(self) -> None:
        self._over = True
        if self.shared_reader is not None:
            self.shared_reader.give_back(self.socket._sock)

    # What an application may ask for

    def hand_over(self, handler: Callable[[], Awaitable[None]]) -> None:
        """Have `handler` handle the websocket from now on; the application is to return, nothing ends it.

        To be called by the application, once, when it has accepted and set `on_text`. So nothing of the
        framework stays for the hours of a websocket: a third of its memory, and two of its tasks. What
        `handler` raises closes 1011, as what an application raises; its return closes nothing. It is
        cancelled when the websocket ends.
        """
        self.handed_over = True
        self.member_inbox = None
        self.handling = trio.CancelScope()
        if self.member is None or self.member.closed:
            self.handling.cancel()  # It has ended meanwhile, and nobody will tell this handler so.
        self.start_soon(partial(self.tasks.handle, handler, self.handling))

    # What a `MemberSocket` needs

    def become_websocket(self) -> MemberSocket:
        # Over TLS every byte goes through the SSL stream, so nothing can be handed over at once.
        raw = None if self.shared_reader is None else self.socket._sock
        self.member = MemberSocket(self.stream, raw, self.worker.limits, self)
        self.enter(Phase.BUSY)
        return self.member

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        self.tasks.nursery.start_soon(task)

    def closing(self) -> None:
        self.enter(Phase.CLOSING)
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


def _host_and_port(address: Any) -> Address:
    return (address[0], address[1]) if isinstance(address, tuple) else None
