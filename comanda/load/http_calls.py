"""HTTP/1.1 on asyncio, as little as a driver needs: calls on connections that are kept and used again.

Not httpx: its thousandfold joins would cost the machine more than the server that is measured.
"""

import asyncio
import ssl
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import h11

CALL_SECONDS = 30.0
"""For one call as a whole. A server on which a street sits down at once is slow to answer."""

CONNECTIONS = 32
"""At a time, of one worker."""

READ_BYTES = 65536
MOST_BODY_BYTES = 8 * 1024 * 1024


class Answer(NamedTuple):
    """What a call has brought."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Wire(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection


class CallFailed(OSError):
    """No usable answer came; the text says why."""


class HttpCalls:
    """Calls to one server. Cancelling a call closes its connection."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._ssl = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (443 if self._ssl else 80)
        self._netloc = parts.netloc
        self._base = parts.path.rstrip("/")
        self._idle: list[_Wire] = []
        self._turn = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().writer.close()

    async def call(
        self, method: str, path: str, body: bytes | None = None, token: str | None = None
    ) -> Answer:
        """One call.

        Raises:
            OSError: no usable answer came (`CallFailed`, or the system's own).
        """
        headers = [("Host", self._netloc)]
        if token is not None:
            headers.append(("Authorization", f"Bearer {token}"))
        if body is not None:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        request = h11.Request(method=method, target=self._base + path, headers=headers)
        async with self._turn:
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    while self._idle:
                        answer = await self._on(self._idle.pop(), request, body)
                        if answer is not None:
                            return answer
                    answer = await self._on(await self._open(), request, body)
            except TimeoutError:
                raise CallFailed(f"{method} {path} had no answer in {CALL_SECONDS:g} s") from None
        if answer is None:
            raise CallFailed(f"{method} {path}: the server has closed the connection")
        return answer

    async def _open(self) -> _Wire:
        reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._ssl)
        return _Wire(reader, writer, h11.Connection(h11.CLIENT))

    async def _on(self, wire: _Wire, request: h11.Request, body: bytes | None) -> Answer | None:
        """The call on one connection; None where that was closed before any answer."""
        kept = False
        try:
            wire.writer.write(wire.protocol.send(request) or b"")
            if body is not None:
                wire.writer.write(wire.protocol.send(h11.Data(data=body)) or b"")
            wire.writer.write(wire.protocol.send(h11.EndOfMessage()) or b"")
            answer = await self._read(wire)
            if wire.protocol.our_state is h11.DONE and wire.protocol.their_state is h11.DONE:
                wire.protocol.start_next_cycle()
                self._idle.append(wire)
                kept = True
            return answer
        except ConnectionError:
            return None
        except h11.RemoteProtocolError as error:
            raise CallFailed(f"the answer is no HTTP: {error}") from error
        finally:
            if not kept:
                wire.writer.close()

    async def _read(self, wire: _Wire) -> Answer | None:
        response: h11.Response | None = None
        body = bytearray()
        while True:
            event = wire.protocol.next_event()
            if event is h11.NEED_DATA:
                data = await wire.reader.read(READ_BYTES)
                if not data and response is None:
                    return None
                wire.protocol.receive_data(data)
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MOST_BODY_BYTES:
                    raise CallFailed("the answer is too large")
            elif isinstance(event, h11.EndOfMessage):
                assert response is not None
                headers = {key.decode(): value.decode("latin-1") for key, value in response.headers}
                return Answer(response.status_code, headers, bytes(body))
