"""The staff's calls: close a table, read and settle orders, change the menu."""

from types import TracebackType
from typing import Literal, Self

from comanda.actors.domain.messages import MenuAnswer, OrderList, OrderRecord, OrderStateName

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

    async def close_session(self, session_pid: str) -> None:
        """The party has left."""
        await self._api.call("POST", f"/api/sessions/{session_pid}/close", type(None))

    async def list_orders(
        self,
        restaurant_id: int,
        *,
        state: OrderStateName | None = None,
        cursor: str | None = None,
    ) -> OrderList:
        """One page of a restaurant's orders in `state`, or in any."""
        params: dict[str, str] = {}
        if state is not None:
            params["state"] = state
        if cursor is not None:
            params["cursor"] = cursor
        path = f"/api/restaurants/{restaurant_id}/orders"
        return await self._api.call("GET", path, OrderList, params=params)

    async def resolve_order(
        self,
        order_id: str,
        outcome: Literal["confirmed", "rejected"],
        *,
        pos_reference: str | None = None,
        reason: str | None = None,
    ) -> OrderRecord:
        """Settle an order that is `needs_staff`."""
        body = {"outcome": outcome, "pos_reference": pos_reference, "reason": reason}
        given = {key: value for key, value in body.items() if value is not None}
        return await self._api.call("POST", f"/api/orders/{order_id}/resolve", OrderRecord, given)

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
