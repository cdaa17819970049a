"""Hypercorn's two streams, and the task and queue between each and the application, all bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio
from hypercorn.config import Config
from hypercorn.protocol import events as stream_events
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.utils import UnexpectedMessageError

from comanda.http.frames import (
    CloseReceived,
    FrameReader,
    Part,
    PingReceived,
    Violation,
    binary_frame,
    text_frame,
)
from comanda.http.limits import Bucket
from comanda.http.socket import MemberSocket, WorkerLimits

from .phase import Phase

if TYPE_CHECKING:
    from .connection import Connection

SOCKET_EXTENSION = "comanda.socket"
"""Under this name a websocket's ASGI scope holds its `MemberSocket`, in `extensions`."""

CONNECTION_EXTENSION = "comanda.connection"
"""Under this name an ASGI scope holds its `Connection`: a websocket may be handed over by it, and an
application that plays a broken server may `abort` or `finish` it."""

_FRAMES_A_SLICE = 16
"""Whoever sends more at once waits after so many, which are 0.5 ms of small messages. A phone that comes
back sends fewer."""


def _flooded() -> Violation:
    return Violation(1008, "too many pings, pongs or parts of messages")


class Inbox:
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


class AppTasks(TaskGroup):
    """Runs the application for a stream of one connection, and contains what it raises."""

    def __init__(self, connection: Connection, nursery: trio.Nursery) -> None:
        super().__init__()
        self._nursery = self.nursery = nursery
        self._connection = connection

    async def spawn_app(
        self, app: Any, config: Config, scope: Any, send: Callable[[Any], Awaitable[None]]
    ) -> Callable[[Any], Awaitable[None]]:
        inbox = Inbox(self._connection.worker.limits)
        if scope["type"] == "websocket":
            scope["extensions"][SOCKET_EXTENSION] = self._connection.member
            self._connection.member_inbox = inbox
            self._connection.handling = inbox.scope
        scope["extensions"][CONNECTION_EXTENSION] = self._connection
        self.nursery.start_soon(self._run, app, scope, inbox, send)
        return inbox.put

    async def _run(
        self, app: Any, scope: Any, inbox: Inbox, send: Callable[[Any], Awaitable[None]]
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

    async def handle(self, handler: Callable[[], Awaitable[None]], scope: trio.CancelScope) -> None:
        """Run what came in place of a websocket's application."""
        try:
            with scope:
                await handler()
        except BaseException as error:
            self._connection.contain("websocket handler failed", error)
            self._connection.close_websocket(1011, "internal error")


class HttpStream(HTTPStream):
    """One request and its response."""

    def __init__(self, connection: Connection, *hypercorn: Any) -> None:
        super().__init__(*hypercorn)
        self._connection = connection

    async def handle(self, event: stream_events.Event) -> None:
        if isinstance(event, stream_events.EndBody):
            self._connection.enter(Phase.BUSY)
        await super().handle(event)

    async def app_send(self, message: Any) -> None:
        if not self.closed:
            await super().app_send(message)
        else:  # h11 would raise; a loop of sends must still let others run, and be cancelled.
            await trio.lowlevel.checkpoint()


class WebSocketStream(WSStream):
    """Hypercorn's handshake and scope; after it, frames go through `MemberSocket` alone."""

    def __init__(self, connection: Connection, member: MemberSocket, *hypercorn: Any) -> None:
        super().__init__(*hypercorn)
        self._connection = connection
        self._member = member
        self._limits = connection.worker.limits
        self._frames = FrameReader(self._limits.message_bytes)
        self._wordless = Bucket(self._limits.wordless_frames_a_second, self._limits.wordless_frames)
        self._held: CloseReceived | PingReceived | Violation | str | None = None
        self._decided = trio.Event()  # The application has accepted, or never will.

    @property
    def open_for_frames(self) -> bool:
        """The application has accepted; what is read now are frames."""
        return self._decided.is_set() and self.handshake.accepted

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
        if self._connection.handed_over and self._connection.handling is not None:
            self._connection.handling.cancel()
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
        self._frames.feed(data)
        await self.resume()

    def take(self, data: bytes) -> bool:
        """Take what a shared reader read, as long as it is plain: texts for `on_text`, pings, and what
        says nothing.

        False: something is left, for which the connection's own task is to `resume`.
        """
        self._frames.feed(data)
        for _ in range(_FRAMES_A_SLICE):
            try:
                event = self._frames.next_frame()
            except Violation as violation:
                self._held = violation
                return False
            if event is None:
                return True
            if isinstance(event, str) and self._member.on_text is not None:
                if not self._member.closed:
                    self._member.on_text(event)
            elif isinstance(event, PingReceived | Part):
                if self._wordless.take():
                    self._held = _flooded()
                    return False
                if isinstance(event, PingReceived):
                    self._member.send_pong(event.payload)
            else:
                self._held = event
                return False
        return False

    async def resume(self) -> None:
        """Take what is left of what was read."""
        try:
            await self._take_frames()
        except Violation as violation:
            self._member.close(violation.code, violation.reason)
            await self._connection.discard_after_close()

    def _next_frame(self) -> str | PingReceived | CloseReceived | Part | None:
        held, self._held = self._held, None
        if isinstance(held, Violation):
            try:
                raise held
            finally:
                del held  # Else it holds this frame, and the frame holds it.
        return self._frames.next_frame() if held is None else held

    async def _take_frames(self) -> None:
        taken = 0
        while (event := self._next_frame()) is not None:
            if isinstance(event, str):
                await self._take_text(event)
            elif isinstance(event, PingReceived | Part):
                if self._wordless.take():
                    raise _flooded()
                if isinstance(event, PingReceived):
                    self._member.send_pong(event.payload)
            else:
                self._member.peer_closed(event.code)
                await self._connection.hang_up_when_flushed()
                return
            taken += 1
            if taken % _FRAMES_A_SLICE == 0:
                await self._connection.worker.wait_turn()

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
            self._member.reading = True
            self._member.heard_at = trio.current_time()
            if patience.cancelled_caught:
                self._connection.report("websocket handler does not receive", None)
                self._member.close(1011, "internal error")

    async def app_send(self, message: Any) -> None:
        if self.closed or self._connection.handed_over:
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
        else:
            self._connection.worker.keep_alive.watch(self._member)
