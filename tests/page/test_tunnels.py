"""Connections that are lost around an order: what a phone then knows, and how it comes back."""

from .conftest import SeatAt
from .phone import Phone
from .test_connection import LOST
from .test_everybody import looks_right
from .test_ordering import CONFIRMED, PENDING, all_edit_controls_are_disabled, order_id_on

NO_WEBSOCKET = """
(WebSocket.prototype.send = () => {}, dispatchEvent(new Event("offline")), true)
"""
"""The websocket ends and no other one joins; HTTP works."""

IN_A_TUNNEL = "WebSocket connection|ERR_INTERNET_DISCONNECTED"


async def enter_the_tunnel(phone: Phone) -> None:
    phone.excuse(IN_A_TUNNEL)
    await phone.cut_network(offline=True)
    await phone.sees(LOST)


async def test_without_a_websocket_the_outcome_of_an_order_is_read_over_http(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.order("pos:accept,pos:delay=6")
    await ana.button(PENDING, enabled=False, colour="gray")
    await ana.until(NO_WEBSOCKET)
    await ana.sees(LOST)
    await ana.sees(CONFIRMED)
    assert LOST in await ana.text()


async def test_an_order_that_is_settled_in_a_tunnel_is_shown_when_the_network_comes_back(
    seat: SeatAt,
) -> None:
    ana = await seat("Ana")
    ben = await seat("Ben")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.order("pos:accept,pos:delay=6")
    await ana.button(PENDING, enabled=False, colour="gray")
    await enter_the_tunnel(ana)
    await ana.button(PENDING, enabled=False, colour="gray")
    await all_edit_controls_are_disabled(ana)
    await ben.sees(CONFIRMED)
    await ana.sees("Tap to reconnect")  # three attempts have failed
    await looks_right(ana, "tap-to-reconnect")
    await ana.tap("button", "Tap to reconnect")
    await ana.sees("Tap to reconnect")  # in vain
    await ana.cut_network(offline=False)  # then by itself
    await ana.sees_no("Tap to reconnect")
    await ana.sees(CONFIRMED)
    assert await order_id_on(ana) == await order_id_on(ben)


async def test_an_order_that_was_placed_and_confirmed_in_a_tunnel_is_shown_after_it(
    seat: SeatAt,
) -> None:
    ana = await seat("Ana")
    ben = await seat("Ben")
    await ana.add("Margherita")
    await ben.sees("Ana added 1 × Margherita")
    await enter_the_tunnel(ana)
    await ben.open_cart()
    await ben.order("pos:accept")
    await ben.sees(CONFIRMED)
    await ana.cut_network(offline=False)
    await ana.sees(CONFIRMED)
    assert await order_id_on(ana) == await order_id_on(ben)
    await ana.tap("button", "Back to the menu")
    await ana.refresh()
    await ana.sees("Ana (you)")
    await ana.open_cart()
    await ana.sees("The cart is empty")
    assert CONFIRMED not in await ana.text()
