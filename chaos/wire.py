"""The smallest websocket client: one knows exactly what it sent, and it can be cut at any moment."""

import socket
import struct
from collections import deque

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

READ_BYTES = 65536
WRITE_SECONDS = 10.0
"""A server that does not even take a small frame for so long is left; it may be stopped meanwhile."""


class WireBroken(Exception):
    """The connection is over or never was; the text says how."""


class Wire:
    """One connection. Made by `open_wire`."""

    def __init__(self, stream: trio.SocketStream, protocol: WSConnection) -> None:
        self._stream = stream
        self._protocol = protocol
        self._turn = trio.Lock()
        self._events: deque[Event] = deque()
        self._parts: list[str] = []
        self.end = "the connection broke"

    async def send(self, text: str) -> None:
        """Send one text frame. Raises `WireBroken`; how much was sent is then not known."""
        try:
            data = self._protocol.send(TextMessage(text))
        except ProtocolError as error:
            raise WireBroken("the server has closed already") from error
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        try:
            with trio.fail_after(WRITE_SECONDS):
                async with self._turn:
                    await self._stream.send_all(data)
        except (
            OSError,
            trio.BrokenResourceError,
            trio.ClosedResourceError,
            trio.TooSlowError,
        ) as e:
            raise WireBroken(f"sending failed: {type(e).__name__}") from e

    async def next_frame(self) -> str | None:
        """The next text frame; None when the connection is over, and `end` then says how it ended."""
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, TextMessage):
                    self._parts.append(event.data)
                    if event.message_finished:
                        frame = "".join(self._parts)
                        self._parts.clear()
                        return frame
                elif isinstance(event, Ping):
                    try:
                        await self._write(self._protocol.send(event.response()))
                    except WireBroken:
                        return None
                elif isinstance(event, CloseConnection):
                    self.end = f"closed {event.code} {event.reason or ''}".rstrip()
                    return None
            if not await self._read():
                return None

    async def _read(self) -> bool:
        try:
            data = await self._stream.receive_some(READ_BYTES)
            if data:
                self._protocol.receive_data(data)
                self._events += self._protocol.events()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, ProtocolError):
            return False
        return bool(data)

    async def shake_hands(self, host: str, path: str) -> None:
        """The handshake. Raises `WireBroken`."""
        await self._write(self._protocol.send(Request(host=host, target=path)))
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, AcceptConnection):
                    return
                if isinstance(event, RejectConnection):
                    raise WireBroken(f"refused with status {event.status_code}")
            if not await self._read():
                raise WireBroken("the handshake broke off")

    def cut(self) -> None:
        """Reset the connection, as a phone does that loses its network and comes back."""
        if self._stream.socket.fileno() < 0:
            return  # cut already
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stream.socket.close()


async def open_wire(port: int, path: str, seconds: float) -> Wire:
    """Connect and shake hands within `seconds`. Raises `WireBroken`."""
    try:
        with trio.fail_after(seconds):
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            wire = Wire(stream, WSConnection(ConnectionType.CLIENT))
            try:
                await wire.shake_hands(f"127.0.0.1:{port}", path)
            except BaseException:
                wire.cut()
                raise
            return wire
    except (OSError, trio.TooSlowError) as error:
        raise WireBroken(f"could not connect: {type(error).__name__}") from error
