"""A server's door in memory: what Hypercorn and Quart do for a real one, in as few words as will do.

From the member's socket and the frame reader inward, and from an endpoint's function inward, all is real.
"""

import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import unquote

import httpx
import msgspec
import trio

from comanda.actors.domain.messages import (
    JoinBody,
    MenuItemPatch,
    ResolveBody,
    Told,
    decode_told,
    encode,
)
from comanda.actors.ports import NoSuchSession, StorageUnavailable
from comanda.http import routes, staff_routes
from comanda.http.attending import Early, attend
from comanda.http.call import Call
from comanda.http.frames import CloseReceived, FrameReader, PingReceived, Violation
from comanda.http.front import Front
from comanda.http.keep_alive import KeepAlive
from comanda.http.problems import STATUSES, Refused
from comanda.http.socket import MemberSocket, WorkerLimits
from comanda.http.wire import REFUSED_BY_THE_HOUSE, refusal_code
from comanda.runtime import RuntimeRefusal

from .lives import Life
from .network import End

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT = 0x81
LIMITS = WorkerLimits(outgoing_bytes=8_192)
"""Less may wait for a slow reader than outside: in an evening nobody is told as much as 256 KiB."""

CLOSE_BYTES = 128
"""A close frame may come behind a full outlet."""

Witnessed = Callable[[str, int, Told], None]
"""Is told of each message that leaves for a member: the session, the connection's number, the message."""

Closed = Callable[[str, int, int], None]
"""Is told of each connection that the server closes: the session, the connection's number, the code."""


class Gateway:
    """Takes the connections and calls of one house, for as long as it lives."""

    def __init__(
        self,
        front: Front,
        life: Life,
        nursery: trio.Nursery,
        witnessed: Witnessed,
        closed: Closed,
        new_number: Callable[[], int],
    ) -> None:
        """Args:
        nursery: the house's own, which ends with it.
        new_number: numbers the connections of the whole evening.
        """
        self.front = front
        self.life = life
        self.new_number = new_number
        self._ends: dict[End, None] = {}
        self.nursery = nursery
        self.keep_alive = KeepAlive(LIMITS)
        self.overfull: dict[int, int] = {}
        """Connections for which more has waited than may, and how many bytes."""
        self._witnessed = witnessed
        self._closed = closed

    def take(self, end: End) -> None:
        """Serve a websocket on this connection, in the house's own nursery."""
        self.nursery.start_soon(self._serve, end)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._ends)

    def freeze(self, *, frozen: bool) -> None:
        """Have all connections stand still with their house, or go on with it."""
        for end in tuple(self._ends):
            end.freeze(frozen=frozen)

    async def _serve(self, end: End) -> None:
        self._ends[end] = None
        with self.life.at_death(end.reset, without_power=end.fall_silent):
            try:
                head = await _read_head(end)
                if head is not None:
                    await _Websocket(self, end, head).run()
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                pass  # the peer was gone, perhaps before its handshake was answered
            finally:
                del self._ends[end]
                await trio.aclose_forcefully(end)

    def tell_witness(self, pid: str, number: int, told: Told) -> None:
        if not self.life.cut:
            self._witnessed(pid, number, told)

    def tell_closed(self, pid: str, number: int, code: int) -> None:
        if not self.life.cut:
            self._closed(pid, number, code)


class _Head(msgspec.Struct, frozen=True):
    pid: str
    key: bytes
    rest: bytes


async def _read_head(end: End) -> _Head | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = await end.receive_some()
        if not part:
            return None
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in _parted(lines)}
    path = first.split(b" ")[1].decode()
    return _Head(unquote(path.rsplit("/", 1)[1]), headers[b"sec-websocket-key"], rest)


def _parted(lines: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return [line.partition(b":") for line in lines]


class _WitnessedSocket(MemberSocket):
    """A member's socket, of which each message is seen as it leaves."""

    pid: str
    number: int
    gateway: Gateway

    def send_frame(self, frame: bytes) -> None:
        if not self.closed and frame[0] == _TEXT:
            for told in told_in(frame):
                self.gateway.tell_witness(self.pid, self.number, told)
        super().send_frame(frame)
        if self.waiting_bytes > LIMITS.outgoing_bytes + len(frame) + CLOSE_BYTES:
            self.gateway.overfull[self.number] = self.waiting_bytes

    def close(self, code: int, reason: str = "") -> None:
        if not self.closed:
            self.gateway.tell_closed(self.pid, self.number, code)
        super().close(code, reason)


_last: tuple[bytes, list[Told]] = (b"", [])


def told_in(frames: bytes) -> list[Told]:
    """The messages in a server's whole text frames. They go to a whole table: the last are kept."""
    global _last
    if _last[0] is not frames:
        told, at = [], 0
        while at < len(frames):
            size, start = frames[at + 1], at + 2
            if size >= 126:
                start = at + (4 if size == 126 else 10)
                size = int.from_bytes(frames[at + 2 : start], "big")
            at = start + size
            told.append(decode_told(frames[start:at]))
        _last = (frames, told)
    return _last[1]


class _Websocket:
    """One websocket, carried by one connection."""

    def __init__(self, gateway: Gateway, end: End, head: _Head) -> None:
        self._gateway = gateway
        self._end = end
        self._head = head
        self._frames = FrameReader(LIMITS.message_bytes)

    async def run(self) -> None:
        async with trio.open_nursery() as self._nursery:
            self._socket = _WitnessedSocket(self._end, cast(Any, self._end), LIMITS, self)
            self._socket.gateway = self._gateway
            self._socket.pid = self._head.pid
            self._socket.number = self._gateway.new_number()
            self._nursery.start_soon(self._attend)
            try:
                await self._read()
            finally:
                self._socket.lost()

    async def _attend(self) -> None:
        front = self._gateway.front
        early = Early(self._socket, front.limits)
        await self._accept()
        await attend(front, self._head.pid, self._socket, early)

    async def _accept(self) -> None:
        accept = base64.b64encode(hashlib.sha1(self._head.key + _GUID).digest())
        await self._end.send_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._socket.open()
        self._gateway.keep_alive.watch(self._socket)

    async def _read(self) -> None:
        data = self._head.rest
        try:
            while True:
                self._frames.feed(data)
                while (event := self._frames.next_event()) is not None:
                    if isinstance(event, CloseReceived):
                        self._socket.peer_closed(event.code)
                        await self._socket.wait_flushed()
                        return
                    self._hear(event)
                data = await self._end.receive_some()
                if not data:
                    return
                self._socket.heard_at = trio.current_time()
        except Violation as violation:
            self._socket.close(violation.code, violation.reason)
            while await self._end.receive_some():
                pass  # until the peer has seen the close frame and hangs up
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

    def _hear(self, event: str | PingReceived) -> None:
        if isinstance(event, PingReceived):
            self._socket.send_pong(event.payload)
        elif not self._socket.closed and self._socket.on_text is not None:
            self._socket.on_text(event)

    # --- As a socket's carrier ------------------------------------------------------------------------

    def start_soon(self, task: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(task)

    def closing(self) -> None:
        self._nursery.start_soon(self._abort_later)

    def abort(self) -> None:
        self._end.reset()

    async def _abort_later(self) -> None:
        with trio.move_on_after(LIMITS.close_timeout_seconds):
            await self._socket.wait_closed()
            return
        self.abort()


class _Call(Call):
    """A request as the endpoints' functions see it."""

    def __init__(self, front: Front, address: str, request: httpx.Request) -> None:
        super().__init__(front)
        self._address = address
        self._request = request

    @property
    def address(self) -> str:
        return self._address

    def token(self) -> str:
        token: str = self._request.headers.get("authorization", "").removeprefix("Bearer ")
        if not token:
            raise Refused("unauthorized", "A bearer token is needed")
        return token


async def answer_http(gateway: Gateway, address: str, request: httpx.Request) -> httpx.Response:
    """What the endpoint's own function says to a request; refusals become statuses as a server's do."""
    call = _Call(gateway.front, address, request)
    try:
        status, body = await _endpoint(call, request)
    except Refused as refused:
        return _problem(refused.code, refused.detail)
    except NoSuchSession:
        return _problem("not_found", "There is no such session")
    except (RuntimeRefusal, StorageUnavailable) as error:
        code = refusal_code(error)
        return _problem(code, REFUSED_BY_THE_HOUSE[code])
    content = b"" if body is None else encode(body)
    return httpx.Response(status, content=content, headers={"content-type": "application/json"})


async def _endpoint(call: Call, request: httpx.Request) -> tuple[int, object]:
    def body_as(kind: Any) -> Any:
        return msgspec.json.decode(request.content, type=kind)

    match request.method, request.url.path.strip("/").split("/"):
        case "POST", ["api", "tables", code, "join"]:
            return 201, await routes.join_table(call, body_as(JoinBody), code)
        case "GET", ["api", "sessions", pid, "cart"]:
            return 200, await routes.get_cart(call, pid)
        case "GET", ["api", "sessions", pid, "orders"]:
            return 200, await routes.get_session_orders(call, pid)
        case "POST", ["api", "sessions", pid, "close"]:
            await staff_routes.close_session(call, pid)
            return 204, None
        case "POST", ["api", "orders", order_id, "resolve"]:
            return 200, await staff_routes.resolve_order(call, body_as(ResolveBody), order_id)
        case "PATCH", ["api", "restaurants", restaurant, "menu", item]:
            patch = body_as(MenuItemPatch)
            return 200, await staff_routes.patch_menu_item(call, patch, int(restaurant), int(item))
    raise Refused("not_found", "There is nothing here")


def _problem(code: str, detail: str) -> httpx.Response:
    problem = {"title": code, "status": STATUSES[code], "code": code, "detail": detail}
    return httpx.Response(STATUSES[code], content=msgspec.json.encode(problem))
