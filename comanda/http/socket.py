"""One member's websocket: frames in within bounds, frames out in order without ever blocking.

Nothing here knows Hypercorn; `comanda.http.worker` gives each connection one of these. A server's
frames are not masked, so one frame built by `text_frame` serves every member of a session, and
`MemberSocket.send_frame` hands it to the kernel at once as long as nothing of that member waits.
"""

from __future__ import annotations

import contextlib
import math
import socket as stdlib_socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import trio
from wsproto.frame_protocol import FrameDecoder, Opcode, ParseFailed

CHUNK_BYTES = 65_536
"""What one write or read moves at most; the write timeout is for so many bytes."""

_FINAL = 0x80
_MAX_REASON_BYTES = 123  # A control frame holds 125 bytes, two are the code.
_NO_CODE = 1005
_LOST = 1006
# What RFC 6455 section 7.4 and its registry let a peer put into a close frame.
_PEER_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


@dataclass(frozen=True)
class WorkerLimits:
    """Every bound of the worker. Times are in seconds, sizes in bytes of the wire."""

    message_bytes: int = 65_536
    """A longer text message closes 1009: the protocol's limit."""
    header_bytes: int = 16_384
    """Request line and headers; more gets 431. Browsers send 1 to 4 KiB."""
    outgoing_bytes: int = 262_144
    """What waits for one websocket; beyond closes 1013. Two of the largest cart snapshots."""
    kernel_send_bytes: int | None = 131_072
    """The kernel's send buffer of a connection, which else grows to megabytes for each reader that
    stalls and hides the stall as long. None leaves it to the kernel."""
    inbox_messages: int = 16
    """Messages, or parts of a request body, that wait for the application; then reading pauses."""
    inbox_bytes: int = 131_072
    """The same in bytes of a body, or characters of messages: two of the largest messages."""
    max_connections: int = 10_000
    """More get 503. At some 40 kB each this is 400 MB, and as many file descriptors."""
    backlog: int = 1024
    """Connections the kernel holds until they are accepted: a room that reconnects at once."""

    request_head_timeout_seconds: float = 10
    """From the first byte of a request to the end of its headers; then 408."""
    request_body_timeout_seconds: float = 30
    """From the end of the headers to the end of the body; then 408. 64 KiB need 2 KiB/s."""
    keep_alive_seconds: float = 15
    """A connection without a request is closed after it. A client's next poll comes within 2 s."""
    tls_handshake_seconds: float = 10
    """A TLS handshake that takes longer is given up."""
    write_timeout_seconds: float = 10
    """The kernel must take the next 64 KiB within it, else the connection is aborted."""
    ping_interval_seconds: float = 20
    """Under the 30 to 60 s after which phones' networks and proxies forget a silent connection."""
    pong_timeout_seconds: float = 20
    """After a ping any byte counts as life; without one the connection is aborted."""
    handler_stall_seconds: float = 60
    """A full inbox the handler has not touched for it closes 1011: see `MemberSocket`."""
    close_timeout_seconds: float = 5
    """From our close frame, or our last response, to the peer's end; then the connection is
    aborted. A websocket's handler has as long to end after its disconnect, then it is cancelled."""
    graceful_seconds: float = 10
    """From the shutdown to the force. Above `close_timeout_seconds`."""
    lifespan_seconds: float = 60
    """The application's start, and its stop, take no longer."""


def text_frame(payload: bytes) -> bytes:
    """The whole, unmasked text frame of a UTF-8 payload: built once, sent to any number."""
    return _frame(Opcode.TEXT, payload)


def _frame(opcode: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((_FINAL | opcode, size)) + payload
    if size < 65_536:
        return bytes((_FINAL | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL | opcode, 127)) + size.to_bytes(8, "big") + payload


def binary_frame(payload: bytes) -> bytes:
    """The whole, unmasked binary frame. Comanda sends none; an ASGI application may."""
    return _frame(Opcode.BINARY, payload)


_PING_FRAME = _frame(Opcode.PING, b"")


class Violation(Exception):
    """The peer broke the protocol or a limit; `code` is the close code it gets for it."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True)
class PingReceived:
    payload: bytes


@dataclass(frozen=True)
class CloseReceived:
    code: int  # 1005 where the frame has none


class FrameReader:
    """Whole text messages out of a peer's bytes, counted as bytes before anything is decoded.

    It holds at most one message of `message_bytes` and the bytes fed since the last event.
    """

    def __init__(self, message_bytes: int) -> None:
        self._limit = message_bytes
        self._decoder = FrameDecoder(client=False)
        self._message: bytearray | None = None

    def feed(self, data: bytes) -> None:
        self._decoder.receive_bytes(data)

    def next_event(self) -> str | PingReceived | CloseReceived | None:
        """The next text message, ping or close; None when more bytes are needed.

        Raises `Violation`: 1002, 1003, 1007 or 1009. Nothing may be read after it.
        """
        try:
            while (frame := self._decoder.process_buffer()) is not None:
                # wsproto's frame of a server-side decoder always has bytes, its type says more.
                payload: Any = frame.payload
                whole = frame.frame_finished and frame.message_finished
                if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONTINUATION:
                    text = self._take(frame.opcode, payload, whole)
                    if text is not None:
                        return text
                elif frame.opcode is Opcode.PING:
                    return PingReceived(payload)
                elif frame.opcode is Opcode.CLOSE:
                    return _close_received(payload)
                elif frame.opcode is Opcode.BINARY:
                    raise Violation(1003, "text frames only")
        except ParseFailed as error:
            raise Violation(int(error.code), str(error)) from None
        self._judge_announced()
        return None

    def _take(self, opcode: Opcode, payload: bytes, whole: bool) -> str | None:
        if (opcode is Opcode.CONTINUATION) is (self._message is None):
            raise Violation(1002, "a fragment without its message, or a message within another")
        if len(payload) + len(self._message or b"") > self._limit:
            raise Violation(1009, f"a message is at most {self._limit} bytes")
        if not whole:
            self._message = (self._message or bytearray()) + payload
            return None
        if self._message is not None:
            payload = bytes(self._message + payload)
            self._message = None
        try:
            return payload.decode()
        except UnicodeDecodeError:
            raise Violation(1007, "the text is not UTF-8") from None

    def _judge_announced(self) -> None:
        """Refuse a frame for what its header announces, before its payload has come."""
        header = self._decoder.header
        if header is None or header.opcode.iscontrol():
            return
        if header.opcode is Opcode.BINARY:
            raise Violation(1003, "text frames only")
        missing = header.payload_len - self._decoder.payload_consumed
        if missing + len(self._message or b"") > self._limit:
            raise Violation(1009, f"a message is at most {self._limit} bytes")


def _close_received(payload: bytes) -> CloseReceived:
    if not payload:
        return CloseReceived(_NO_CODE)
    code = int.from_bytes(payload[:2], "big")
    if len(payload) == 1 or not (code in _PEER_CODES or 3000 <= code <= 4999):
        raise Violation(1002, "a close frame without a valid code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise Violation(1007, "the close reason is not UTF-8") from None
    return CloseReceived(code)


class Carrier(Protocol):
    """What a `MemberSocket` needs of the connection that carries it. All of it is synchronous."""

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        """Start a task that the connection owns."""

    def closing(self) -> None:
        """A close frame is on its way: the peer's time to answer runs."""

    def abort(self) -> None:
        """Reset the connection now."""


class MemberSocket:
    """The way out to one member, and the websocket's end. Found in the ASGI scope's `extensions`.

    Frames, pongs, pings and the close frame leave in the order of the calls. What the kernel does
    not take at once waits, at most `outgoing_bytes` of it (and the frame that passes the bound);
    more closes 1013. Before the application accepted the websocket everything waits.

    The websocket ends by the first of: `close`, the peer's close frame (echoed), a violation
    (closed with its code), a lost connection or a missed pong (1006). From then on `closed` is
    true, `close_code` is the first one's code, nothing more goes out, and the handler gets its
    `websocket.disconnect`, for which quart-trio cancels it. A handler that does not end is
    cancelled `close_timeout_seconds` after the connection is gone.

    The connection is always read, except while the inbox is full since the handler does not
    receive. During such a pause pings still go out and missing pongs are not counted (nobody could
    hear them), a reset shows at the next write, and the peer's close or end is seen when reading
    goes on; after `handler_stall_seconds` the websocket closes 1011.
    """

    on_text: Callable[[str], None] | None = None
    """Set before accepting: gets each text message at once, in the reader's task, in place of the
    ASGI queue. It must not block; what it raises closes 1011."""

    def __init__(
        self,
        stream: trio.abc.SendStream,
        raw: stdlib_socket.socket | None,
        limits: WorkerLimits,
        carrier: Carrier,
    ) -> None:
        self.closed = False
        self.close_code: int | None = None
        self.heard = False  # The reader sets it for whatever arrives.
        self.reading = True  # False while the reader waits for the handler.
        self._stream = stream
        self._raw = raw
        self._limits = limits
        self._carrier = carrier
        self._waiting: deque[bytes | memoryview] = deque()
        self._waiting_bytes = 0
        self._flushing = True  # Until `open`, as if the handshake's answer were being flushed.
        self._flushed = trio.Event()
        self._gone = trio.Event()

    @property
    def waiting_bytes(self) -> int:
        """Bytes the kernel has not taken yet."""
        return self._waiting_bytes

    def send_frame(self, frame: bytes) -> None:
        """Send one whole frame made by `text_frame`. Never blocks, never raises."""
        if self.closed:
            return
        self._write(frame)
        if self._waiting_bytes > self._limits.outgoing_bytes:
            self.close(1013, "too slow a reader")

    def send_pong(self, payload: bytes) -> None:
        """Answer a ping; bounded like every other frame."""
        self.send_frame(_frame(Opcode.PONG, payload))

    def close(self, code: int, reason: str = "") -> None:
        """Close with `code`, behind what waits. The first call counts, later ones do nothing.

        The peer has `close_timeout_seconds` from now to take what waits and to answer; then the
        connection is reset. Never blocks, never raises: a code that may not be sent becomes 1011,
        a reason over 123 bytes is cut.
        """
        if self.closed:
            return
        if not (code in _PEER_CODES or 3000 <= code <= 4999):
            code = 1011
        said = reason.encode(errors="replace")[:_MAX_REASON_BYTES].decode(errors="ignore").encode()
        self._end(code, code.to_bytes(2, "big") + said)

    async def wait_closed(self) -> None:
        """Return when the connection is gone. Cancelling the wait changes nothing."""
        await self._gone.wait()

    async def wait_flushed(self) -> None:
        """Return when nothing waits any more, or the connection is gone. Always a checkpoint."""
        if self._flushing:
            await self._flushed.wait()
        else:
            await trio.lowlevel.checkpoint()

    # Below: for the connection alone.

    def open(self) -> None:
        """The handshake's answer has been sent; frames may go."""
        self._flushing = False
        self._flushed.set()
        if self._waiting:
            self._start_flushing()
        if not self.closed:
            self._carrier.start_soon(self._keep_alive)

    def peer_closed(self, code: int) -> None:
        """The peer's close frame has come: echo it, unless it is the answer to ours."""
        if not self.closed:
            self._end(code, b"" if code == _NO_CODE else code.to_bytes(2, "big"))

    def lost(self) -> None:
        """The connection is gone."""
        if not self.closed:
            self.closed = True
            self.close_code = _LOST
        self._waiting.clear()
        self._waiting_bytes = 0
        self._gone.set()
        self._flushed.set()

    def _end(self, code: int, payload: bytes) -> None:
        self.closed = True
        self.close_code = code
        self._write(_frame(Opcode.CLOSE, payload))
        self._carrier.closing()

    def _write(self, data: bytes) -> None:
        if not self._flushing:
            if self._raw is not None:
                try:
                    sent = self._raw.send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self._carrier.abort()  # The peer is gone; the reader tells the handler.
                    return
                if sent == len(data):
                    return
                data = data[sent:]
            self._start_flushing()
        self._waiting.append(data)
        self._waiting_bytes += len(data)

    def _start_flushing(self) -> None:
        self._flushing = True
        self._flushed = trio.Event()
        self._carrier.start_soon(self._flush)

    async def _flush(self) -> None:
        while self._waiting:
            chunk = self._next_chunk()
            with trio.move_on_after(self._limits.write_timeout_seconds) as patience:
                try:
                    await self._stream.send_all(chunk)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    self._carrier.abort()
            if patience.cancelled_caught:
                self._carrier.abort()
            if self._gone.is_set():
                return
            self._waiting_bytes -= len(chunk)
        self._flushing = False
        self._flushed.set()

    def _next_chunk(self) -> bytes:
        parts: list[bytes | memoryview] = []
        size = 0
        while self._waiting and size < CHUNK_BYTES:
            part = self._waiting.popleft()
            if size + len(part) > CHUNK_BYTES:
                view = memoryview(part)  # A long frame is not copied for each chunk of it.
                self._waiting.appendleft(view[CHUNK_BYTES - size :])
                part = view[: CHUNK_BYTES - size]
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    async def _keep_alive(self) -> None:
        """Ping each interval; reset the connection when nothing is heard after one."""
        next_ping = trio.current_time() + self._limits.ping_interval_seconds
        verdict = math.inf
        while not self.closed:
            with trio.move_on_at(min(next_ping, verdict)):
                await self._gone.wait()
            now = trio.current_time()
            if self.heard or not self.reading:
                verdict = math.inf
            elif now >= verdict:
                self._carrier.abort()
                return
            if now >= next_ping:
                next_ping = now + self._limits.ping_interval_seconds
                if verdict == math.inf:
                    self.heard = False
                    verdict = now + self._limits.pong_timeout_seconds
                self.send_frame(_PING_FRAME)


def abort_tcp(sock: trio.socket.SocketType) -> None:
    """Close with a reset, so that the kernel keeps nothing for a peer that takes nothing."""
    with contextlib.suppress(OSError):
        no_linger = struct.pack("ii", 1, 0)
        sock.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, no_linger)
    sock.close()
