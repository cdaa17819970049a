"""The staff's page in a browser, beside guests' phones: tables, orders, the menu, the QR codes."""

import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
import trio

from comanda.client import CartStore, open_table
from tests.cli.helpers import STAFF_TOKEN, TWO_HOUSES, Server, a_server
from tests.http.server import MARGHERITA, serving
from tests.signing import SECRET, signed

from .chromium import Browser
from .phone import Phone, new_phone
from .test_everybody import AXE, CONTRAST, OVERFLOWING, TOO_SMALL, VIOLATIONS

SOON = ["--order-timeout", "1", "--pos-timeout", "1", "--lock-limit", "1.5", "--pos-delay", "0.2"]
"""An order that hangs is the staff's after a second and a half."""

TABLES = 8
"""More than fit on one sheet of paper."""

PAGE = 50
"""Orders that are shown at once."""

ORDERS_A_TABLE = 8
"""Times the tables but one: more than a page has."""

OPEN_PAGE = "/staff"
ORDER_ID = re.compile(r"ORD-7-\d+")

FOCUSED = "document.activeElement.ariaLabel"

LISTEN = """
window.spoken = [];
((region) => new MutationObserver(() => spoken.push(region.innerText))
  .observe(region, {childList: true, characterData: true, subtree: true}))
(document.querySelector(".staff > [role=alert]"))
"""
"""Keeps what a screen reader says of orders that have come to wait."""

Sit = Callable[[int, str], Awaitable[Phone]]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Server]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    with a_server(tmp_path, *SOON, "--pos-secret-file", str(secret), tables=TABLES) as running:
        yield running


@pytest.fixture
async def tablet(browser: Browser, house: Server) -> AsyncIterator[Phone]:
    """The staff's tablet, signed in. In the end its console must be quiet."""
    tablet = await new_phone(browser)
    await tablet.resize(820, 1100)
    await sign_in(tablet, house)
    yield tablet
    await tablet.check_quiet()
    await tablet.tab.close()


@pytest.fixture
async def sit(browser: Browser, house: Server) -> AsyncIterator[Sit]:
    phones = []

    async def sit_down(table: int, name: str) -> Phone:
        phone = await new_phone(browser)
        phones.append(phone)
        await phone.sit_down(f"{house.url}/t/demo-{table}", name)
        return phone

    yield sit_down
    for phone in phones:
        await phone.check_quiet()
        await phone.tab.close()


async def sign_in(tablet: Phone, house: Server, token: str = STAFF_TOKEN) -> None:
    await tablet.open(f"{house.url}{OPEN_PAGE}")
    await tablet.one("textbox", "Staff token")
    await tablet.fill("textbox", "Staff token", token)
    await tablet.tap("button", "Sign in")
    await tablet.one("button", "Sign out")


async def order(guest: Phone, wishes: str) -> None:
    await guest.add("Margherita")
    await guest.open_cart()
    await guest.order(wishes)


async def order_that_needs_staff(guest: Phone, tablet: Phone) -> str:
    """Its id, once the staff's page shows it."""
    await order(guest, "pos:hang")
    await tablet.sees("1 order needs you")
    await tablet.tap("link", "Orders 1")
    await tablet.sees("These need you")
    found = ORDER_ID.search(await tablet.text())
    assert found is not None
    return found.group()


async def settle(tablet: Phone, first: str, reason: str, second: str) -> None:
    await tablet.tap("button", first)
    await tablet.fill("textbox", "Why? This is kept on record.", reason)
    await tablet.tap("button", second)
    await tablet.gone("button", second)


async def is_for_everybody(tablet: Phone, shot: str) -> None:
    """Nothing beyond the edge, nothing too small for a thumb or too faint to read; axe finds nothing."""
    await tablet.shot(shot)
    assert await tablet.tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert await tablet.tab.run(OVERFLOWING) == []
    assert await tablet.tab.run(TOO_SMALL) == []
    await tablet.tab.run(f"{AXE};0")
    assert await tablet.tab.run(VIOLATIONS) == []
    contrast = await tablet.tab.run(CONTRAST)
    assert contrast["faint"] == []
    assert contrast["looked"] > 3


# --- The door -------------------------------------------------------------------------------------


async def test_a_wrong_token_is_said_to_be_wrong_and_the_right_one_is_not_asked_for_twice(
    browser: Browser, house: Server
) -> None:
    tablet = await new_phone(browser)
    tablet.excuse("401")
    await tablet.open(f"{house.url}{OPEN_PAGE}")
    await tablet.fill("textbox", "Staff token", "guessed")
    await tablet.tap("button", "Sign in")
    await tablet.sees("This token is not valid. Please check it.")
    await is_for_everybody(tablet, "staff-wrong-token")
    await tablet.until("document.activeElement.name === 'token'", "the field has the focus")
    await tablet.write(STAFF_TOKEN)  # in the place of the wrong one
    await tablet.tap("button", "Sign in")
    await tablet.sees("No table is open")
    await tablet.refresh()
    await tablet.sees("No table is open")
    assert await tablet.tab.run("JSON.stringify(localStorage)") == "{}"
    await tablet.tap("button", "Sign out")
    await tablet.one("textbox", "Staff token")
    assert STAFF_TOKEN not in await tablet.tab.run("JSON.stringify(sessionStorage)")
    await tablet.refresh()
    await tablet.one("textbox", "Staff token")
    await tablet.check_quiet()
    await tablet.tab.close()


async def test_the_houses_staff_choose_among_its_restaurants(
    browser: Browser, tmp_path: Path
) -> None:
    menu = tmp_path / "menu.toml"
    menu.write_text(TWO_HOUSES)
    # A menu file's tables are not announced, and the last option of a name counts.
    options = ("--menu", str(menu), "--demo-tables", "1")
    with a_server(tmp_path, *options, tables=0) as house:
        tablet = await new_phone(browser)
        await sign_in(tablet, house)
        await tablet.sees("A1")
        await tablet.tap("link", "Menu")
        await tablet.sees("€4.50")
        await tablet.tab.run(
            "(one => { one.value = '2'; one.dispatchEvent(new Event('change', {bubbles: true})); })"
            "(document.querySelector('select'))"
        )
        await tablet.sees("¥900")
        await tablet.refresh()
        await tablet.sees("¥900")
        await tablet.shot("staff-two-restaurants")
        await tablet.check_quiet()
        await tablet.tab.close()


# --- Tables ---------------------------------------------------------------------------------------


async def test_open_tables_show_by_themselves_and_closing_one_asks_first(
    browser: Browser, house: Server, tablet: Phone, sit: Sit
) -> None:
    await tablet.sees("No table is open")
    ana = await sit(3, "Ana")
    ben = await new_phone(browser)
    await ben.sit_down(f"{house.url}/t/demo-3", "Ben")
    await tablet.sees("1 table open")
    await ben.add("Lemonade")
    await tablet.one("article", "Table T3")
    await tablet.sees("₹180.00")
    for name in ("Ana", "Ben"):
        await tablet.sees(name)
    await ben.tab.close()
    await tablet.sees("Ben (away)")
    await tablet.tap("button", "Close table T3")
    await tablet.sees("Close T3? Its 2 guests are signed out and the cart is gone.")
    await tablet.shot("staff-close-asks")
    await tablet.tap("button", "Keep it open")
    await tablet.until(f"{FOCUSED} === 'Close table T3'", "the button has the focus again")
    await tablet.tap("button", "Close table T3")
    await tablet.tap("button", "Yes, close T3")
    await tablet.sees("No table is open")
    await ana.sees("This table was closed")


# --- Orders ---------------------------------------------------------------------------------------


async def test_an_order_is_seen_on_its_way_and_when_it_has_arrived(
    browser: Browser, tmp_path: Path
) -> None:
    with a_server(tmp_path, tables=1) as house:  # which waits long enough for a slow kitchen
        tablet, ana = await new_phone(browser), await new_phone(browser)
        await sign_in(tablet, house)
        await tablet.tap("link", "Orders")
        await tablet.sees("Nothing is ordered yet")
        await ana.sit_down(f"{house.url}/t/demo-1", "Ana")
        await order(ana, "pos:accept,pos:delay=7")
        await tablet.sees("On their way")
        await tablet.sees("Settled")
        await tablet.sees_no("On their way")
        assert await tablet.names("article") == ["Order ORD-7-1"]
        assert "Margherita" in await tablet.text()
        for phone in (tablet, ana):
            await phone.check_quiet()
            await phone.tab.close()


async def test_what_needs_the_staff_is_loud_and_their_word_reaches_the_guests(
    tablet: Phone, sit: Sit
) -> None:
    await tablet.tab.run(LISTEN)
    ana = await sit(1, "Ana")
    order_id = await order_that_needs_staff(ana, tablet)
    await ana.sees("We do not know yet whether the kitchen has this order.")
    assert (await tablet.tab.run("document.title")).startswith("(1) ")
    assert f"Table T1: {order_id} needs you." in await tablet.tab.run("spoken")
    await tablet.shot("staff-needs-staff")

    await tablet.tap("button", "Kitchen has it")
    await tablet.tap("button", "Yes, it is confirmed")
    await tablet.sees("Say why, in a few words.")
    assert "Needs you" in await tablet.text()
    await tablet.shot("staff-reason-needed")
    await tablet.press("Escape")
    await settle(tablet, "Kitchen has it", "It is on the pass", "Yes, it is confirmed")
    await tablet.sees("Settled by the house's staff: It is on the pass")
    await tablet.until("document.title.startsWith('Staff')", "nothing waits in the title")
    await ana.sees(f"The kitchen has confirmed {order_id} after all.")


async def test_an_incident_stands_until_it_is_closed(
    tablet: Phone, house: Server, sit: Sit
) -> None:
    ana = await sit(2, "Ana")
    order_id = await order_that_needs_staff(ana, tablet)
    await settle(tablet, "Kitchen does not have it", "Nobody has it", "Yes, it is rejected")
    await tablet.sees_no("These need you")
    await ana.sees("was not taken")

    said = {"event_id": "evt-1", "order_id": order_id, "status": "accepted"}
    body = json.dumps({**said, "pos_reference": "A-1"}).encode()
    async with httpx.AsyncClient(base_url=house.url) as pos:
        heard = await pos.post("/api/pos/callbacks", content=body, headers=signed(body))
    assert heard.status_code == 204
    await tablet.sees("The POS has accepted an order that the table was told has failed")
    await tablet.shot("staff-incident")
    await settle(tablet, "It was not made", "Taken off the pass", "Yes, close this")
    await tablet.sees_no("The POS has accepted an order")
    await tablet.sees("Rejected")


async def test_while_the_server_is_away_the_page_says_how_old_it_is(
    tablet: Phone, sit: Sit
) -> None:
    await sit(1, "Ana")
    await tablet.sees("1 table open")
    tablet.excuse("ERR_INTERNET_DISCONNECTED")
    await tablet.cut_network(offline=True)
    await tablet.sees("No connection. This is how it was at")
    await tablet.sees("1 table open")
    await tablet.cut_network(offline=False)
    await tablet.sees_no("No connection.")


async def test_older_orders_are_a_page_away_and_what_waits_stays_in_sight(
    tablet: Phone, house: Server, sit: Sit
) -> None:
    ana = await sit(TABLES, "Ana")
    waiting = await order_that_needs_staff(ana, tablet)
    placed: list[str] = []

    async def orders_at(table: str) -> None:
        async with open_table(house.url, table, "Ben") as guest:
            for _ in range(ORDERS_A_TABLE):
                await guest.add_to_cart(MARGHERITA)
                order_id = await guest.place_order("pos:accept,pos:delay=0")
                await guest.wait_for(partial(is_over, order_id), 20)
                placed.append(order_id)

    def is_over(order_id: str, store: CartStore) -> bool:
        return store.last_order is not None and store.last_order.order_id == order_id

    async def shows(orders: list[str], what: str) -> None:
        names = "[...document.querySelectorAll('article')].map((one) => one.ariaLabel).sort()"
        wanted = json.dumps(sorted(f"Order {one}" for one in orders), separators=(",", ":"))
        await tablet.until(f"JSON.stringify({names}) === '{wanted}'", what)

    async with trio.open_nursery() as nursery:
        for number in range(1, TABLES):
            nursery.start_soon(orders_at, f"demo-{number}")
    placed.sort(key=lambda order_id: int(order_id.rpartition("-")[2]), reverse=True)
    newest, older = placed[:PAGE], placed[PAGE:]
    assert older
    await shows([*newest, waiting], "the newest page, and what waits")
    await tablet.tap("button", "Older orders")
    await shows([*older, waiting], "the page before, and what waits")
    await tablet.until("document.activeElement.tagName === 'MAIN'", "the page has the focus")
    await tablet.gone("button", "Older orders")
    await tablet.shot("staff-older-orders")
    await tablet.tap("button", "Back to the newest")
    await shows([*newest, waiting], "the newest page again")


# --- The menu -------------------------------------------------------------------------------------


async def test_one_tap_sells_an_item_out_on_every_phone_and_one_brings_it_back(
    tablet: Phone, sit: Sit
) -> None:
    ana = await sit(1, "Ana")
    await tablet.tap("link", "Menu")
    await tablet.tap("button", "Mark sold out: Lemonade")
    await tablet.one("button", "Put back on: Lemonade")
    await ana.one("button", "Add Lemonade", enabled=False)
    await tablet.tap("button", "Put back on: Lemonade")
    await ana.one("button", "Add Lemonade", enabled=True)


async def test_a_changed_price_is_shown_in_the_currency_and_reaches_the_guests(
    tablet: Phone, sit: Sit
) -> None:
    ana = await sit(1, "Ana")
    await tablet.tap("link", "Menu")
    await tablet.tap("button", "Change the price of Margherita")
    await tablet.until("document.activeElement.name === 'price'", "the field has the focus")
    await tablet.write("6x")
    await tablet.sees("A number, with up to 2 decimals")
    await tablet.one("button", "Save", enabled=False)
    await tablet.tab.run("document.querySelector('input').select()")
    await tablet.write("640,5")
    await tablet.sees("₹640.50")
    await tablet.shot("staff-price")
    await tablet.press("Enter")
    await tablet.gone("button", "Save")
    back = f"{FOCUSED} === 'Change the price of Margherita'"
    await tablet.until(back, "the button has the focus again")
    await ana.sees("₹640.50")


# --- QR codes -------------------------------------------------------------------------------------


async def test_the_sheet_has_a_code_for_every_table_and_six_fit_on_a_page(
    tablet: Phone, house: Server
) -> None:
    await tablet.tap("link", "QR codes")
    await tablet.sees("No phone can follow these codes")  # this server listens on loopback alone
    await tablet.one("image", f"QR code of table T{TABLES}")
    pictures = await tablet.tab.run("[...document.images].map(one => one.src)")
    assert len(pictures) == TABLES
    assert all(unquote(one).startswith("data:image/svg+xml,<svg ") for one in pictures)
    await tablet.until(
        "[...document.images].every(one => one.complete && one.naturalWidth > 0)", "drawn"
    )
    seen = await tablet.text()
    for number in range(1, TABLES + 1):
        assert f"{house.url}/t/demo-{number}\n" in f"{seen}\n"
    await tablet.shot("staff-codes")
    printed = await tablet.tab.call(
        "Page.printToPDF", preferCSSPageSize=True, printBackground=False
    )
    pages = re.findall(rb"/Type /Page\b", base64.b64decode(printed["data"]))
    assert len(pages) == 2
    await tablet.resize(718, 1047)  # what an A4 page has between its margins
    await tablet.tab.call("Emulation.setEmulatedMedia", media="print")
    await tablet.shot("staff-printed")
    assert (await tablet.text()).startswith("Trattoria Comanda\n\nTable T1\n")


CHOOSE = """(address) => {
  const chooser = document.querySelector("select");
  chooser.value = address;
  chooser.dispatchEvent(new Event("change", {bubbles: true}));
}"""


async def test_a_server_that_listens_everywhere_offers_its_addresses_and_the_codes_follow_the_choice(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = ("192.0.2.7", "198.51.100.7", "fd00::7")
    monkeypatch.setattr("comanda.http.call.local_addresses", lambda: networks)
    token = "a-token-that-is-long-enough"
    async with serving(tmp_path, host="0.0.0.0", staff_token=token) as here:
        house = f"http://127.0.0.1:{here.port}"
        tablet = await new_phone(browser)
        await tablet.open(f"{house}{OPEN_PAGE}")
        await tablet.fill("textbox", "Staff token", token)
        await tablet.tap("button", "Sign in")
        await tablet.tap("link", "QR codes")
        await tablet.sees(f"http://192.0.2.7:{here.port}/t/demo-1")
        await tablet.sees_no("No phone can follow these codes")
        await tablet.shot("staff-addresses")
        offered = await tablet.tab.run(
            "[...document.querySelectorAll('option')].map(one => one.value)"
        )
        # Bound to IPv4 alone, it cannot be reached under the address of IPv6.
        assert offered == [f"http://{one}:{here.port}" for one in networks[:2]]
        before = await tablet.tab.run("document.images[0].src")
        await tablet.tab.run(f"({CHOOSE})({json.dumps(offered[1])})")
        await tablet.sees(f"http://198.51.100.7:{here.port}/t/demo-1")
        await tablet.sees_no(f"http://192.0.2.7:{here.port}/t/")
        assert await tablet.tab.run("document.images[0].src") != before
        await tablet.check_quiet()
        await tablet.tab.close()


# --- Everybody ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "dark"), [(320, False), (320, True), (1280, False), (820, True)])
async def test_every_section_can_be_read_and_touched(
    browser: Browser, house: Server, sit: Sit, width: int, dark: bool
) -> None:
    size = f"{width}-{'dark' if dark else 'light'}"
    tablet = await new_phone(browser)
    await tablet.resize(width, 900, dark=dark)
    await tablet.open(f"{house.url}{OPEN_PAGE}")
    await tablet.one("textbox", "Staff token")
    await is_for_everybody(tablet, f"staff-door-{size}")
    await sign_in(tablet, house)
    ana = await sit(1, "Ana Maria Quintanilla de la Vega")
    await sit(1, "Ben")
    cleo = await sit(4, "Cleo")
    await order(cleo, "pos:accept")
    await cleo.sees("Order placed successfully! 🎉")
    await order(ana, "pos:hang")
    await tablet.sees("1 order needs you")
    await is_for_everybody(tablet, f"staff-tables-{size}")
    await tablet.tap("button", "Close table T4")
    await is_for_everybody(tablet, f"staff-closing-{size}")
    await tablet.tap("link", "Orders 1")
    await tablet.tap("button", "Kitchen has it")
    await is_for_everybody(tablet, f"staff-orders-{size}")
    await tablet.tap("link", "Menu")
    await tablet.tap("button", "Mark sold out: Diavola")
    await tablet.one("button", "Put back on: Diavola")
    await tablet.tap("button", "Change the price of Margherita")
    await is_for_everybody(tablet, f"staff-menu-{size}")
    await tablet.tap("link", "QR codes")
    await tablet.one("image", "QR code of table T1")
    await is_for_everybody(tablet, f"staff-codes-{size}")
    await tablet.check_quiet()
    await tablet.tab.close()
