"""Raw TCP to the server from any address of this machine's loopback, and what comes back on it."""

import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import trio

READ_BYTES = 65536
SEND_SECONDS = 20.0
"""A server that takes nothing for so long has given up on us, as it may."""

HEAD_BYTES_MOST = 65536
BODY_BYTES_MOST = 8 * 1024 * 1024
"""Of an answer. The largest true ones are the menu and the staff's QR codes."""

_BIND_ADDRESS_NO_PORT = 24
"""From linux/in.h: the port is chosen at connecting, so that addresses do not run out of them."""

_NO_BODY = (204, 304)
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")


class LineLost(Exception):
    """The server has ended the connection, or does not take what is sent."""


class NoHttp(Exception):
    """What has come is no HTTP answer; the text shows it."""


class Line:
    """One connection. Made by `open_line`."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.buffer = bytearray()

    async def send(self, data: bytes) -> None:
        """Send all of it. Raises `LineLost`."""
        try:
            with trio.fail_after(SEND_SECONDS):
                await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError) as error:
            raise LineLost("sending failed") from error

    async def more(self) -> bool:
        """Read what comes next into `buffer`. False: the connection has ended."""
        try:
            data = await self._stream.receive_some(READ_BYTES)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        self.buffer += data
        return bool(data)

    async def finish_sending(self) -> None:
        """Send the end, and go on hearing. Raises `LineLost`."""
        try:
            await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LineLost("sending failed") from error

    def reset(self) -> None:
        """End it as a lost network does: what was not read yet is gone."""
        sock = self._stream.socket
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


@asynccontextmanager
async def open_line(
    port: int, address: str, *, receive_bytes: int | None = None
) -> AsyncIterator[Line]:
    """A connection from `address`, closed or reset when the block is left.

    Args:
        receive_bytes: the kernel's receive buffer, for who means to be a slow reader.

    Raises:
        LineLost: the server does not take it.
    """
    raw = socket.socket()
    raw.setblocking(False)
    raw.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
    if receive_bytes is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    sock = trio.socket.from_stdlib_socket(raw)
    try:
        raw.bind((address, 0))
        await sock.connect(("127.0.0.1", port))
    except OSError as error:
        sock.close()
        raise LineLost("not connected") from error
    except BaseException:
        sock.close()
        raise
    line = Line(trio.SocketStream(sock))
    try:
        yield line
    finally:
        sock.close()


class Answer(NamedTuple):
    """An HTTP answer. Names of headers are in lower case; of several alike the last counts."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


async def read_answer(line: Line, method: bytes = b"GET") -> Answer | None:
    """The next answer; None where the connection ends before a whole one, as it may where a request was
    not whole either, or was not read to its end. Interim answers are passed over.

    Raises:
        NoHttp: something else has come.
    """
    while True:
        head = await _read_head(line)
        if head is None:
            return None
        status, headers = _parse_head(head)
        if status == 101:
            return Answer(status, headers, b"")
        if 100 <= status < 200:
            continue
        if method == b"HEAD" or status in _NO_BODY:
            return Answer(status, headers, b"")
        body = await _read_body(line, headers)
        return None if body is None else Answer(status, headers, body)


async def _read_head(line: Line) -> bytes | None:
    while (end := line.buffer.find(b"\r\n\r\n")) < 0:
        if len(line.buffer) > HEAD_BYTES_MOST:
            raise NoHttp(f"no end of a head: {bytes(line.buffer[:200])!r}")
        if not await line.more():
            return None
    head = bytes(line.buffer[:end])
    del line.buffer[: end + 4]
    return head


def _parse_head(head: bytes) -> tuple[int, dict[bytes, bytes]]:
    first, *rest = head.split(b"\r\n")
    matched = _STATUS.fullmatch(first)
    if matched is None:
        raise NoHttp(f"no status line: {first[:200]!r}")
    headers = {}
    for one in rest:
        name, colon, value = one.partition(b":")
        if not colon or not name or b"\n" in one or b"\r" in one:
            raise NoHttp(f"no header: {one[:200]!r}")
        headers[name.lower()] = value.strip()
    return int(matched[1]), headers


async def _read_body(line: Line, headers: dict[bytes, bytes]) -> bytes | None:
    length = headers.get(b"content-length")
    if length is None:
        while await line.more():
            if len(line.buffer) > BODY_BYTES_MOST:
                raise NoHttp("a body without end")
        return bytes(line.buffer)
    if not length.isdigit() or int(length) > BODY_BYTES_MOST:
        raise NoHttp(f"content-length {length[:40]!r}")
    size = int(length)
    while len(line.buffer) < size:
        if not await line.more():
            return None
    body = bytes(line.buffer[:size])
    del line.buffer[:size]
    return body
