"""The evening of two guests who were told nothing. Its pictures stand in docs/evening.md: `make evening`."""

from pathlib import Path

from tests.cli.helpers import a_server

from .chromium import Browser
from .conftest import Table
from .kitchen import Kitchen, a_kitchen
from .phone import Phone, new_phone
from .test_connection import LOST
from .test_ordering import BY_ANA, CONFIRMED, PENDING, TIMED_OUT, WITH_THE_STAFF, order_id_on
from .test_shared_cart import TIRAMISU, session_of

KITCHEN_SECONDS = 2
"""For an order: long enough to look at both phones meanwhile."""

UNREACHABLE = "Order failed: The kitchen cannot be reached. Tap to retry."
TIMES = [
    *("--order-timeout", "3"),  # above the kitchen's
    *("--pos-timeout", "9"),
    *("--lock-limit", "11"),  # an order that hangs is soon the staff's
    *("--retry-delay", "20"),  # the tap that stops it comes before
    *("--poll-interval", "0.5"),
]


async def test_two_guests_who_were_told_nothing_spend_the_evening(
    browser: Browser, tmp_path: Path
) -> None:
    async with a_kitchen(tmp_path, seconds=KITCHEN_SECONDS) as kitchen:
        with a_server(tmp_path, *TIMES, "--pos", kitchen.url) as server:
            table = Table(server, "demo-1")
            ana, ben = await new_phone(browser), await new_phone(browser)
            await they_sit_down(table, ana, ben)
            await they_fill_one_cart(ana, ben)
            await they_order_what_is_not_sold_out(table, ana, ben)
            await the_kitchen_is_away(kitchen, ana, ben)
            await a_tunnel(ana, ben)
            await the_kitchen_takes_long(kitchen, ana, ben)
            await nobody_knows(kitchen, table, ana, ben)
            await they_leave(table, ana, ben)
            for phone in (ana, ben):
                await phone.check_quiet()
                await phone.tab.close()


async def they_sit_down(table: Table, ana: Phone, ben: Phone) -> None:
    await ana.open(table.url)
    await ana.one("textbox", "Your name")
    await ana.shot("01-scan")
    await ana.fill("textbox", "Your name", "Ana")
    await ana.tap("button", "Join the table")
    await ana.gone("button", "Join the table")
    await ana.one("button", "Add Margherita")
    await ana.sees("Ana (you)")
    await ana.shot("02-menu")
    await ben.sit_down(table.url, "Ben")
    await ana.sees("Ben joined the table")


async def they_fill_one_cart(ana: Phone, ben: Phone) -> None:
    await ana.add("Margherita")
    await ben.sees("Ana added 1 × Margherita")
    await ben.add("Burrata")
    await ben.shot("03-together")
    await ben.add("Tiramisù")
    await ana.open_cart()
    await ana.tap("button", "Add a note for Margherita")
    await ana.one("textbox", "Note for Margherita")
    await ana.write("Extra basil, please")
    await ana.shot("04-note")
    await ana.press("Enter")
    await ana.sees("Change the note")


async def they_order_what_is_not_sold_out(table: Table, ana: Phone, ben: Phone) -> None:
    await table.set_available(TIRAMISU, False)
    await ana.sees("Sold out: Tiramisù.")
    await ana.shot("05-sold-out")
    await ana.tap("button", "Remove")
    await ana.button("Place Order", enabled=True, colour="green")
    await ana.fill("textbox", "Special instructions", "All at once, please")
    await ana.sees_no("Tiramisù is sold out")
    await ana.shot("06-cart")
    await ben.open_cart()
    await ana.tap("button", "Place Order")
    await ana.button(PENDING, enabled=False, colour="gray")
    await ana.shot("07-pending")
    await ben.button(BY_ANA, enabled=False, colour="gray")
    await ben.sees_no("just now")
    await ben.shot("08-locked")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
    await ana.shot("09-confirmed")
    for phone in (ana, ben):
        await phone.tap("button", "Back to the menu")


async def the_kitchen_is_away(kitchen: Kitchen, ana: Phone, ben: Phone) -> None:
    await kitchen.switch_off()
    await ben.add("Lemonade")
    await ana.sees("Ben added 1 × Lemonade")
    await ana.shot("10-second-round")
    await ben.open_cart()
    await ben.fill("textbox", "Special instructions", "Without ice")
    await ben.tap("button", "Place Order")
    await ben.sees(UNREACHABLE)
    await ben.sees("Trying again by itself")
    await ben.shot("11-failed")
    await ana.open_cart()
    await ana.sees("This was the order of Ben, whose phone may try again by itself.")
    await ana.sees("Ben's order had these.")
    await ana.shot("12-failed-for-the-other")
    await ana.tap("button", "Close")
    await kitchen.switch_on()
    await ben.tap("button", "Stop")
    await ben.tap("button", "Retry Order")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
        await phone.tap("button", "Back to the menu")


async def a_tunnel(ana: Phone, ben: Phone) -> None:
    ana.excuse("WebSocket connection|ERR_INTERNET_DISCONNECTED")
    await ana.add("Espresso")
    await ana.open_cart()
    await ana.tap("button", "Place Order")
    await ana.button(PENDING, enabled=False, colour="gray")
    await ana.cut_network(offline=True)
    await ana.sees(LOST)
    await ana.shot("13-connection-lost")
    await ben.sees(CONFIRMED)
    await ana.sees("Tap to reconnect")
    await ana.shot("14-tap-to-reconnect")
    await ana.cut_network(offline=False)
    await ana.sees(CONFIRMED)
    await ana.shot("15-back")
    for phone in (ana, ben):
        await phone.tap("button", "Back to the menu")


async def the_kitchen_takes_long(kitchen: Kitchen, ana: Phone, ben: Phone) -> None:
    await kitchen.will("delay=6")
    await ben.add("Espresso")
    await ben.open_cart()
    await ben.tap("button", "Place Order")
    await ben.sees(TIMED_OUT)
    await ben.shot("16-no-answer-yet")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
    await ben.sees("after all")
    await ben.shot("17-late")
    for phone in (ana, ben):
        await phone.tap("button", "Back to the menu")


async def nobody_knows(kitchen: Kitchen, table: Table, ana: Phone, ben: Phone) -> None:
    await kitchen.will("hang")
    await ana.add("Affogato")
    await ana.open_cart()
    await ana.tap("button", "Place Order")
    await kitchen.has_met_its_faults()
    await kitchen.switch_off()  # in the midst of the order
    await ana.sees(WITH_THE_STAFF)
    await ana.shot("18-with-the-staff")
    order_id = await order_id_on(ana)
    word = {"outcome": "confirmed", "pos_reference": "by hand", "reason": "it is served"}
    await table.staff("POST", f"/api/orders/{order_id}/resolve", **word)
    for phone in (ana, ben):
        await phone.sees(f"The kitchen has confirmed {order_id} after all.")
        await phone.tap("button", "Back to the menu")


async def they_leave(table: Table, ana: Phone, ben: Phone) -> None:
    await ana.tap("button", "My Orders 5")
    await ana.sees("Ordered so far")
    await ana.shot("19-my-orders")
    for phone in (ana, ben):
        phone.excuse("401")
    await table.staff("POST", f"/api/sessions/{await session_of(ana)}/close")
    for phone in (ana, ben):
        await phone.sees("This table was closed")
    await ana.shot("20-the-party-leaves")
