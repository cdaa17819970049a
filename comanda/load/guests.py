"""Comanda's own protocol for the driver: joining over HTTP, commands and events over the websocket."""

from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from comanda.actors.domain.messages import (
    Ack,
    BadMessage,
    CartLocked,
    CartSnapshot,
    CartUpdated,
    Error,
    Event,
    Join,
    JoinAnswer,
    JoinBody,
    MenuAnswer,
    MenuEntry,
    OrderList,
    decode_told,
    encode,
)

from . import dialect
from .cart_view import CartView, record_lines
from .dialect import Heard, Seat, SeatRefused, Snapshot, Told
from .http_calls import Answer, HttpCalls
from .plan import Plan

PRESENCE = b'{"type":"presence"'
"""Comes often while a street sits down, and tells nothing that is checked."""

COME_AGAIN = (429, 503)
"""Statuses that say "not now"."""

Kind = TypeVar("Kind")


class BrokenServer(Exception):
    """The server says what no server of this protocol says."""


class _Problem(msgspec.Struct):
    code: str = "unknown"


class Guests:
    """Fulfils `Dialect`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._http = HttpCalls(plan.server)
        self._menus: dict[int, tuple[MenuEntry, ...]] = {}
        self._views: dict[int, CartView] = {}
        self._pins: dict[int, str | None] = {}

    async def aclose(self) -> None:
        """Close the HTTP connections."""
        self._http.close()

    def view(self, table: int) -> CartView:
        """The table, of which nothing has been told."""
        return self._views.setdefault(table, CartView(()))

    async def seat(self, table: int, member: int) -> Seat:
        """Join the table of that number, with the PIN that its first member was told, if there is one."""
        code = self._plan.table_code.replace("{n}", str(table + 1))
        body = encode(JoinBody(f"Guest {member + 1}", self._pins.get(table)))
        path = f"/api/tables/{quote(code, safe='')}/join"
        answer = _decoded(await self._http.call("POST", path, body), JoinAnswer)
        self._pins[table] = answer.join_pin
        self.view(table).menu = await self._menu(answer.restaurant.id)
        return Seat(
            answer.ws_url,
            answer.member_id,
            encode(Join(answer.member_token)),
            answer.member_token,
        )

    async def _menu(self, restaurant_id: int) -> tuple[MenuEntry, ...]:
        known = self._menus.get(restaurant_id)
        if known is None:
            path = f"/api/restaurants/{restaurant_id}/menu"
            answer = _decoded(await self._http.call("GET", path), MenuAnswer)
            known = tuple(item for item in answer.items if item.available)
            if not known:
                raise SeatRefused("menu is empty")
            self._menus[restaurant_id] = known
        return known

    def read(self, frame: bytes) -> Heard | None:
        """One frame of the server."""
        if frame.startswith(PRESENCE):
            return None
        try:
            told = decode_told(frame)
        except BadMessage as error:
            raise BrokenServer(f"{error}: {frame[:200]!r}") from error
        match told:
            case CartUpdated():
                return Told(told.seq, told.by_member, told)
            case CartLocked():
                return Told(told.seq, told.locked_by, told)
            case Ack():
                return dialect.Ack(told.request_id, told.seq)
            case Error():
                return dialect.Refused(told.request_id, told.code)
            case CartSnapshot():
                return Snapshot(told.seq, told)
        return Told(told.seq, None, told) if isinstance(told, Event) else None

    async def last_look(
        self, table: int, seat: Seat, view: Any
    ) -> tuple[Snapshot | None, list[str]]:
        """The cart and the confirmed orders that the server has on record."""
        path = f"/api/sessions/{seat.url.rpartition('/')[2]}"
        answer = await self._http.call("GET", f"{path}/cart", token=seat.token)
        cart = _decoded(answer, CartSnapshot)
        wrongs: list[str] = []
        if view.orders:
            answer = await self._http.call("GET", f"{path}/orders", token=seat.token)
            wrongs = _history_wrongs(view, _decoded(answer, OrderList), cart)
        return Snapshot(cart.seq, cart), wrongs


def _history_wrongs(view: CartView, history: OrderList, cart: CartSnapshot) -> list[str]:
    """The orders that were told against those on record: none twice, none lost."""
    found = []
    on_record = {order.order_id: order for order in history.orders}
    if len(on_record) != len(history.orders):
        found.append("an order stands twice in the history")
    in_doubt = {order.order_id for order in cart.orders_in_doubt}
    by_line: dict[str, str] = {}
    for order in history.orders:
        told = view.orders.get(order.order_id)
        if told is None:
            if not view.unheard:
                found.append(f"order {order.order_id} is in the history, and nobody was told of it")
        elif told.stage != "confirmed":
            found.append(f"order {order.order_id} is in the history, and was told as {told.stage}")
        elif record_lines(order) != told.lines:
            found.append(f"order {order.order_id} has other lines in the history than were told")
        for line in order.lines:
            other = by_line.setdefault(line.public_id, order.order_id)
            if other != order.order_id:
                found.append(f"line {line.public_id} was ordered twice: {other}, {order.order_id}")
    for told in view.orders.values():
        if told.stage == "confirmed" and told.order_id not in on_record:
            found.append(f"order {told.order_id} was confirmed, and the history has lost it")
        unsettled = told.stage not in ("confirmed", "failed")
        if unsettled and told.order_id not in {cart.pending_order_id, *in_doubt}:
            found.append(f"order {told.order_id} was placed, and the server knows it no more")
    return found


def _decoded(answer: Answer, kind: type[Kind]) -> Kind:
    if not 200 <= answer.status < 300:
        try:
            code = msgspec.json.decode(answer.body, type=_Problem).code
        except msgspec.DecodeError:
            code = f"status {answer.status}"
        wait = answer.headers.get("retry-after", "")
        again = answer.status in COME_AGAIN
        raise SeatRefused(code, again=again, retry_after=float(wait) if wait.isdigit() else 0.0)
    return msgspec.json.decode(answer.body, type=kind)
