"""The house's staff: they look at what the POS has, and settle orders by that; now and then they close
a table.
"""

import random
from typing import Literal

import httpx
import trio

from comanda.client.errors import ApiError

from .member import Place

RESTAURANT_ID = 7
LOOK_SECONDS = 1.0
CALL_SECONDS = 4.0
"""For one call to the server or to the POS, whichever may be gone just now."""

SPARED = {"X-Pos-Fault": "none"}
"""The staff stand before the POS itself: no fault between them and its screen."""

REASON = "as the POS has it"

NO_ANSWER = (ApiError, httpx.HTTPError, trio.TooSlowError)


class Staff:
    """Settles orders that need staff, about `diligence` of those it sees at each look."""

    def __init__(self, place: Place, pos_url: str, rng: random.Random) -> None:
        self._place = place
        self._pos = httpx.AsyncClient(
            base_url=pos_url, headers=SPARED, trust_env=False, timeout=CALL_SECONDS
        )
        self._rng = rng
        self.diligence = 0.3

    async def aclose(self) -> None:
        """Close the connections to the POS."""
        await self._pos.aclose()

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except NO_ANSWER:
                continue

    async def look(self) -> None:
        """Settle orders by what the POS says. Raises what `NO_ANSWER` names."""
        with trio.fail_after(CALL_SECONDS * 3):
            staff = self._place.staff
            page = await staff.list_orders(RESTAURANT_ID, states=["needs_staff"], limit=200)
            for order in page.orders:
                if self._rng.random() < self.diligence:
                    outcome = await self._truth(order.order_id)
                    if outcome is not None:
                        await staff.resolve_order(order.order_id, outcome, reason=REASON)

    async def close_table(self, session_pid: str) -> bool:
        """The party has left. False: nobody knows whether the server has heard it."""
        try:
            with trio.fail_after(CALL_SECONDS):
                await self._place.staff.close_session(session_pid)
                return True
        except NO_ANSWER:
            return False

    async def _truth(self, order_id: str) -> Literal["confirmed", "rejected"] | None:
        """What the POS has; an order that it does not know is voided first, so that it cannot come late."""
        found = await self._pos.get(f"/orders/{order_id}")
        if found.status_code == 404:
            voided = await self._pos.post(f"/orders/{order_id}/void")
            return "rejected" if voided.status_code == 200 else None
        if found.status_code != 200:
            return None
        status = found.json()["status"]
        if status == "accepted":
            return "confirmed"
        return "rejected" if status in ("rejected", "voided") else None
