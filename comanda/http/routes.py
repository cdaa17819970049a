"""What each HTTP endpoint does, the staff's apart. Bodies and answers are msgspec types."""

import functools
from datetime import datetime

import msgspec
from msgspec import Struct
from quart import Response

from comanda.actors.domain.messages import (
    MAX_NAME_CHARACTERS,
    CallbackBody,
    CartSnapshot,
    JoinAnswer,
    JoinBody,
    MenuAnswer,
    OrderList,
    Rejection,
    TableAnswer,
    TableInfo,
)
from comanda.actors.domain.text import one_line
from comanda.actors.house import Joined
from comanda.actors.ports import StorageUnavailable
from comanda.logs import get_log
from comanda.runtime import RuntimeRefusal

from .asyncapi import asyncapi_document
from .auth import MemberPass
from .call import Call
from .callbacks import outcome_heard
from .endpoints import BODY, BUSY, TOKEN, Endpoint
from .metrics import METRICS_TYPE
from .openapi import openapi_document
from .page import get_table_page
from .problems import Refused, bare_response
from .staff_routes import STAFF_ENDPOINTS

log = get_log("comanda.http")


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
        front.restaurant_info(table.restaurant_id),
        await front.house.store.is_occupied(table),
    )


async def join_table(call: Call, body: JoinBody, table_code: str) -> JoinAnswer:
    """Sit down at a table: opens its session when none is open, else joins it."""
    front = call.front
    call.limit(front.joins)
    name = one_line(body.name, MAX_NAME_CHARACTERS)
    if not name:
        raise Refused("bad_message", "A name is 1 to 40 characters")
    if front.draining:
        raise Refused("too_busy", "The server is restarting; try again in a moment")
    joined = await _let_in(call, table_code, name, body.pin)
    if joined is None:
        raise Refused("not_found", "There is no table with this code")
    if isinstance(joined, Rejection):
        raise _not_joined(joined)
    front.metrics.joins.inc()
    return JoinAnswer(
        session_pid=joined.key.pid,
        member_id=joined.member_id,
        member_token=front.members.sign(MemberPass(joined.key, joined.member_id)),
        ws_url=call.websocket_url(f"/ws/sessions/{joined.key.pid}"),
        restaurant=front.restaurant_info(joined.key.restaurant_id),
        table=TableInfo(joined.table.code, joined.table.label),
        settings=front.client_settings,
        join_pin=joined.join_pin,
    )


async def _let_in(
    call: Call, table_code: str, name: str, pin: str | None
) -> Joined | Rejection | None:
    """As `House.join_table`, where the address has not said too many wrong PINs.

    Each counts before it is judged, so that no more are tried at once; one that was not found wrong, or
    that nobody could judge, is given back.
    """
    house, pins = call.front.house, call.front.pins
    if pin is None:
        return await house.join_table(table_code, name)
    call.limit(pins)
    try:
        joined = await house.join_table(table_code, name, pin)
    except (RuntimeRefusal, StorageUnavailable):
        pins.give_back(call.address)
        raise
    if not (isinstance(joined, Rejection) and joined.code == "pin_wrong"):
        pins.give_back(call.address)
    return joined


def _not_joined(why: Rejection) -> Refused:
    """Of the PIN as it is; else the table is full, or its sessions close as fast as they open."""
    about_the_pin = why.code in ("pin_required", "pin_wrong", "rate_limited")
    code = why.code if about_the_pin else "conflict"
    return Refused(code, why.message, retry_after=why.retry_after)


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


async def pos_callback(call: Call, body: CallbackBody) -> None:
    """The POS says unasked what became of an order. Said again it is taken, and has no second effect."""
    known = await call.front.house.hear_pos(outcome_heard(body))
    call.front.metrics.callbacks.labels(body.status, "known" if known else "unknown").inc()
    if not known:
        log.warning("the POS speaks of an order that is not ours", order=body.order_id)


async def healthz(call: Call) -> Health:
    """The process is alive."""
    return Health("alive", call.front.house.clock.now())


async def readyz(call: Call) -> Health:
    """The server takes traffic: it is not draining and storage can write."""
    if call.front.draining:  # Storage is not asked: it may be slow, and this is the answer.
        raise Refused("too_busy", "The server is restarting")
    ready = await call.front.is_ready()
    if call.front.draining:  # It has begun to meanwhile.
        raise Refused("too_busy", "The server is restarting")
    if not ready:
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


async def asyncapi(call: Call) -> Response:
    """The websocket's contract."""
    return Response(_asyncapi_json(), 200, content_type="application/json")


@functools.cache
def _asyncapi_json() -> bytes:
    return msgspec.json.encode(asyncapi_document())


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/tables/<table_code>",
        "A table before one sits down",
        get_table,
        answer=TableAnswer,
        codes=("not_found", *BUSY),
    ),
    Endpoint(
        "POST",
        "/api/tables/<table_code>/join",
        "Sit down at a table",
        join_table,
        body=JoinBody,
        answer=JoinAnswer,
        status=201,
        codes=("not_found", "conflict", "pin_required", "pin_wrong", *BODY, *BUSY),
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
        codes=TOKEN,
    ),
    Endpoint(
        "GET",
        "/api/sessions/<session_pid>/orders",
        "The session's confirmed orders",
        get_session_orders,
        access="member",
        answer=OrderList,
        codes=TOKEN,
    ),
    *STAFF_ENDPOINTS,
    Endpoint(
        "POST",
        "/api/pos/callbacks",
        "The POS says what became of an order",
        pos_callback,
        access="pos",
        body=CallbackBody,
        status=204,
        codes=("unauthorized", "bad_message", "payload_too_large", *BUSY),
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
    Endpoint(
        "GET",
        "/asyncapi.json",
        "The websocket's contract",
        asyncapi,
        content="application/json",
        limited=False,
    ),
)
