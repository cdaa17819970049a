"""The staff's calls: see and close tables, their QR codes, read and settle orders, change the menu."""

from collections.abc import Sequence
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from comanda.actors.domain.messages import (
    MenuAnswer,
    OrderStateName,
    QrCodeList,
    ResolveBody,
    RestaurantInfo,
    RestaurantList,
    StaffOrder,
    StaffOrderList,
    StaffTableList,
)

from .api import Api
from .settings import ClientLimits
from .surroundings import REAL, Surroundings


class StaffClient:
    """The staff of a restaurant, with their token. Errors as `Api`'s; use it as a context manager."""

    def __init__(
        self,
        server_url: str,
        token: str,
        *,
        limits: ClientLimits | None = None,
        surroundings: Surroundings = REAL,
    ) -> None:
        self._api = Api(server_url, token, limits=limits, surroundings=surroundings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._api.aclose()

    async def list_restaurants(self) -> tuple[RestaurantInfo, ...]:
        """The restaurants that the token opens: one for its own staff, all for the house's."""
        listed = await self._api.call("GET", "/api/restaurants", RestaurantList)
        return listed.restaurants

    async def list_tables(self, restaurant_id: int) -> StaffTableList:
        """All tables of a restaurant, and who is at those that are open."""
        path = f"/api/restaurants/{restaurant_id}/tables"
        return await self._api.call("GET", path, StaffTableList)

    async def fetch_qr_codes(self, restaurant_id: int, address: str | None = None) -> QrCodeList:
        """The tables' QR codes for `address`, one of an answer's `addresses`; None: the likeliest."""
        path = f"/api/restaurants/{restaurant_id}/qr-codes"
        params = {} if address is None else {"address": address}
        return await self._api.call("GET", path, QrCodeList, params=params)

    async def close_session(self, session_pid: str) -> None:
        """The party has left."""
        await self._api.call("POST", f"/api/sessions/{session_pid}/close", type(None))

    async def forget_session(self, session_pid: str) -> None:
        """Forget the guests of a closed session: their names, notes and instructions. Not to be undone.

        Raises `ApiError` with `conflict` where it is open, or an order of it has no outcome yet.
        """
        path = f"/api/sessions/{quote(session_pid, safe='')}/forget"
        await self._api.call("POST", path, type(None))

    async def list_orders(
        self,
        restaurant_id: int,
        *,
        states: Sequence[OrderStateName] = (),
        cursor: str | None = None,
        limit: int | None = None,
        with_incidents: bool = False,
    ) -> StaffOrderList:
        """One page of a restaurant's orders in one of `states` (none given: in any), newest first.

        `with_incidents`: only those of which an incident stands. `limit`: at most so many, 1 to 200;
        the server's own where it is not given.
        """
        params: dict[str, str] = {}
        if states:
            params["state"] = ",".join(states)
        if cursor is not None:
            params["cursor"] = cursor
        if limit is not None:
            params["limit"] = str(limit)
        if with_incidents:
            params["incidents"] = "standing"
        path = f"/api/restaurants/{restaurant_id}/orders"
        return await self._api.call("GET", path, StaffOrderList, params=params)

    async def resolve_order(
        self,
        order_id: str,
        outcome: Literal["confirmed", "rejected"],
        *,
        reason: str,
        pos_reference: str | None = None,
    ) -> StaffOrder:
        """Settle an order that is `needs_staff`, or close the incidents of any; the order as it then stands.

        Raises `ApiError` with `conflict` where it does not need the staff (any more). When cancelled,
        or without an answer, it may have been settled: the list of orders tells.
        """
        body = ResolveBody(outcome, reason, pos_reference)
        path = f"/api/orders/{quote(order_id, safe='')}/resolve"
        return await self._api.call("POST", path, StaffOrder, body)

    async def patch_menu_item(
        self,
        restaurant_id: int,
        menu_item_id: int,
        *,
        available: bool | None = None,
        price: float | None = None,
    ) -> None:
        """Change an item's availability (sold out, back again), its price, or both."""
        body = {"available": available, "price": price}
        given = {key: value for key, value in body.items() if value is not None}
        path = f"/api/restaurants/{restaurant_id}/menu/{menu_item_id}"
        await self._api.call("PATCH", path, type(None), given)

    async def fetch_menu(self, restaurant_id: int) -> MenuAnswer:
        """The menu as guests read it."""
        return await self._api.menu(restaurant_id)
