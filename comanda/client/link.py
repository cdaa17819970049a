"""One websocket, from the TCP connection to its end. A lost link is never mended: the next one is new."""

import math
from typing import Protocol, cast
from urllib.parse import urlsplit

import trio
from msgspec import Struct
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import ProtocolError

from comanda.actors.domain.messages import BadMessage, CartSnapshot, Join, Told, decode_told, encode

from .line import Line
from .settings import ClientLimits
from .surroundings import Surroundings

NO_CLOSE_FRAME = 1006


class LinkEnd(Struct, frozen=True):
    """How a link ended. `code` is the close code, 1006 where there was none.

    `joined`: the server had let us in. `retry_after` in seconds, where a refused handshake asks for it.
    """

    code: int
    reason: str
    joined: bool
    retry_after: float | None = None


class LinkOwner(Protocol):
    """Who hears what a link hears. Both calls are synchronous: nothing is read meanwhile."""

    def joined(self, link: "Link", snapshot: CartSnapshot) -> None: ...
    def told(self, link: "Link", message: Told) -> None: ...


class Link:
    """An open websocket that has joined."""

    def __init__(self, line: Line, websocket: WebSocketConnection, limits: ClientLimits) -> None:
        self._line = line
        self._websocket = websocket
        self._limits = limits
        self._parting: trio.Event | None = None

    async def send(self, frame: str) -> None:
        """Send one frame, wholly or to a broken link; never raises for the link's sake.

        Cancellation is held off for at most `write_timeout_seconds`: half a frame would ruin the rest.
        """
        with trio.move_on_after(self._limits.write_timeout_seconds, shield=True) as scope:
            try:
                await self._websocket.send_message(frame)
            except ConnectionClosed:
                return
        if scope.cancelled_caught:
            self.cut()

    def cut(self) -> None:
        """Break the TCP connection without goodbye."""
        self._line.cut()

    async def say_goodbye(self, code: int = 1000) -> None:
        """Close politely, by force after `close_timeout_seconds`."""
        self._parting = parting = trio.Event()
        try:
            with trio.move_on_after(self._limits.close_timeout_seconds, shield=True):
                await self._websocket.aclose(code)
                return
            self.cut()
        finally:
            parting.set()

    async def parted(self) -> None:
        """Wait for a goodbye that is being said: its answer is still to be read."""
        if self._parting is not None:
            await self._parting.wait()

    async def probe(self) -> None:
        """Cut the link once the server neither talks nor answers a ping. Runs until cancelled."""
        while True:
            quiet_until = self._line.last_heard + self._limits.silence_seconds
            if trio.current_time() < quiet_until:
                await trio.sleep_until(quiet_until)
                continue
            try:
                with trio.fail_after(self._limits.pong_timeout_seconds):
                    await self._websocket.ping()
            except ConnectionClosed:
                return
            except trio.TooSlowError:
                self.cut()
                return
            self._line.last_heard = trio.current_time()


async def run_link(
    url: str,
    token: str,
    owner: LinkOwner,
    *,
    join_timeout_seconds: float,
    limits: ClientLimits,
    surroundings: Surroundings,
) -> LinkEnd:
    """Connect, join, tell `owner` what comes, until the link has ended; then say how.

    Connection, handshake and the answer to `join` share `join_timeout_seconds`. Cancellation sends the
    close frame and closes the socket.
    """
    deadline = trio.current_time() + join_timeout_seconds
    where = _parts_of(url)
    line: Line | None = None
    with trio.CancelScope(deadline=deadline):
        try:
            line = Line(await surroundings.open_stream(where.host, where.port, where.tls))
        except (OSError, trio.BrokenResourceError) as error:
            return LinkEnd(NO_CLOSE_FRAME, f"could not connect: {error}", joined=False)
    if line is None:
        return LinkEnd(NO_CLOSE_FRAME, "no connection in time", joined=False)
    run = _Run(line, where, token, owner, deadline, limits)
    try:
        # trio-websocket's reader fails into the nursery; all else that is raised there is a bug of ours.
        try:
            async with trio.open_nursery() as nursery:
                run.end = await run.to_the_end(nursery)
                nursery.cancel_scope.cancel()
        except* (HandshakeError, ProtocolError, ConnectionClosed) as group:
            run.end = _end_of(group, run.end.joined)
    finally:
        await run.hang_up()
        await trio.aclose_forcefully(line)
    return run.end


class _Where(Struct, frozen=True):
    host: str
    port: int
    tls: bool
    host_header: str
    resource: str


class _Run:
    def __init__(
        self,
        line: Line,
        where: _Where,
        token: str,
        owner: LinkOwner,
        deadline: float,
        limits: ClientLimits,
    ) -> None:
        self._line = line
        self._where = where
        self._token = token
        self._owner = owner
        self._deadline = deadline
        self._limits = limits
        self._websocket: WebSocketConnection | None = None
        self.end = LinkEnd(NO_CLOSE_FRAME, "the connection failed", joined=False)

    async def hang_up(self) -> None:
        """Send the close frame of a connection that is left open by a cancellation; wait for nothing."""
        if self._websocket is None or self._websocket.closed is not None:
            return
        with trio.move_on_after(self._limits.close_timeout_seconds, shield=True) as scope:
            self._line.hang_up_after_sending(scope)
            await self._websocket.aclose(1000)

    async def to_the_end(self, nursery: trio.Nursery) -> LinkEnd:
        websocket: WebSocketConnection | None = None
        snapshot: CartSnapshot | None = None
        with trio.CancelScope(deadline=self._deadline):
            websocket = self._websocket = await self._shake_hands(nursery)
            if websocket is None:
                return LinkEnd(NO_CLOSE_FRAME, "the handshake was cut off", joined=False)
            try:
                await websocket.send_message(encode(Join(self._token)).decode())
                while snapshot is None:
                    message = _decoded(await websocket.get_message())
                    if isinstance(message, CartSnapshot):
                        snapshot = message
            except ConnectionClosed as closed:
                return _closed(closed, joined=False)
        if websocket is None or snapshot is None:
            return LinkEnd(NO_CLOSE_FRAME, "no answer to the join in time", joined=False)
        self.end = LinkEnd(NO_CLOSE_FRAME, "the connection failed", joined=True)
        link = Link(self._line, websocket, self._limits)
        self._owner.joined(link, snapshot)
        nursery.start_soon(link.probe)
        while True:
            try:
                message = _decoded(await websocket.get_message())
            except ConnectionClosed as closed:
                await link.parted()
                return _closed(closed, joined=True)
            if message is not None:
                self._owner.told(link, message)

    async def _shake_hands(self, nursery: trio.Nursery) -> WebSocketConnection | None:
        """None where the stream ended first: trio-websocket would wait on for ever."""
        websocket: WebSocketConnection | None = None
        async with trio.open_nursery() as watch:

            async def give_up_at_the_end() -> None:
                await self._line.ended.wait()
                watch.cancel_scope.cancel()

            watch.start_soon(give_up_at_the_end)
            websocket = await wrap_client_stream(
                nursery,
                cast(trio.SocketStream, self._line),
                self._where.host_header,
                self._where.resource,
                message_queue_size=self._limits.frame_queue,
                max_message_size=self._limits.max_frame_bytes,
            )
            watch.cancel_scope.cancel()
        return websocket


def _decoded(frame: str | bytes) -> Told | None:
    """None for what this version does not know: a newer server may tell more. A lost event shows as a gap."""
    try:
        return decode_told(frame)
    except BadMessage:
        return None


def _closed(closed: ConnectionClosed, *, joined: bool) -> LinkEnd:
    if closed.reason is None:
        return LinkEnd(NO_CLOSE_FRAME, "the connection broke", joined)
    return LinkEnd(closed.reason.code, closed.reason.reason or "", joined)


def _end_of(group: BaseExceptionGroup[BaseException], joined: bool) -> LinkEnd:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if not isinstance(error, ConnectionRejected):
        return LinkEnd(NO_CLOSE_FRAME, f"{type(error).__name__}: {error}", joined)
    headers = {key.lower(): value for key, value in error.headers}
    wait = retry_after_seconds(headers.get(b"retry-after", b"").decode("latin-1"))
    return LinkEnd(NO_CLOSE_FRAME, f"refused with status {error.status_code}", joined, wait)


def retry_after_seconds(text: str | None) -> float | None:
    """A Retry-After header in seconds; None where it is missing, a date, or no sensible number."""
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _parts_of(url: str) -> _Where:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or parts.hostname is None:
        raise ValueError(f"{url!r} is no websocket address")
    tls = parts.scheme == "wss"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = parts.port or (443 if tls else 80)
    header = host if port in (80, 443) else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return _Where(parts.hostname, port, tls, header, (parts.path or "/") + query)
