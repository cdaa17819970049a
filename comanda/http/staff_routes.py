"""What the staff may ask over HTTP, with a token of the house or of one restaurant."""

from decimal import Decimal
from typing import Any, get_args

from msgspec import UNSET
from quart import Response

from comanda.actors.domain.inputs import StaffResolved
from comanda.actors.domain.menu import Restaurant
from comanda.actors.domain.messages import (
    MAX_ORDER_ID_CHARACTERS,
    MAX_REASON_CHARACTERS,
    MAX_REFERENCE_CHARACTERS,
    MenuEntry,
    MenuItemPatch,
    OrderStateName,
    QrCodeList,
    Rejection,
    ResolveBody,
    RestaurantList,
    StaffOrder,
    StaffOrderList,
    StaffTableList,
)
from comanda.actors.domain.money import MoneyOutOfRange, to_major, to_minor
from comanda.actors.domain.text import one_line
from comanda.actors.ports import SessionKey

from .call import Call
from .endpoints import BODY, TOKEN, Endpoint, Query
from .page import html_page
from .problems import Refused
from .qr_codes import qr_code_list
from .staff_tables import staff_table_list

PAGE_DEFAULT = 50
PAGE_MOST = 200
ORDER_STATES: frozenset[str] = frozenset(get_args(OrderStateName))
_STATE = "|".join(sorted(ORDER_STATES))


async def get_staff_page(call: Call) -> Response:
    """The staff's page. Whoever loads it has nothing yet: it asks for a token."""
    return html_page(call, "staff.html")


async def get_restaurants(call: Call) -> RestaurantList:
    """The restaurants that the asker's token opens: whose staff they are."""
    call.any_staff()
    token = call.token()
    return RestaurantList(
        tuple(
            call.front.restaurant_info(one.restaurant_id)
            for one in call.front.house.book.restaurants()
            if call.front.staff.opens(token, one.restaurant_id)
        )
    )


async def get_tables(call: Call, restaurant_id: int) -> Response:
    """A restaurant's tables and who is at them, with an ETag. No session is loaded for it."""
    restaurant = _restaurant(call, restaurant_id)
    return call.with_etag(await staff_table_list(call.front.house, restaurant))


async def get_qr_codes(call: Call, restaurant_id: int) -> QrCodeList:
    """The tables' QR codes, for one of the addresses that a phone may reach."""
    restaurant = _restaurant(call, restaurant_id)
    addresses = call.phone_addresses()
    address = call.query("address", addresses[0])
    if address not in addresses:
        raise Refused("bad_message", f"`address` is one of: {', '.join(addresses)}")
    return await qr_code_list(restaurant, address, addresses)


async def close_session(call: Call, session_pid: str) -> None:
    """The party has left: the table's next join opens a new session."""
    key, is_open = await _session(call, session_pid)
    if is_open:
        await call.front.house.close_session(key, "The table was closed by the staff")


async def forget_session(call: Call, session_pid: str) -> None:
    """Forget the guests of a closed session now, as is done by itself after the retention time."""
    key, _ = await _session(call, session_pid)
    forgotten = await call.front.house.forget_session(key)
    if forgotten != "forgotten":
        raise Refused("conflict", _NOT_FORGOTTEN[forgotten])


_NOT_FORGOTTEN = {
    "open": "The session is open: close it first",
    "unsettled": "An order of the session has no outcome yet: settle it first",
}


async def get_restaurant_orders(call: Call, restaurant_id: int) -> Response:
    """A restaurant's orders in any state, newest first, paged, with what is on record against them."""
    _restaurant(call, restaurant_id)
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
    return call.with_etag(StaffOrderList(page.orders, page.next))


async def resolve_order(call: Call, body: ResolveBody, order_id: str) -> StaffOrder:
    """The staff's word: settles an order that is `needs_staff`, closes the incidents of any order."""
    front = call.front
    readable = len(order_id) <= MAX_ORDER_ID_CHARACTERS and order_id.isascii()
    found = await front.house.find_order(order_id) if readable else None
    if found is None:
        raise Refused("not_found", "There is no such order")
    by = call.staff_of(found[0].restaurant_id)
    reason = one_line(body.reason, MAX_REASON_CHARACTERS)
    reference = body.pos_reference
    if reference is not None:
        reference = one_line(reference, MAX_REFERENCE_CHARACTERS)
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


async def patch_menu_item(
    call: Call, body: MenuItemPatch, restaurant_id: int, menu_item_id: int
) -> MenuEntry:
    """Change an item's price, its availability, or both; every open session hears of it."""
    restaurant = _restaurant(call, restaurant_id)
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


def _restaurant(call: Call, restaurant_id: int) -> Restaurant:
    """The restaurant, of whose staff the asker must be."""
    call.staff_of(restaurant_id)
    restaurant = call.front.house.book.restaurant(restaurant_id)
    if restaurant is None:
        raise Refused("not_found", "There is no such restaurant")
    return restaurant


async def _session(call: Call, session_pid: str) -> tuple[SessionKey, bool]:
    """The session, of whose restaurant's staff the asker must be, and whether it is open."""
    call.any_staff()
    found = await call.front.find_session(session_pid)
    if found is None:
        raise Refused("not_found", "There is no such session")
    call.staff_of(found[0].restaurant_id)
    return found


_KNOWN = {304: "The asker has this version already (If-None-Match)"}

STAFF_ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/restaurants",
        "The restaurants that a token opens",
        get_restaurants,
        access="staff",
        answer=RestaurantList,
        codes=("unauthorized", "forbidden", "rate_limited"),
    ),
    Endpoint(
        "GET",
        "/api/restaurants/<int:restaurant_id>/tables",
        "A restaurant's tables and who is at them",
        get_tables,
        access="staff",
        answer=StaffTableList,
        codes=TOKEN,
        bare=_KNOWN,
    ),
    Endpoint(
        "GET",
        "/api/restaurants/<int:restaurant_id>/qr-codes",
        "The tables' QR codes",
        get_qr_codes,
        access="staff",
        answer=QrCodeList,
        query={
            "address": Query(
                "one of `addresses` of the answer; none: the first", {"type": "string"}
            )
        },
        codes=("bad_message", "unauthorized", "forbidden", "not_found", "rate_limited"),
    ),
    Endpoint(
        "POST",
        "/api/sessions/<session_pid>/close",
        "The party has left",
        close_session,
        access="staff",
        status=204,
        codes=TOKEN,
    ),
    Endpoint(
        "POST",
        "/api/sessions/<session_pid>/forget",
        "Forget the guests of a session",
        forget_session,
        access="staff",
        status=204,
        codes=("conflict", *TOKEN),
    ),
    Endpoint(
        "GET",
        "/api/restaurants/<int:restaurant_id>/orders",
        "A restaurant's orders",
        get_restaurant_orders,
        access="staff",
        answer=StaffOrderList,
        query={
            "state": Query(
                "one or more states, separated by commas; none: all",
                {"type": "string", "pattern": f"^({_STATE})?(,({_STATE})?)*$"},
            ),
            "incidents": Query(
                "`standing`: only orders of which an incident stands",
                {"type": "string", "enum": ["", "standing"]},
            ),
            "cursor": Query("`next` of the page before", {"type": "string"}),
            "limit": Query(
                f"orders a page, 1 to {PAGE_MOST}, {PAGE_DEFAULT} where it is not given",
                {"type": "integer", "minimum": 1, "maximum": PAGE_MOST, "default": PAGE_DEFAULT},
            ),
        },
        codes=("bad_message", *TOKEN),
        bare=_KNOWN,
    ),
    Endpoint(
        "POST",
        "/api/orders/<order_id>/resolve",
        "Settle an order that needs the staff",
        resolve_order,
        access="staff",
        body=ResolveBody,
        answer=StaffOrder,
        codes=("conflict", *BODY, *TOKEN),
    ),
    Endpoint(
        "PATCH",
        "/api/restaurants/<int:restaurant_id>/menu/<int:menu_item_id>",
        "Change a menu item",
        patch_menu_item,
        access="staff",
        body=MenuItemPatch,
        answer=MenuEntry,
        codes=(*BODY, *TOKEN),
    ),
    Endpoint(
        "GET",
        "/staff",
        "The staff's page",
        get_staff_page,
        content="text/html",
        codes=("rate_limited",),
        bare=_KNOWN,
    ),
)
