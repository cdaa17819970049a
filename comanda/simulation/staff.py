"""Every restaurant's staff, through the real calls: they settle what waits, change the menu, close tables."""

from collections.abc import Sequence

import httpx
import trio

from comanda.actors.domain.messages import MenuEntry, StaffOrder
from comanda.client import Api, ClientError, Surroundings

from .evening import Closing, MenuChange
from .gateway import Gateway, answer_http
from .guests import SERVER, Guest
from .lives import Houses
from .logbook import Logbook
from .pos import TruthPos
from .restaurants import RESTAURANTS, dishes_of, staff_token_of
from .witness import Witness


class Staff:
    """They ask whichever house lives."""

    def __init__(self, houses: Houses[Gateway], witness: Witness, logbook: Logbook) -> None:
        self._houses = houses
        self._witness = witness
        self._logbook = logbook
        self.surroundings = Surroundings(http_transport=httpx.MockTransport(self._answer))

    async def change_menu(self, change: MenuChange) -> None:
        """Wait for the moment, and change the item."""
        await trio.sleep(change.at)
        self._logbook.met("menu changed")
        await self._change_item(change)

    async def restock(self) -> None:
        """Everything can be had again, everywhere."""
        for restaurant in range(len(RESTAURANTS)):
            for item in range(len(dishes_of(restaurant))):
                await self._change_item(MenuChange(0, restaurant, item, available=True, price=None))

    async def _change_item(self, change: MenuChange) -> None:
        number = RESTAURANTS[change.restaurant].restaurant_id
        path = f"/api/restaurants/{number}/menu/{dishes_of(change.restaurant)[change.item]}"
        given = {"available": change.available, "price": change.price}
        body = {name: value for name, value in given.items() if value is not None}
        await self._call(number, "PATCH", path, MenuEntry, body)

    async def close_table(self, closing: Closing, guests: Sequence[Guest]) -> None:
        """Wait for the moment, and close the table's sessions, as far as `guests` sit in one."""
        await trio.sleep(closing.at)
        pids = {
            guest.table.session_pid: None
            for guest in guests
            if guest.script.table == closing.table and guest.table is not None
        }
        for key in self._witness.dining_sessions():
            if key.pid in pids:
                self._logbook.met("table closed")
                path = f"/api/sessions/{key.pid}/close"
                await self._call(key.restaurant_id, "POST", path, type(None), None)

    async def settle_now_and_then(self, pos: TruthPos, every_seconds: float) -> None:
        """Look at what waits for them, until cancelled."""
        while True:
            await trio.sleep(every_seconds)
            await self.settle_what_waits(pos)

    async def settle_what_waits(self, pos: TruthPos) -> None:
        """Look into the kitchen, and say what is seen of each order that waits for the staff."""
        for order_id, state in sorted(self._witness.order_states().items()):
            if state == "needs_staff" and pos.has(order_id) != "undecided":
                cooking = pos.has(order_id) == "accepted"
                outcome = "confirmed" if cooking else "rejected"
                body = {"outcome": outcome, "reason": "the kitchen says so"}
                number = restaurant_of(order_id)
                path = f"/api/orders/{order_id}/resolve"
                await self._call(number, "POST", path, StaffOrder, body)

    async def _call(
        self, restaurant_id: int, method: str, path: str, answer: type[object], body: object
    ) -> None:
        """Once; what is not answered is asked again when somebody looks again."""
        token = staff_token_of(restaurant_id)
        async with Api(SERVER, token, surroundings=self.surroundings) as api:
            try:
                await api.call(method, path, answer, body)
                self._logbook.note(f"staff {method} {path}: done")
            except (ClientError, httpx.HTTPError, trio.TooSlowError) as error:
                self._logbook.note(f"staff {method} {path}: {error}")

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        there = self._houses.alive_now()
        if there is None:
            raise httpx.ConnectError("simulated: connection refused")
        with there[1].shared():
            answer = await answer_http(there[0], "staff", request)
            if not there[1].cut:
                return answer
        raise httpx.ReadError("simulated: the server died")


def restaurant_of(order_id: str) -> int:
    """The id of the restaurant that an order's id names."""
    return int(order_id.split("-")[1])
