"""Section 9 of the specification on two phones: the button's four states, and how orders end."""

import re
import time

import trio

from .conftest import RESTAURANT, SeatAt, Table
from .phone import Phone
from .test_shared_cart import session_of

CONFIRMED = "Order placed successfully! 🎉"
PROCESSING = "Your order is being processed..."
PENDING = "Pending Confirmation..."
BY_ANA = "Order Being Processed by Ana"
FAILED = "Order failed: POS system unavailable. Tap to retry."
TIMED_OUT = "No answer from the kitchen yet."
WITH_THE_STAFF = "We do not know yet whether the kitchen has this order."
FINGER_OVER = "window.finger = document.querySelector('.cart-sheet .green'); finger.disabled"
TAP_TWICE = """(at) => new Promise((done) =>
  setTimeout(() => done(finger.click(), finger.click()), at - Date.now()))"""
"""Taps at this moment, in milliseconds of the clock that all phones here share."""

ORDER_ID = re.compile(r"ORD-7-\d+")


async def two_guests_with_a_margherita(seat: SeatAt) -> tuple[Phone, Phone]:
    """Ana and Ben, their carts open, one dish in it."""
    ana = await seat("Ana")
    ben = await seat("Ben")
    await ana.add("Margherita")
    await ana.open_cart()
    await ben.open_cart()
    await ben.button("Place Order", enabled=True, colour="green")
    return ana, ben


async def order_id_on(phone: Phone) -> str:
    found = ORDER_ID.search(await phone.text())
    assert found is not None
    return found.group()


async def all_edit_controls_are_disabled(phone: Phone) -> None:
    """In the cart and, behind it, in the menu."""
    await phone.until(
        "[...document.querySelectorAll('.cart-sheet .sheet-body :is(button, textarea, input), "
        "main button')].every((one) => one.disabled)",
        "every edit control disabled",
    )


async def test_an_order_is_confirmed_on_both_phones_with_the_servers_order_id(
    seat: SeatAt,
) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.shot("cart")
    await ana.order("pos:accept")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
    assert await order_id_on(ana) == await order_id_on(ben)
    await ana.shot("confirmed")
    order_id = await order_id_on(ana)
    await ana.tap("button", "Back to the menu")
    await ana.open_cart()
    await ana.sees("The cart is empty")
    await ana.shot("empty-cart")
    await ana.tap("button", "Close")
    await ana.add("Lemonade")  # open again
    await ben.tap("button", "My Orders")
    await ben.one("article", f"Order {order_id}")
    await ben.sees("Confirmed")
    await ben.shot("my-orders")


async def test_while_an_order_hangs_both_phones_are_locked_then_the_staff_know(
    seat: SeatAt, table: Table
) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.order("pos:hang")
    await ana.button(PENDING, enabled=False, colour="gray")
    await ben.button(BY_ANA, enabled=False, colour="gray")
    await ben.sees("Order being processed by Ana")
    for phone in (ana, ben):
        await all_edit_controls_are_disabled(phone)
    await ben.shot("locked-by-other")

    # The specification's timeout, and a refresh in the midst of it.
    await ana.sees(TIMED_OUT)
    await ana.button(PENDING, enabled=False, colour="gray")
    await ana.shot("timed-out")
    await ana.tap("button", "Ask the kitchen now")
    await ana.refresh()
    await ana.button(PENDING, enabled=False, colour="gray")
    await all_edit_controls_are_disabled(ana)

    # The lock limit: the cart opens, the order is the staff's.
    for phone in (ana, ben):
        await phone.sees(WITH_THE_STAFF)
        await phone.sees("The cart is empty")
    await ana.shot("with-the-staff")
    order_id = await order_id_on(ana)
    resolved = {"outcome": "confirmed", "pos_reference": "by hand", "reason": "it is served"}
    await table.staff("POST", f"/api/orders/{order_id}/resolve", **resolved)
    for phone in (ana, ben):
        await phone.sees(f"The kitchen has confirmed {order_id} after all.")
        await phone.sees(CONFIRMED)


async def test_a_failure_offers_the_retry_on_both_phones_and_a_tap_stops_the_countdown(
    seat: SeatAt,
) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.order("pos:reject")
    for phone in (ana, ben):
        await phone.sees(FAILED)
        await phone.button("Retry Order", enabled=True, colour="orange")
    await ana.sees("Trying again by itself in")
    await ana.shot("failed")
    await ana.tap("button", "Stop")
    await ana.sees_no("Trying again by itself in")
    await ana.button("Retry Order", enabled=True, colour="orange")
    await ana.fill("textbox", "Special instructions", "pos:accept")
    await ana.tap("button", "Retry Order")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)


async def test_whoever_retries_anothers_order_is_told_whose_it_was_and_sends_its_instructions(
    seat: SeatAt, table: Table
) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.order("pos:reject, all at once")
    await ben.sees(FAILED)
    await ben.sees("This was the order of Ana, whose phone may try again by itself.")
    await ben.sees("Ana's order had these. They go with yours if you retry it.")
    await ana.tap("button", "Stop")
    assert "This was the order of" not in await ana.text()
    await ben.shot("failed-of-other")
    await ben.tap("button", "Retry Order")
    await ana.sees("This was the order of Ben")
    orders = (await table.staff("GET", f"/api/restaurants/{RESTAURANT}/orders")).json()["orders"]
    ours = [one for one in orders if one["table"] == table.label]
    assert [(one["placed_by_name"], one["special_instructions"]) for one in ours[-2:]] == [
        ("Ben", "pos:reject, all at once"),
        ("Ana", "pos:reject, all at once"),
    ]


async def test_changing_the_instructions_ends_the_automatic_retry(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.order("pos:reject")
    await ana.sees("Trying again by itself in")
    await ana.fill("textbox", "Special instructions", "pos:accept")
    await ana.sees_no("Trying again by itself in")
    await ana.button("Retry Order", enabled=True, colour="orange")


async def test_when_the_table_is_closed_a_phone_still_shows_what_was_ordered(
    seat: SeatAt, table: Table
) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.order("pos:accept")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
        phone.excuse("401")
    order_id = await order_id_on(ana)
    await table.staff("POST", f"/api/sessions/{await session_of(ana)}/close")
    for phone in (ana, ben):
        await phone.sees("This table was closed")
        await phone.sees("What this table ordered, as far as this phone knows")
        await phone.one("article", f"Order {order_id}")
        await phone.sees("Ordered so far")


async def test_a_closed_table_is_said_at_the_top_of_the_page_and_to_screen_readers(
    seat: SeatAt, table: Table
) -> None:
    ana = await seat("Ana")
    ana.excuse("401")
    await ana.tab.run("scrollTo({top: 9999, behavior: 'instant'})")
    assert await ana.tab.run("scrollY > 0")
    await table.staff("POST", f"/api/sessions/{await session_of(ana)}/close")
    await ana.sees("This table was closed")
    assert await ana.tab.run("scrollY") == 0
    heard = "[...document.querySelectorAll('[role=status]')].map((one) => one.textContent).join()"
    assert "This table was closed" in await ana.tab.run(heard)


async def test_a_note_that_is_being_written_outlasts_the_order_of_another(seat: SeatAt) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ben.tap("button", "Add a note for Margherita")
    await ben.one("textbox", "Note for Margherita")
    await ben.write("no basil")
    await ana.order("pos:reject")
    await ben.one("textbox", "Note for Margherita", enabled=False)
    await ben.sees(FAILED)
    await ben.tap("button", "Save")
    await ana.sees("no basil")
    await ana.button("Place Order", enabled=True, colour="green")


async def test_a_failed_order_is_tried_again_by_itself(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.order("pos:reject,pos:delay=0.8")
    await ana.sees("Trying again by itself in")
    await ana.button(PENDING, enabled=False, colour="gray")
    await ana.sees(FAILED)
    # The first wait was of 4 s, this one is of 8.
    await ana.until("/Trying again by itself in [5-8] s/.test(document.body.innerText)", "8 s")


async def test_taps_of_both_at_the_same_moment_make_one_order(seat: SeatAt, table: Table) -> None:
    ana, ben = await two_guests_with_a_margherita(seat)
    await ana.fill("textbox", "Special instructions", "pos:accept")
    await ben.fill("textbox", "Special instructions", "pos:accept")
    for phone in (ana, ben):  # before either taps
        assert await phone.tab.run(FINGER_OVER) is False
    at = time.time() * 1000 + 1000
    async with trio.open_nursery() as nursery:
        for phone in (ana, ben):
            nursery.start_soon(phone.tab.run, f"({TAP_TWICE})({at})")
    for phone in (ana, ben):
        await phone.sees(CONFIRMED)
        await phone.tap("button", "My Orders")
        await phone.sees("Ordered so far")
        orders = await phone.names("article")
        assert len([name for name in orders if ORDER_ID.search(name)]) == 1
