"""HTTP/1.1 of one connection: which stream a request gets, and the refusals before there is one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import h11
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol import events as stream_events
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import ConnectionState

from .streams import HttpStream, WebSocketStream

if TYPE_CHECKING:
    from .connection import Connection

Address = tuple[str, int] | None  # A Unix socket has none.


class Refusal(Exception):
    def __init__(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        self.status = status
        self.headers = headers


class _H11Connection(h11.Connection):
    """h11's own, whose errors hold the frames that they came from, and those them."""

    def next_event(self) -> Any:
        try:
            return super().next_event()
        except h11.RemoteProtocolError as error:
            raise error.with_traceback(None) from None


class HttpProtocol(H11Protocol):
    """HTTP/1.1 of one connection: h11 until a websocket takes over."""

    def __init__(self, connection: Connection, client: Address, server: Address) -> None:
        self._owner = connection
        self._websocket: WebSocketStream | None = None
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
        self.connection = _H11Connection(
            h11.SERVER, max_incomplete_event_size=connection.config.h11_max_incomplete_size
        )

    def fall_apart(self) -> None:
        """The connection has ended: see there."""
        self._websocket = self.stream = None

    async def handle(self, event: Event) -> None:
        if isinstance(event, RawData) and self._websocket is not None:
            await self._websocket.feed(event.data)  # Past h11's loop: it has nothing to add.
            return
        try:
            await super().handle(event)
        except Refusal as refusal:
            await self.refuse(refusal.status, *refusal.headers)

    async def refuse(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """Answer with a status alone, where no answer has begun, and close."""
        await self._close_stream()  # First: an application that answers right now is not heard.
        if self.connection.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await self._answer(status, *headers)
        await self.send(Closed())

    async def _send_error_response(self, status_code: int) -> None:
        """h11 has 501 for a transfer coding that it does not know: what a peer gets wrong is never a 5xx."""
        await self._answer(400 if status_code >= 500 else status_code)

    async def _answer(self, status: int, *headers: tuple[bytes, bytes]) -> None:
        """An answer that is made here, beneath the application: a status alone."""
        own = [
            (b"content-length", b"0"),
            (b"connection", b"close"),
            *headers,
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=status, headers=self._complete(own)))
        await self._send_h11_event(h11.EndOfMessage())

    async def stream_send(self, event: stream_events.Event) -> None:
        if isinstance(event, stream_events.Response) and event.status_code >= 200:
            headers = self._complete(event.headers)
            last = self.context.terminated.is_set() or isinstance(self.stream, WSStream)
            if last and (b"connection", b"close") not in headers:
                headers.append((b"connection", b"close"))
            event = replace(event, headers=headers)
        await super().stream_send(event)

    def _complete(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """An answer's headers, with those of `answer_headers` that it lacks."""
        named = {name.lower() for name, _ in headers}
        ours = self._owner.worker.answer_headers
        return [*headers, *(header for header in ours if header[0] not in named)]

    async def _check_protocol(self, event: h11.Request) -> None:
        """Hypercorn would change to HTTP/2 here."""
        if event.http_version not in {b"1.0", b"1.1"}:
            raise Refusal(400)
        if event.target.startswith(b"?"):  # Quart would look for its first character.
            raise Refusal(400)
        size = len(event.target) + sum(len(name) + len(value) + 4 for name, value in event.headers)
        if size > self.config.h11_max_incomplete_size:
            raise Refusal(431)  # h11 bounds a head only while it is incomplete.

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
                raise Refusal(426, (b"sec-websocket-version", b"13"), (b"upgrade", b"websocket"))
            if self.context.terminated.is_set():
                raise Refusal(503, (b"retry-after", b"1"))
            member = self._owner.become_websocket()
            websocket = WebSocketStream(self._owner, member, *hypercorn)
            self.stream = self._websocket = websocket
            self.connection = H11WSConnection(cast(h11.Connection, self.connection))
        else:
            self.stream = HttpStream(self._owner, *hypercorn)
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
    def websocket(self) -> WebSocketStream | None:
        """The websocket that this connection has become, once frames may come."""
        found = self._websocket
        return found if found is not None and found.open_for_frames else None

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
