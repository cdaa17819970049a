"""Orders whose outcome comes late: after the timeout, or after the cart was opened again."""

from pathlib import Path

from tests.cli.helpers import a_server

from .chromium import Browser
from .conftest import QUICK, SeatAt, Table
from .phone import new_phone
from .test_everybody import looks_right
from .test_ordering import (
    CONFIRMED,
    ORDER_ID,
    PENDING,
    TIMED_OUT,
    WITH_THE_STAFF,
    order_id_on,
    two_guests_with_a_margherita,
)

ASKED_AGAIN = "The kitchen has not answered yet and is being asked again."
SHORT_LOCK = [*QUICK, "--lock-limit", "7"]


async def test_a_confirmation_after_the_timeout_is_shown_as_a_late_one(seat: SeatAt) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.order("pos:accept,pos:delay=2.8")
    await ana.sees(TIMED_OUT)
    await ana.button(PENDING, enabled=False, colour="gray")
    await ben.sees("Order being processed by Ana")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
    await ana.sees("after all")


async def test_an_order_in_doubt_is_confirmed_while_the_next_round_is_in_the_cart(
    browser: Browser, tmp_path: Path
) -> None:
    with a_server(tmp_path, *SHORT_LOCK) as server:
        table = Table(server, "demo-1")
        ana, ben = await new_phone(browser), await new_phone(browser)
        await ana.sit_down(table.url, "Ana")
        await ben.sit_down(table.url, "Ben")
        await ana.add("Margherita")
        await ana.open_cart()
        await ana.order("pos:hang")
        await ana.sees(TIMED_OUT)
        await looks_right(ana, "timed-out")
        await ben.open_cart()
        await ben.sees(ASKED_AGAIN)
        await ben.sees(WITH_THE_STAFF)
        await looks_right(ben, "with-the-staff")
        doubtful = await order_id_on(ben)
        await ben.tap("button", "Close")
        await ben.sees("An order is with the staff")
        await ben.add("Lemonade")
        await ana.sees("Added by Ben")
        resolved = {"outcome": "confirmed", "pos_reference": "A-7", "reason": "it is served"}
        await table.staff("POST", f"/api/orders/{doubtful}/resolve", **resolved)
        for phone in (ana, ben):
            await phone.sees(f"The kitchen has confirmed {doubtful} after all.")
            await phone.tap("button", "Back to the menu")
            await phone.sees("View cart")
        await ben.open_cart()
        await ben.sees("Added by you")
        await ben.order("pos:accept")
        await ana.sees(CONFIRMED)
        await ana.tap("button", "My Orders")
        await ana.sees("Ordered so far")
        orders = [ORDER_ID.search(name) for name in await ana.names("article")]
        assert len([one for one in orders if one is not None]) == 2
        for phone in (ana, ben):
            await phone.check_quiet()
            await phone.tab.close()
