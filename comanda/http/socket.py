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
from typing import Protocol

import trio
from wsproto.frame_protocol import Opcode

from .frames import MAX_REASON_BYTES, NO_CODE, PEER_CODES, frame_of

CHUNK_BYTES = 65_536
"""What one write or read moves at most; the write timeout is for so many bytes."""

_LOST = 1006

_PONGS_WAITING_BYTES = 4096
"""Pongs that wait for a peer who sends pings and reads little; from then on one answers for several."""


@dataclass(frozen=True)
class WorkerLimits:
    """Every bound of the worker. Times are in seconds, sizes in bytes of the wire.

    What a connection waits for its peer (the head, the body, the next request, the end) is up to a tenth
    longer, by another part of it for each, so that a crowd is not late in one moment.
    """

    message_bytes: int = 65_536
    """A longer text message closes 1009: the protocol's limit."""
    wordless_frames: int = 2_048
    """Pings, pongs and parts of messages at once, and `wordless_frames_a_second` from then on; more close
    1008. Phones send hardly any; this is the longest message in parts of 32 bytes."""
    wordless_frames_a_second: float = 100
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
    max_connections: int = 12_000
    """More get 503. 2,500 tables of four members, and as many HTTP connections again as a fifth of them
    hold at a time: both count. At some 40 kB each this is 480 MB, and as many file descriptors."""
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
    """Whoever says nothing for so long is pinged. Under the 30 to 60 s after which phones' networks and
    proxies forget a silent connection."""
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
        self.heard_at = -math.inf  # The reader sets it to the present for whatever arrives.
        self.reading = True  # False while the reader waits for the handler.
        self._stream = stream
        self._raw = raw
        self._limits = limits
        self._carrier = carrier
        self._waiting: deque[bytes | memoryview] = deque()
        self._waiting_bytes = 0
        self._pong: bytes | None = None
        self._flushing = True  # Until `open`, as if the handshake's answer were being flushed.
        self._flushed = trio.Event()
        self._gone = trio.Event()

    @property
    def waiting_bytes(self) -> int:
        """Bytes the kernel has not taken yet."""
        return self._waiting_bytes

    def send_frame(self, frame: bytes) -> None:
        """Send whole frames made by `text_frame`, one or several. Never blocks, never raises."""
        if self.closed:
            return
        self._write(frame)
        if self._waiting_bytes > self._limits.outgoing_bytes:
            self.close(1013, "too slow a reader")

    def send_pong(self, payload: bytes) -> None:
        """Answer a ping. Of several that wait to be answered the last alone is, as RFC 6455 5.5.3
        allows, once more than a few wait."""
        if (
            self._waiting_bytes > _PONGS_WAITING_BYTES
            and self._waiting
            and self._waiting[-1] is self._pong
        ):
            self._waiting_bytes -= len(self._waiting.pop())
        self._pong = frame_of(Opcode.PONG, payload)
        self.send_frame(self._pong)

    def close(self, code: int, reason: str = "") -> None:
        """Close with `code`, behind what waits. The first call counts, later ones do nothing.

        The peer has `close_timeout_seconds` from now to take what waits and to answer; then the
        connection is reset. Never blocks, never raises: a code that may not be sent becomes 1011,
        a reason over 123 bytes is cut.
        """
        if self.closed:
            return
        if not (code in PEER_CODES or 3000 <= code <= 4999):
            code = 1011
        said = reason.encode(errors="replace")[:MAX_REASON_BYTES].decode(errors="ignore").encode()
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

    def abort(self) -> None:
        """Reset the connection: the peer is not there any more."""
        self._carrier.abort()

    def peer_closed(self, code: int) -> None:
        """The peer's close frame has come: echo it, unless it is the answer to ours."""
        if not self.closed:
            self._end(code, b"" if code == NO_CODE else code.to_bytes(2, "big"))

    def lost(self) -> None:
        """The connection is gone."""
        if not self.closed:
            self.closed = True
            self.close_code = _LOST
        self.on_text = None  # Whoever hears through it holds this socket.
        self._waiting.clear()
        self._waiting_bytes = 0
        self._gone.set()
        self._flushed.set()

    def _end(self, code: int, payload: bytes) -> None:
        self.closed = True
        self.close_code = code
        self._write(frame_of(Opcode.CLOSE, payload))
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


def abort_tcp(sock: trio.socket.SocketType) -> None:
    """Close with a reset, so that the kernel keeps nothing for a peer that takes nothing."""
    with contextlib.suppress(OSError):
        no_linger = struct.pack("ii", 1, 0)
        sock.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, no_linger)
    sock.close()
