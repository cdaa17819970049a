"""What each HTTP endpoint does. Bodies and answers are msgspec types; refusals are problems."""

import functools
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args

import msgspec
from msgspec import UNSET, Struct
from quart import Response

from comanda.actors.domain.inputs import StaffResolved
from comanda.actors.domain.messages import (
    MAX_ORDER_ID_CHARACTERS,
    CallbackBody,
    CartSnapshot,
    JoinAnswer,
    JoinBody,
    MenuAnswer,
    MenuEntry,
    MenuItemPatch,
    OrderList,
    OrderStateName,
    Rejection,
    ResolveBody,
    RestaurantInfo,
    StaffOrder,
    StaffOrderList,
    TableAnswer,
    TableInfo,
)
from comanda.actors.domain.money import MoneyOutOfRange, to_major, to_minor
from comanda.actors.domain.text import plain
from comanda.logs import get_log

from .auth import MemberPass
from .call import Call
from .callbacks import outcome_heard
from .endpoints import Endpoint
from .front import Front
from .metrics import METRICS_TYPE
from .openapi import openapi_document
from .page import get_table_page
from .problems import Refused, bare_response

log = get_log("comanda.http")

PAGE_DEFAULT = 50
PAGE_MOST = 200
ORDER_STATES: frozenset[str] = frozenset(get_args(OrderStateName))


class Health(Struct, frozen=True):
    """`status` is one word."""

    status: str
    at: datetime


async def get_table(call: Call, table_code: str) -> TableAnswer:
    """What a QR code leads to, without sitting down."""
    front = call.front
    table = front.house.book.table(table_code)
    if table is None:
        raise Refused("not_found", "There is no table with this code")
    return TableAnswer(
        table.code,
        table.label,
        _restaurant_info(front, table.restaurant_id),
        await front.house.store.is_occupied(table),
    )


async def join_table(call: Call, body: JoinBody, table_code: str) -> JoinAnswer:
    """Sit down at a table: opens its session when none is open, else joins it."""
    front = call.front
    call.limit(front.joins)
    name = _one_line(body.name)
    if not name:
        raise Refused("bad_message", "A name is 1 to 40 characters")
    if front.draining:
        raise Refused("too_busy", "The server is restarting; try again in a moment")
    joined = await front.house.join_table(table_code, name)
    if joined is None:
        raise Refused("not_found", "There is no table with this code")
    if isinstance(
        joined, Rejection
    ):  # the table is full, or its sessions close as fast as they open
        raise Refused("conflict", joined.message)
    front.metrics.joins.inc()
    return JoinAnswer(
        session_pid=joined.key.pid,
        member_id=joined.member_id,
        member_token=front.members.sign(MemberPass(joined.key, joined.member_id)),
        ws_url=call.websocket_url(f"/ws/sessions/{joined.key.pid}"),
        restaurant=_restaurant_info(front, joined.key.restaurant_id),
        table=TableInfo(joined.table.code, joined.table.label),
        settings=front.client_settings,
    )


async def get_menu(call: Call, restaurant_id: int) -> Response:
    """A restaurant's menu, with an ETag."""
    restaurant = call.front.house.book.restaurant(restaurant_id)
    if restaurant is None:
        raise Refused("not_found", "There is no such restaurant")
    body, etag = call.front.menu_pages.page(restaurant.menu)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if call.if_none_match(etag):
        return bare_response(304, headers)
    return Response(body, 200, headers, content_type="application/json")


async def get_cart(call: Call, session_pid: str) -> CartSnapshot:
    """The cart snapshot: everything that a phone must know after a refresh."""
    key = await call.member_key(session_pid)
    view = await call.front.house.view(key)
    if view.session.closed_reason is not None:
        raise Refused("unauthorized", "This table's session is closed")
    return view.snapshot()


async def get_session_orders(call: Call, session_pid: str) -> OrderList:
    """The session's confirmed orders, newest first."""
    key = await call.member_key(session_pid)
    return OrderList(await call.front.house.store.confirmed_orders(key.pid), None)


async def close_session(call: Call, session_pid: str) -> None:
    """The party has left: the table's next join opens a new session."""
    call.any_staff()
    found = await call.front.find_session(session_pid)
    if found is None:
        raise Refused("not_found", "There is no such session")
    call.staff_of(found[0].restaurant_id)
    if found[1]:
        await call.front.house.close_session(found[0], "The table was closed by the staff")


async def get_restaurant_orders(call: Call, restaurant_id: int) -> StaffOrderList:
    """A restaurant's orders in any state, newest first, paged, with what is on record against them."""
    call.staff_of(restaurant_id)
    if call.front.house.book.restaurant(restaurant_id) is None:
        raise Refused("not_found", "There is no such restaurant")
    wanted = [word for word in call.query("state", "").split(",") if word]
    unknown = [word for word in wanted if word not in ORDER_STATES]
    if unknown:
        known = ", ".join(sorted(ORDER_STATES))
        raise Refused("bad_message", f"No such state: {unknown[0][:40]}. States are: {known}")
    states: Any = wanted
    incidents = call.query("incidents", "")
    if incidents not in ("", "standing"):
        raise Refused("bad_message", "`incidents` is `standing`, or is not given")
    cursor = call.query("cursor", "") or None
    try:
        page = await call.front.house.store.orders(
            restaurant_id,
            states,
            cursor,
            call.whole_number("limit", PAGE_DEFAULT, 1, PAGE_MOST),
            with_incidents=bool(incidents),
        )
    except ValueError as error:
        raise Refused("bad_message", "The cursor is none that a page of orders gave") from error
    return StaffOrderList(page.orders, page.next)


async def resolve_order(call: Call, body: ResolveBody, order_id: str) -> StaffOrder:
    """The staff's word: settles an order that is `needs_staff`, closes the incidents of any order."""
    front = call.front
    readable = len(order_id) <= MAX_ORDER_ID_CHARACTERS and order_id.isascii()
    found = await front.house.find_order(order_id) if readable else None
    if found is None:
        raise Refused("not_found", "There is no such order")
    by = call.staff_of(found[0].restaurant_id)
    reason = _one_line(body.reason)
    reference = None if body.pos_reference is None else _one_line(body.pos_reference)
    if not reason or reference == "":
        raise Refused("bad_message", "Say why in `reason`; a `pos_reference` is null or not blank")
    settled = await front.house.resolve_order(
        StaffResolved(order_id, body.outcome, reference, reason, by)
    )
    if settled is None:
        raise Refused("not_found", "There is no such order")
    if isinstance(settled, Rejection):
        raise Refused("conflict", settled.message)
    return settled


async def pos_callback(call: Call, body: CallbackBody) -> None:
    """The POS says unasked what became of an order. Said again it is taken, and has no second effect."""
    known = await call.front.house.hear_pos(outcome_heard(body))
    call.front.metrics.callbacks.labels(body.status, "known" if known else "unknown").inc()
    if not known:
        log.warning("the POS speaks of an order that is not ours", order_id=body.order_id)


async def patch_menu_item(
    call: Call, body: MenuItemPatch, restaurant_id: int, menu_item_id: int
) -> MenuEntry:
    """Change an item's price, its availability, or both; every open session hears of it."""
    call.staff_of(restaurant_id)
    restaurant = call.front.house.book.restaurant(restaurant_id)
    if restaurant is None:
        raise Refused("not_found", "There is no such restaurant")
    if body.available is UNSET and body.price is UNSET:
        raise Refused("bad_message", "Give `available`, `price` or both")
    digits = restaurant.menu.minor_digits
    try:
        price = None if body.price is UNSET else to_minor(Decimal(repr(body.price)), digits)
    except MoneyOutOfRange as error:
        raise Refused("bad_message", f"The price cannot be used: {error}") from error
    item = await call.front.house.change_menu_item(
        restaurant_id,
        menu_item_id,
        available=None if body.available is UNSET else body.available,
        price_minor=price,
    )
    if item is None:
        raise Refused("not_found", "There is no such menu item")
    return MenuEntry(
        item.menu_item_id,
        item.name,
        item.description,
        to_major(item.price_minor, digits),
        item.available,
    )


async def healthz(call: Call) -> Health:
    """The process is alive."""
    return Health("alive", call.front.house.clock.now())


async def readyz(call: Call) -> Health:
    """The server takes traffic: it is not draining and storage can write."""
    if call.front.draining:
        raise Refused("too_busy", "The server is restarting")
    if not await call.front.is_ready():
        raise Refused("storage_unavailable", "Storage does not answer")
    return Health("ready", call.front.house.clock.now())


async def metrics(call: Call) -> Response:
    """Counters and gauges in Prometheus' text format."""
    return Response(call.front.metrics.text(), 200, content_type=METRICS_TYPE)


async def openapi(call: Call) -> Response:
    """This contract."""
    return Response(_openapi_json(), 200, content_type="application/json")


@functools.cache
def _openapi_json() -> bytes:
    return msgspec.json.encode(openapi_document(ENDPOINTS))


def _one_line(text: str) -> str:
    """What somebody has typed, as one line of plain text."""
    return " ".join(plain(text).split())


def _restaurant_info(front: Front, restaurant_id: int) -> RestaurantInfo:
    restaurant = front.house.book.restaurant(restaurant_id)
    assert restaurant is not None
    menu = restaurant.menu
    return RestaurantInfo(restaurant_id, restaurant.name, menu.currency, menu.minor_digits)


_BUSY = ("rate_limited", "too_busy", "storage_unavailable")
_BODY = ("bad_message", "payload_too_large", "unsupported_media_type")
_MEMBER = ("unauthorized", "forbidden", "not_found", *_BUSY)
_STAFF = ("unauthorized", "forbidden", "not_found", *_BUSY)

ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/tables/<table_code>",
        "A table before one sits down",
        get_table,
        answer=TableAnswer,
        codes=("not_found", *_BUSY),
    ),
    Endpoint(
        "POST",
        "/api/tables/<table_code>/join",
        "Sit down at a table",
        join_table,
        body=JoinBody,
        answer=JoinAnswer,
        status=201,
        codes=("not_found", "conflict", *_BODY, *_BUSY),
    ),
    Endpoint(
        "GET",
        "/api/restaurants/<int:restaurant_id>/menu",
        "The menu",
        get_menu,
        answer=MenuAnswer,
        codes=("not_found", "rate_limited"),
        bare={304: "The asker has this version already (If-None-Match)"},
    ),
    Endpoint(
        "GET",
        "/api/sessions/<session_pid>/cart",
        "The cart snapshot",
        get_cart,
        access="member",
        answer=CartSnapshot,
        codes=_MEMBER,
    ),
    Endpoint(
        "GET",
        "/api/sessions/<session_pid>/orders",
        "The session's confirmed orders",
        get_session_orders,
        access="member",
        answer=OrderList,
        codes=_MEMBER,
    ),
    Endpoint(
        "POST",
        "/api/sessions/<session_pid>/close",
        "The party has left",
        close_session,
        access="staff",
        status=204,
        codes=_STAFF,
    ),
    Endpoint(
        "GET",
        "/api/restaurants/<int:restaurant_id>/orders",
        "A restaurant's orders",
        get_restaurant_orders,
        access="staff",
        answer=StaffOrderList,
        query={
            "state": "one or more states, separated by commas; none: all",
            "incidents": "`standing`: only orders of which an incident stands",
            "cursor": "`next` of the page before",
            "limit": f"orders a page, 1 to {PAGE_MOST}, {PAGE_DEFAULT} where it is not given",
        },
        codes=("bad_message", *_STAFF),
    ),
    Endpoint(
        "POST",
        "/api/orders/<order_id>/resolve",
        "Settle an order that needs the staff",
        resolve_order,
        access="staff",
        body=ResolveBody,
        answer=StaffOrder,
        codes=("conflict", *_BODY, *_STAFF),
    ),
    Endpoint(
        "PATCH",
        "/api/restaurants/<int:restaurant_id>/menu/<int:menu_item_id>",
        "Change a menu item",
        patch_menu_item,
        access="staff",
        body=MenuItemPatch,
        answer=MenuEntry,
        codes=(*_BODY, *_STAFF),
    ),
    Endpoint(
        "POST",
        "/api/pos/callbacks",
        "The POS says what became of an order",
        pos_callback,
        access="pos",
        body=CallbackBody,
        status=204,
        codes=("unauthorized", "bad_message", "payload_too_large", *_BUSY),
    ),
    Endpoint(
        "GET",
        "/t/<table_code>",
        "The table's page",
        get_table_page,
        content="text/html",
        codes=("rate_limited",),
        also={404: "There is no table with this code; the page says so"},
        bare={304: "The asker has this version already (If-None-Match)"},
    ),
    Endpoint("GET", "/healthz", "Alive", healthz, answer=Health, limited=False),
    Endpoint(
        "GET",
        "/readyz",
        "Takes traffic",
        readyz,
        answer=Health,
        codes=("too_busy", "storage_unavailable"),
        limited=False,
    ),
    Endpoint("GET", "/metrics", "Metrics", metrics, content=METRICS_TYPE, limited=False),
    Endpoint(
        "GET", "/openapi.json", "This contract", openapi, content="application/json", limited=False
    ),
)
