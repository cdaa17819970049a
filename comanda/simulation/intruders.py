"""Staff and guests who try what they may not: another restaurant's orders, tables and menu, another cart."""

from collections.abc import Sequence

import httpx
import trio

from comanda.actors.domain.messages import CartSnapshot, MenuEntry, StaffOrder
from comanda.actors.ports import SessionKey
from comanda.client import Api, ClientError

from .evening import Intrusion
from .guests import SERVER, Guest
from .logbook import Logbook
from .restaurants import RESTAURANTS, dishes_of, staff_token_of
from .staff import Staff
from .witness import Witness


class Intruders:
    """They use the real calls, with tokens that are good elsewhere. `got_in` says where one came through."""

    def __init__(self, staff: Staff, witness: Witness, logbook: Logbook) -> None:
        self.got_in: list[str] = []
        self._surroundings = staff.surroundings
        self._witness = witness
        self._logbook = logbook

    async def intrude(self, intrusion: Intrusion, guests: Sequence[Guest]) -> None:
        """Wait for the moment, and try whatever is there then."""
        await trio.sleep(intrusion.at)
        self._logbook.met("intrusion")
        theirs = RESTAURANTS[intrusion.restaurant].restaurant_id
        token = staff_token_of(theirs)
        elsewhere = [key for key in self._witness.dining_sessions() if key.restaurant_id != theirs]
        if elsewhere:
            await self._try(token, "POST", f"/api/sessions/{elsewhere[0].pid}/close", type(None))
        orders = sorted(self._witness.order_states())
        for order_id in [one for one in orders if not one.startswith(f"ORD-{theirs}-")][:2]:
            body = {"outcome": "rejected", "reason": "an intruder says so"}
            await self._try(token, "POST", f"/api/orders/{order_id}/resolve", StaffOrder, body)
        number = (intrusion.restaurant + 1) % len(RESTAURANTS)
        other = RESTAURANTS[number].restaurant_id
        path = f"/api/restaurants/{other}/menu/{dishes_of(number)[0]}"
        await self._try(token, "PATCH", path, MenuEntry, {"price": 1})
        for guest in guests[:1]:
            if guest.table is not None and guest.token is not None:
                await self._read_another_cart(guest.table.session_pid, guest.token)

    async def _read_another_cart(self, pid: str, token: str) -> None:
        others: list[SessionKey] = [
            key for key in self._witness.dining_sessions() if key.pid != pid
        ]
        for key in others[:1]:
            await self._try(token, "GET", f"/api/sessions/{key.pid}/cart", CartSnapshot)

    async def _try(
        self, token: str, method: str, path: str, answer: type[object], body: object = None
    ) -> None:
        async with Api(SERVER, token, surroundings=self._surroundings) as api:
            try:
                await api.call(method, path, answer, body)
                self.got_in.append(f"an intruder's {method} {path} was done")
                self._logbook.note(f"intruder {method} {path}: done")
            except (ClientError, httpx.HTTPError, trio.TooSlowError) as error:
                self._logbook.note(f"intruder {method} {path}: {error}")
