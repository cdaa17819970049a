"""A real server in the test's nursery, with guests on real sockets.

Every HTTP answer is held against the server's own OpenAPI document, and every frame against the AsyncAPI
document, the wire protocol's fields and its rule of `seq` without gaps.
"""

import functools
import json
import sqlite3
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)

from comanda.actors.domain.order import Accepted, Order, PosOutcome
from comanda.app import Running, serve
from comanda.config import Settings, make_settings
from comanda.storage.opening import open_database

from .contract import Contract
from .frame_contract import FRAMES

PATIENCE_SECONDS = 8.0
"""Far above anything that a test waits for; only a fault makes it pass."""

HOUSE_TOKEN = "the-house-token"
MARGHERITA, DIAVOLA, LEMONADE = 456, 458, 403
"""Items of the demonstration menu: 625.00, 740.00 and 180.00."""

CART_ITEM = "public_id menu_item_id name unit_price qty note state available added_by"
SNAPSHOT = (
    "session_pid seq items total currency cart_locked locked_by_member locked_by_name "
    "pending_order_id order_processing_status pending_order orders_in_doubt last_order members "
    "last_updated join_pin"
)
ORDER = (
    "order_id restaurant_id order_number session_pid table state placed_by placed_at confirmed_at "
    "lines total currency special_instructions pos_reference error"
)
STAFF_ORDER = f"{ORDER} settled_at decided_by decided_reason heard_by incidents"
ORDER_LINE = "public_id menu_item_id name qty unit_price line_total note added_by"
CART_ITEM_FIELDS = set(CART_ITEM.split())
SNAPSHOT_FIELDS = set(SNAPSHOT.split())
ORDER_FIELDS = set(ORDER.split())
STAFF_ORDER_FIELDS = set(STAFF_ORDER.split())
ORDER_LINE_FIELDS = set(ORDER_LINE.split())
EVENT_FIELDS = {
    "cart_updated": "by_member items removed total",
    "cart_locked": "locked_by_member locked_by locked_by_name order_id message",
    "order_processing": "order_id stage attempt lock_ends_at message",
    "order_confirmed": "order_id message order",
    "order_failed": "order_id error message allow_retry special_instructions",
    "cart_unlocked": "order_id message",
    "member_joined": "member",
    "session_closed": "reason",
}
OTHER_FIELDS = {
    "cart_snapshot": SNAPSHOT,
    "presence": "members timestamp",
    "menu_updated": "items timestamp",
    "pong": "request_id timestamp",
    "server_closing": "retry_after timestamp",
    "ack": "request_id seq",
    "error": "request_id code message",
}


class Gate:
    """An answer of the POS that comes when the test says so."""

    def __init__(self) -> None:
        self._opened = trio.Event()
        self._outcome: PosOutcome | None = None

    def open(self, outcome: PosOutcome) -> None:
        self._outcome = outcome
        self._opened.set()

    async def outcome(self) -> PosOutcome:
        await self._opened.wait()
        assert self._outcome is not None
        return self._outcome


class TestPos:
    """A POS that answers as the test has written it down, else accepts at once."""

    __test__ = False

    def __init__(self, *answers: PosOutcome | Gate) -> None:
        self.submitted: list[Order] = []
        self.looked_up: list[str] = []
        self.voided: list[str] = []
        self.promises = True
        self.found: PosOutcome | None = None
        self._answers = deque(answers)
        self._called = trio.Condition()

    async def submit(self, order: Order) -> PosOutcome:
        async with self._called:
            self.submitted.append(order)
            self._called.notify_all()
        if not self._answers:
            return Accepted(f"POS-{order.order_number}")
        answer = self._answers.popleft()
        return await answer.outcome() if isinstance(answer, Gate) else answer

    async def look_up(self, order: Order) -> PosOutcome | None:
        self.looked_up.append(order.order_id)
        return self.found

    async def void(self, order: Order) -> bool:
        self.voided.append(order.order_id)
        return self.promises

    async def wait_called(self, times: int = 1) -> None:
        """Until `submit` has been called so often."""
        with trio.fail_after(PATIENCE_SECONDS):
            async with self._called:
                while len(self.submitted) < times:
                    await self._called.wait()


@dataclass(frozen=True)
class Member:
    """What a join over HTTP gave."""

    answer: dict[str, Any]

    @property
    def token(self) -> str:
        return str(self.answer["member_token"])

    @property
    def member_id(self) -> str:
        return str(self.answer["member_id"])

    @property
    def pid(self) -> str:
        return str(self.answer["session_pid"])

    @property
    def ws_url(self) -> str:
        return str(self.answer["ws_url"])


class Phone:
    """One websocket of a member. What it hears is checked and kept in `heard`."""

    def __init__(self, connection: WebSocketConnection) -> None:
        self.connection = connection
        self.heard: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.cart: dict[str, dict[str, Any]] = {}
        self.carts_by_seq: dict[int, dict[str, dict[str, Any]]] = {}
        self.seq: int | None = None
        self._dropped_up_to = -1
        self._numbers = count(1)

    # Speaking

    async def say(self, type: str, **fields: Any) -> None:
        await self.say_text(json.dumps({"type": type, **fields}))

    async def say_text(self, text: str | bytes) -> None:
        await self.connection.send_message(text)

    async def do(self, type: str, **fields: Any) -> dict[str, Any]:
        """Send a command and return its `ack`, `error` or `pong`."""
        fields.setdefault("request_id", f"request-{id(self)}-{next(self._numbers)}")
        await self.say(type, **fields)
        return await self.reply(fields["request_id"])

    async def add(self, menu_item_id: int = MARGHERITA, qty: int = 1, **fields: Any) -> int:
        """Put a line into the cart; the session's seq after it."""
        reply = await self.do("add_item", menu_item_id=menu_item_id, qty=qty, **fields)
        assert reply["type"] == "ack", reply
        return int(reply["seq"])

    async def order(self, **fields: Any) -> dict[str, Any]:
        """Order what this phone believes to be in the cart; the reply."""
        return await self.do("place_order", **{**self.what_it_sees(), **fields})

    def what_it_sees(self) -> dict[str, Any]:
        wanted = ("public_id", "menu_item_id", "qty", "note")
        lines = self.cart.values()
        return {
            "cart_items": [{key: line[key] for key in wanted} for line in lines],
            "total": sum(line["unit_price"] * line["qty"] for line in lines),
        }

    # Hearing

    async def next(self) -> dict[str, Any]:
        with trio.fail_after(PATIENCE_SECONDS):
            text = await self.connection.get_message()
        assert isinstance(text, str)
        frame: dict[str, Any] = json.loads(text)
        self.texts.append(text)
        self.heard.append(frame)
        self._check(frame)
        return frame

    async def until(self, type: str, **fields: Any) -> dict[str, Any]:
        """The next frame of this type in which these fields stand."""
        while True:
            frame = await self.next()
            if frame["type"] == type and fields.items() <= frame.items():
                return frame

    async def reply(self, request_id: str | None) -> dict[str, Any]:
        while True:
            frame = await self.next()
            if frame["type"] in ("ack", "error", "pong") and frame["request_id"] == request_id:
                return frame

    async def closed(self) -> tuple[int, str]:
        """The close code and reason, past whatever comes before."""
        with suppress(ConnectionClosed):
            while True:
                await self.next()
        reason = self.connection.closed
        assert reason is not None
        return reason.code, reason.reason or ""

    async def hear_nothing(self) -> None:
        """Nothing waits and nothing is on its way: a pong follows upon the last frame."""
        before = len(self.heard)
        await self.do("ping", request_id="is-anything-there")
        assert self.heard[before:-1] == []

    def of_type(self, type: str) -> list[dict[str, Any]]:
        return [frame for frame in self.heard if frame["type"] == type]

    # Checking

    def _check(self, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind in EVENT_FIELDS:
            wanted = {"type", "seq", "timestamp", *EVENT_FIELDS[kind].split()}
        else:
            wanted = {"type", *OTHER_FIELDS[kind].split()}
        assert wanted <= frame.keys(), f"{kind} lacks {wanted - frame.keys()}"
        FRAMES.check_told(frame)
        if kind not in EVENT_FIELDS and kind not in ("ack", "cart_snapshot"):
            assert "seq" not in frame
        if "timestamp" in frame:
            assert frame["timestamp"].endswith("Z")
        if kind == "cart_snapshot":
            self._take_snapshot(frame)
        elif kind in EVENT_FIELDS:
            self._take_event(frame)

    def _take_snapshot(self, frame: dict[str, Any]) -> None:
        if self.seq is not None:
            # Events of the same moment may still be on their way: the client drops them.
            self._dropped_up_to = frame["seq"]
        self.seq = max(self.seq or 0, frame["seq"])
        self.cart = {item["public_id"]: item for item in frame["items"]}

    def _take_event(self, frame: dict[str, Any]) -> None:
        assert self.seq is not None, "the snapshot comes first"
        if frame["seq"] <= self._dropped_up_to:
            return
        assert frame["seq"] == self.seq + 1, f"a gap in seq: {self.seq}, then {frame['seq']}"
        self.seq = frame["seq"]
        if frame["type"] == "cart_updated":
            for item in frame["items"]:
                assert item.keys() >= CART_ITEM_FIELDS
                self.cart[item["public_id"]] = item
            for public_id in frame["removed"]:
                del self.cart[public_id]
        elif frame["type"] == "order_confirmed" or frame["type"] == "cart_unlocked":
            self.cart = {key: one for key, one in self.cart.items() if one["state"] != "locked"}
        elif frame["type"] == "cart_locked":
            self._move_lines("locked")
        elif frame["type"] == "order_failed":
            self._move_lines("pending")
        self.carts_by_seq[self.seq] = dict(self.cart)

    def _move_lines(self, state: str) -> None:
        self.cart = {key: {**item, "state": state} for key, item in self.cart.items()}


@dataclass
class Server:
    """A running server and an HTTP client of it."""

    running: Running
    settings: Settings
    shutdown: trio.Event
    ended: trio.Event
    http: httpx.AsyncClient
    contract: Contract
    nursery: trio.Nursery
    port: int = field(init=False)

    def __post_init__(self) -> None:
        self.port = int(str(self.http.base_url.port))

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> httpx.Response:
        """One request; its answer must have this status and conform to the contract."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        with trio.fail_after(PATIENCE_SECONDS):
            response = await self.http.request(method, path, headers=sent, **request)
        assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
        self.contract.check(method, response)
        return response

    async def refused(
        self, code: str, status: int, method: str, path: str, **request: Any
    ) -> dict[str, Any]:
        """One request that must be answered with this problem."""
        response = await self.call(method, path, status=status, **request)
        problem: dict[str, Any] = response.json()
        assert problem["code"] == code, problem
        return problem

    async def join(self, table: str = "demo-1", name: str = "Ana") -> Member:
        response = await self.call(
            "POST", f"/api/tables/{table}/join", status=201, json={"name": name}
        )
        return Member(response.json())

    async def cart(self, member: Member) -> dict[str, Any]:
        path = f"/api/sessions/{member.pid}/cart"
        cart: dict[str, Any] = (await self.call("GET", path, token=member.token)).json()
        return cart

    async def close_table(self, member: Member, token: str = HOUSE_TOKEN) -> None:
        await self.call("POST", f"/api/sessions/{member.pid}/close", token=token, status=204)

    async def patch(self, menu_item_id: int, **change: Any) -> dict[str, Any]:
        path = f"/api/restaurants/7/menu/{menu_item_id}"
        response = await self.call("PATCH", path, token=HOUSE_TOKEN, json=change)
        patched: dict[str, Any] = response.json()
        return patched

    @asynccontextmanager
    async def socket(
        self, where: str | Member, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Phone]:
        """A websocket that has not joined."""
        path = f"/ws/sessions/{where.pid}" if isinstance(where, Member) else where
        extra = [(key.encode(), value.encode()) for key, value in (headers or {}).items()]
        host = f"127.0.0.1:{self.port}"
        with trio.fail_after(PATIENCE_SECONDS * 2):
            async with (
                await trio.open_tcp_stream("127.0.0.1", self.port) as stream,
                trio.open_nursery() as nursery,
            ):
                connection = await wrap_client_stream(
                    nursery, stream, host, path, extra_headers=extra
                )
                try:
                    yield Phone(connection)
                finally:
                    await connection.aclose()
                nursery.cancel_scope.cancel()

    @asynccontextmanager
    async def phone(self, member: Member) -> AsyncIterator[Phone]:
        """A member's websocket, joined, its first snapshot heard."""
        async with self.socket(member) as phone:
            await phone.say("join", token=member.token)
            first = await phone.next()
            assert first["type"] == "cart_snapshot", first
            yield phone

    async def handshake_refused(
        self, where: str | Member, headers: dict[str, str] | None = None
    ) -> Any:
        """The rejection of a handshake: status_code, headers, body."""
        try:
            async with self.socket(where, headers):
                raise AssertionError("the handshake was accepted")
        except ExceptionGroup as group:
            refusal: BaseException = group
            while isinstance(refusal, ExceptionGroup):
                [refusal] = refusal.exceptions
            if not isinstance(refusal, ConnectionRejected):
                raise
            return refusal

    async def raw(self, data: bytes) -> bytes:
        """Bytes as they are; all that comes back until the server's end."""
        with trio.fail_after(PATIENCE_SECONDS):
            stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            async with stream:
                await stream.send_all(data)
                heard = b""
                with suppress(trio.BrokenResourceError):
                    async for part in stream:
                        heard += part
                return heard

    @contextmanager
    def storage_held(self) -> Iterator[None]:
        """Another program holds the database's write lock: commits wait."""
        stranger = sqlite3.connect(self.settings.database_path, isolation_level=None)
        try:
            stranger.execute("BEGIN IMMEDIATE")
            yield
        finally:
            stranger.close()

    async def wait_taken(self, commands: int, waiting: int = 0) -> None:
        """Until the only live table has been given so many messages and all but `waiting` are in hand."""

        async def taken() -> bool:
            [table] = self.running.house.registry.statistics().children
            mailbox = table.mailbox
            guests = mailbox.accepted_total - mailbox.own_depth
            return guests >= commands and mailbox.depth == waiting

        await until(taken)

    async def stop(self) -> None:
        """End gracefully and see that it does."""
        self.shutdown.set()
        await self.http.aclose()  # the server gives an idle connection's peer time to close it
        with trio.fail_after(PATIENCE_SECONDS * 2):
            await self.ended.wait()


async def until(
    happened: Callable[[], Awaitable[bool]], *, patience_seconds: float = PATIENCE_SECONDS
) -> None:
    """For what tells nobody: look until it is so."""
    with trio.fail_after(patience_seconds):
        while True:
            if await happened():
                return
            await trio.sleep(0.005)


def settings_for(folder: Path, **given: Any) -> Settings:
    """A test's settings: a file of its own, any free port."""
    if "database" not in given:
        database = folder / "comanda.db"
        if not database.exists():
            database.write_bytes(_empty_database())
        given["database"] = f"sqlite+aiosqlite:///{database}"
    given.setdefault("staff_token", HOUSE_TOKEN)
    given.setdefault("host", "127.0.0.1")
    return make_settings(port=0, **given)


@functools.cache
def _empty_database() -> bytes:
    """A database with its schema and nothing else: copied, since making one takes its time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        open_database(f"sqlite:///{path}")
        return path.read_bytes()


@asynccontextmanager
async def serving(folder: Path, pos: Any = None, **given: Any) -> AsyncIterator[Server]:
    """A server on a database in `folder`; at the end it is stopped and must end by itself.

    `pos` is a POS, or a text: the setting that names one.
    """
    if isinstance(pos, str):
        settings, pos = settings_for(folder, pos=pos, **given), None
    else:
        settings, pos = settings_for(folder, **given), pos or TestPos()
    shutdown, ended = trio.Event(), trio.Event()

    async def run(task_status: trio.TaskStatus[Running]) -> None:
        await serve(settings, shutdown=shutdown, pos=pos, task_status=task_status)
        ended.set()

    async with trio.open_nursery() as nursery:
        running = await nursery.start(run)
        url = f"http://127.0.0.1:{port_of(running)}"
        async with httpx.AsyncClient(
            base_url=url, trust_env=False, timeout=None, verify=False
        ) as http:
            document = (await http.get("/openapi.json")).text
            contract = _contract_of(document)
            server = Server(running, settings, shutdown, ended, http, contract, nursery)
            try:
                yield server
            finally:
                shutdown.set()
        with trio.move_on_after(PATIENCE_SECONDS * 2) as patience:
            await ended.wait()
        assert not patience.cancelled_caught, "the server did not end by itself"


@functools.cache
def _contract_of(document: str) -> Contract:
    return Contract(json.loads(document))


def port_of(running: Running) -> int:
    """Where the server listens, whatever its public address."""
    return running.port
