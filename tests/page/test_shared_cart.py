"""Two phones at one table: what one does the other sees."""

import json

from .conftest import SeatAt, Table
from .phone import Phone

MARGHERITA, TIRAMISU = 456, 301
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"

ASK_FOR_ANOTHER_DISH = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {
  return send.call(this, text.replace(/"menu_item_id":403/, '"menu_item_id":999999'));
};
"";
"""


async def test_what_one_adds_the_other_sees_with_who_added_it(seat: SeatAt) -> None:
    ana = await seat("Ana")
    ben = await seat("Ben")
    await ana.sees("Ben")
    await ben.open_cart()
    await ben.sees("The cart is empty")
    await ana.add("Margherita")
    await ben.sees("Ana added 1 × Margherita")
    await ben.sees("Ana, just now")
    await ben.shot("other-just-added")
    await ben.sees("Added by Ana")
    await ana.open_cart()
    await ana.sees("Added by you")
    await ben.tap("button", "One more Margherita")
    await ana.sees("Ben changed it to 2 × Margherita")
    await ana.sees("1,250.00")
    await ben.tap("button", "One Margherita less")
    await ben.tap("button", "Remove Margherita")
    await ana.sees("The cart is empty")


async def test_a_note_and_a_name_with_a_script_in_it_are_shown_as_text(seat: SeatAt) -> None:
    name = "<script>alert(1)</script>"
    ana = await seat(name)
    ben = await seat("Ben")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.tap("button", "Add a note for Margherita")
    await ana.one("textbox", "Note for Margherita")
    await ana.write(SCRIPT)
    await ana.press("Enter")
    await ben.sees(f"{name} changed the note on Margherita")
    await ben.open_cart()
    for phone in (ana, ben):
        await phone.sees(SCRIPT)
        assert await phone.tab.run("document.querySelectorAll('main img, .sheet img').length") == 0
        assert await phone.tab.run("document.querySelectorAll('body script').length") == 0
    await ben.sees(f"Added by {name}")


async def test_escape_leaves_a_note_as_it_was_and_the_cart_open(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.tap("button", "Add a note for Margherita")
    await ana.one("textbox", "Note for Margherita")
    await ana.write("no basil")
    await ana.press("Escape")
    await ana.gone("textbox", "Note for Margherita")
    await ana.sees_no("no basil")
    await ana.one("dialog", "Shared cart")


async def test_a_sold_out_dish_is_marked_at_once_in_the_menu_and_in_the_cart(
    seat: SeatAt, table: Table
) -> None:
    ana = await seat("Ana")
    await ana.add("Tiramisù")
    await table.set_available(TIRAMISU, False)
    try:
        await ana.sees("Tiramisù is sold out")
        await ana.sees("Sold out")
        await ana.one("button", "One more Tiramisù", enabled=False)
        await ana.open_cart()
        await ana.sees("Sold out. Remove it to order.")
        await ana.button("Place Order", enabled=False, colour="gray")
        await ana.shot("sold-out")
    finally:
        await table.set_available(TIRAMISU, True)
    await ana.sees_no("Sold out. Remove it to order.")
    await ana.button("Place Order", enabled=True, colour="green")


async def test_an_edit_that_the_server_refuses_is_taken_back_with_a_message(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.tab.run(ASK_FOR_ANOTHER_DISH)
    await ana.tap("button", "Add Lemonade")
    await ana.until("document.querySelector('[role=alert]').innerText", "a refusal")
    await ana.one("button", "Add Lemonade")
    await ana.open_cart()
    await ana.sees("The cart is empty")


async def test_names_are_asked_for_once_and_remembered(seat: SeatAt, table: Table) -> None:
    ana = await seat("Ana")
    await ana.refresh()
    await ana.sees("Ana (you)")
    await table.staff("POST", f"/api/sessions/{await session_of(ana)}/close")
    await ana.sees("This table was closed")
    await ana.shot("closed")
    ana.excuse("401")
    await ana.tap("button", "Join again")
    await ana.sees("Ana (you)")


async def test_a_code_of_no_table_says_so(seat: SeatAt, table: Table) -> None:
    ana = await seat("Ana")
    ana.excuse("404")
    await ana.open(f"{table.server.url}/t/nobody-sits-here")
    await ana.sees("There is no such table")
    await ana.shot("no-table")


async def session_of(phone: Phone) -> str:
    """The pid of the table's session, from the seat that the phone keeps."""
    seats = await phone.tab.run("JSON.stringify(Object.values(localStorage))")
    return next(
        str(json.loads(one)["session_pid"]) for one in json.loads(seats) if "session_pid" in one
    )
