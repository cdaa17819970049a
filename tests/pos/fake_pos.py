"""A tiny POS over real sockets: answers each request as the test's script says, and keeps what it heard."""

import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import h11
import trio

Reply = Callable[[trio.SocketStream], Awaitable[None]]
"""Writes an answer to a request that was read whole; the connection ends where it raises or closes."""


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class FakePos:
    """Plays one reply of the script after another; `otherwise` where the script is at its end."""

    def __init__(self, *script: Reply, otherwise: Reply | None = None) -> None:
        self.heard: list[Heard] = []
        self.connections = 0
        self.url = ""
        self._script = deque(script)
        self._otherwise = otherwise
        self._came = trio.Condition()

    async def wait_heard(self, requests: int) -> None:
        """Until so many requests have come whole."""
        with trio.fail_after(8):
            async with self._came:
                while len(self.heard) < requests:
                    await self._came.wait()

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, for `trio.serve_tcp`."""
        self.connections += 1
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError, h11.RemoteProtocolError):
            async with stream:
                machine = h11.Connection(h11.SERVER)
                while (heard := await _read_request(machine, stream)) is not None:
                    async with self._came:
                        self.heard.append(heard)
                        self._came.notify_all()
                    reply = self._script.popleft() if self._script else self._otherwise
                    assert reply is not None, f"{heard.method} {heard.target} is not in the script"
                    await reply(stream)
                    machine = h11.Connection(h11.SERVER)


async def _read_request(machine: h11.Connection, stream: trio.SocketStream) -> Heard | None:
    request: h11.Request | None = None
    body = b""
    while True:
        event = machine.next_event()
        if event is h11.NEED_DATA:
            machine.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert request is not None
            headers = {key.decode().lower(): value.decode() for key, value in request.headers}
            return Heard(request.method.decode(), request.target.decode(), headers, body)
        else:
            return None


@asynccontextmanager
async def open_pos(*script: Reply, otherwise: Reply | None = None) -> AsyncIterator[FakePos]:
    """A POS on a free port."""
    pos = FakePos(*script, otherwise=otherwise)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, pos.serve, 0)
        port = next(
            one.socket.getsockname()[1] for one in listeners if one.socket.family == socket.AF_INET
        )
        pos.url = f"http://127.0.0.1:{port}/api"
        yield pos
        nursery.cancel_scope.cancel()


# --- Replies --------------------------------------------------------------------------------------


def raw(data: bytes, *, close: bool = True) -> Reply:
    """These bytes and nothing else."""

    async def reply(stream: trio.SocketStream) -> None:
        await stream.send_all(data)
        if close:
            await stream.aclose()

    return reply


def answer(status: int, body: Any = b"", **headers: str) -> Reply:
    """A whole answer; what is no bytes goes as JSON. The connection stays open."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", "content-length": str(len(content))}
    given |= {key.replace("_", "-"): value for key, value in headers.items()}
    lines = "".join(f"{key}: {value}\r\n" for key, value in given.items())
    return raw(f"HTTP/1.1 {status} x\r\n{lines}\r\n".encode() + content, close=False)


def accepted(reference: str = "POS-42") -> Reply:
    """The answer to an order that the POS has."""
    return answer(201, {"status": "accepted", "pos_reference": reference})


async def hang(stream: trio.SocketStream) -> None:
    """No answer, until the caller goes."""
    while await stream.receive_some():
        pass


async def reset(stream: trio.SocketStream) -> None:
    """The connection is reset, not closed."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await stream.aclose()


async def drip(stream: trio.SocketStream) -> None:
    """An answer that goes on for ever, a byte at a time."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n")
    while True:
        await stream.send_all(b" ")
        await trio.sleep(0.01)


async def flood(stream: trio.SocketStream) -> None:
    """A body without an end, as fast as it goes."""
    await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while True:
        await stream.send_all(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
