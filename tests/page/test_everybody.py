"""Small screens, the keyboard alone, faint colours, slow phones: the page is for everybody."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .chromium import Browser
from .conftest import RESTAURANT, SeatAt, Table
from .phone import Phone, new_phone
from .test_connection import LOST
from .test_ordering import TIMED_OUT, WITH_THE_STAFF
from .test_shared_cart import session_of

MOST_BYTES = 60_000
"""Of the whole page with its menu and first cart, compressed as it comes over the network."""

SMALLEST_TOUCH = 44
NO_JUMP = 0.02
"""Cumulative layout shift; up to 0.1 counts as good."""

WATCH_JUMPS = """
window.jumps = [];
new PerformanceObserver((list) => jumps.push(...list.getEntries().map((one) => one.value)))
  .observe({type: "layout-shift", buffered: true});
"""

HERE = Path(__file__).parent
CONTRAST = (HERE / "contrast.js").read_text()
AXE = (HERE / "vendor" / "axe.min.js").read_text()
VIOLATIONS = """axe.run().then((found) => found.violations.map((one) =>
  `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160))}`))"""

OVERFLOWING = """
[...document.querySelectorAll("body *")].filter((one) =>
  one.checkVisibility({visibilityProperty: true}) && !one.closest(".sections ul, .unseen, .icon")
  && (one.getBoundingClientRect().right > innerWidth + 0.5 || one.getBoundingClientRect().left < -0.5)
).map((one) => one.outerHTML.slice(0, 120))
"""
TOO_SMALL = f"""
[...document.querySelectorAll("button, a, input, textarea")].filter((one) =>
  one.checkVisibility({{visibilityProperty: true}})
  && Math.min(one.getBoundingClientRect().height, one.getBoundingClientRect().width) < {SMALLEST_TOUCH}
).map((one) => one.outerHTML.slice(0, 120))
"""


async def looks_right(phone: Phone, shot: str) -> None:
    """Nothing beyond the edge, nothing too small for a thumb or too faint to read; axe finds nothing."""
    await phone.shot(shot)
    assert await phone.at_rest("document.documentElement.scrollWidth <= innerWidth")
    assert await phone.at_rest(OVERFLOWING) == []
    assert await phone.at_rest(TOO_SMALL) == []
    await phone.tab.run(f"{AXE};0")
    assert await phone.at_rest(VIOLATIONS) == []
    contrast = await phone.at_rest(CONTRAST)
    assert contrast["faint"] == []
    assert contrast["looked"] > 10


@pytest.mark.parametrize(("width", "dark"), [(320, False), (390, True), (1280, False)])
async def test_every_state_can_be_read_and_touched(
    seat: SeatAt, table: Table, browser: Browser, width: int, dark: bool
) -> None:
    size = f"{width}-{'dark' if dark else 'light'}"
    ana = await seat("Ana Maria Quintanilla de la Vega", width, dark)
    ben = await seat("Ben", width, dark)
    newcomer = await new_phone(browser, width, dark=dark)
    await newcomer.open(table.url)
    await newcomer.one("textbox", "Your name")
    await looks_right(newcomer, f"name-{size}")
    await newcomer.tab.close()

    await ana.add("Bruschetta al pomodoro")
    await ana.add("Margherita")
    await ben.add("Lemonade")
    await looks_right(ben, f"menu-{size}")
    await ana.open_cart()
    await ana.tap("button", "Add a note for Margherita")
    await ana.one("textbox", "Note for Margherita")
    await ana.write("Half of it without basil, the other half well done, please")
    await looks_right(ana, f"note-{size}")
    await ana.press("Enter")
    await ben.open_cart()
    await ben.sees("without basil")
    await looks_right(ben, f"cart-{size}")
    await ana.order("pos:reject")
    await ana.sees("Trying again by itself in")
    await looks_right(ana, f"failed-{size}")
    await ben.sees("whose phone may try again by itself.")
    await looks_right(ben, f"failed-of-other-{size}")
    await ana.tap("button", "Stop")
    await ana.fill("textbox", "Special instructions", "pos:accept")
    await ana.tap("button", "Retry Order")
    await ana.sees("Order placed successfully! 🎉")
    await looks_right(ana, f"confirmed-{size}")
    await ana.tap("button", "My Orders")
    await ana.sees("Ordered so far")
    await looks_right(ana, f"orders-{size}")
    await ana.tap("button", "Close")
    await ben.tap("button", "Back to the menu")
    await ben.add("Espresso")
    await ben.open_cart()
    await ana.open_cart()
    await ana.order("pos:hang")
    await ben.button(
        "Order Being Processed by Ana Maria Quintanilla de la Vega", enabled=False, colour="gray"
    )
    await looks_right(ben, f"locked-{size}")

    await ana.sees(TIMED_OUT)
    await looks_right(ana, f"timed-out-{size}")
    await ben.sees("is being asked again")
    await looks_right(ben, f"unknown-{size}")
    for phone in (ana, ben):
        await phone.sees(WITH_THE_STAFF)
        phone.excuse("401|WebSocket connection|ERR_INTERNET_DISCONNECTED")
    await ana.sees("The cart is empty")
    await looks_right(ana, f"with-the-staff-{size}")
    await ben.tap("button", "Close")
    await ben.sees("An order is with the staff")
    await looks_right(ben, f"menu-with-the-staff-{size}")
    await ben.cut_network(offline=True)
    await ben.sees(LOST)
    await looks_right(ben, f"lost-{size}")
    await ben.cut_network(offline=False)
    await ben.sees_no(LOST)
    await table.staff("POST", f"/api/sessions/{await session_of(ana)}/close")
    for phone in (ana, ben):
        await phone.sees("This table was closed")
    await looks_right(ben, f"closed-{size}")


async def test_an_order_can_be_placed_with_the_keyboard_alone(
    browser: Browser, table: Table
) -> None:
    ana = await new_phone(browser)
    await ana.open(table.url)
    await ana.one("textbox", "Your name")
    await ana.until("document.activeElement.name === 'name'", "the name field has the focus")
    await ana.write("Ana")
    await ana.press("Enter")
    await ana.one("button", "Add Bruschetta al pomodoro")
    await tab_to(ana, "Add Bruschetta al pomodoro")
    await ana.press("Enter")
    await ana.one("button", "Remove Bruschetta al pomodoro")
    assert await ana.focused() == "One more Bruschetta al pomodoro"
    await ana.press(" ")
    await ana.one("button", "One Bruschetta al pomodoro less")
    await tab_to(ana, "View cart")
    await ana.press("Enter")
    await ana.until("document.activeElement.innerText === 'Shared cart'", "the cart has the focus")
    await ana.press("Escape")
    await ana.until("document.activeElement.closest('.bar') !== null", "the bar has it back")
    await ana.press("Enter")
    await ana.one("dialog", "Shared cart")
    await tab_to(ana, "TEXTAREA")
    await ana.write("pos:accept")
    await tab_to(ana, "Place Order")
    assert await ana.tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await ana.press(" ")
    await ana.sees("Order placed successfully! 🎉")
    await tab_to(ana, "Back to the menu")
    await ana.press("Enter")
    await ana.gone("dialog", "Your order")
    await ana.until("document.activeElement.closest('.bar') !== null", "the bar has it back")
    await ana.check_quiet()


async def test_escape_closes_the_cart_although_the_button_under_the_focus_was_disabled(
    seat: SeatAt,
) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.fill("textbox", "Special instructions", "pos:accept,pos:delay=6")
    await tab_to(ana, "Place Order")
    await ana.press("Enter")
    await ana.button("Pending Confirmation...", enabled=False, colour="gray")
    await ana.press("Escape")
    await ana.gone("dialog", "Shared cart")


async def test_the_phones_back_button_closes_the_cart_and_not_the_page(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.open_cart()
    await ana.tab.run("history.back()")
    await ana.gone("dialog", "Shared cart")
    await ana.open_cart()
    await ana.tap("button", "Close")
    await ana.gone("dialog", "Shared cart")
    await ana.tap("button", "My Orders")
    await ana.sees("Nothing ordered yet")
    await ana.tab.run("history.back()")
    await ana.gone("dialog", "My Orders")
    await ana.sees("Ana (you)")


async def test_nothing_slides_for_whoever_wants_no_motion(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.tab.do(ana.tab.page.emulate_media(reduced_motion="reduce"))
    durations = "getComputedStyle(document.querySelector('.cart-sheet')).transitionDuration"
    seconds = [float(one.strip(" s")) for one in (await ana.tab.run(durations)).split(",")]
    assert max(seconds) < 0.001


async def tab_to(phone: Phone, name: str) -> None:
    """Tab until this stands in the name of what has the focus; a page has no more than 80 stops."""
    for _ in range(80):
        if name in await phone.focused():
            return
        await phone.press("Tab")
    raise AssertionError(f"the Tab key does not lead to {name!r}, but to {await phone.focused()!r}")


async def test_screen_readers_hear_what_becomes_of_the_order(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.tab.run("""
    window.spoken = [];
    for (const region of document.querySelectorAll("[role=status], [role=alert]"))
      new MutationObserver(() => spoken.push(region.innerText)).observe(
        region, {childList: true, characterData: true, subtree: true});
    0
    """)
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.order("pos:reject")
    await ana.sees("Order failed")
    spoken = "\n".join(await ana.tab.run("spoken"))
    assert "Your order is being processed..." in spoken
    assert "Order failed: POS system unavailable. Tap to retry." in spoken


async def test_the_page_is_light_and_does_not_jump_while_it_is_loaded(
    browser: Browser, table: Table
) -> None:
    ana = await new_phone(browser)
    await ana.tab.do(ana.tab.page.add_init_script(WATCH_JUMPS))
    await ana.sit_down(table.url, "Ana")
    bytes_by_url = await ana.tab.bytes_by_url()
    assert any(url.endswith("page/index.js") for url in bytes_by_url), bytes_by_url
    assert 0 < bytes_by_url.total() < MOST_BYTES, bytes_by_url
    hosts = {url.split("/")[2] for url in bytes_by_url if url.startswith("http")}
    assert hosts == {table.server.url.split("/")[2]}
    assert sum(await ana.tab.run("jumps")) < NO_JUMP, await ana.tab.run("jumps")
    await ana.check_quiet()


async def test_a_first_visit_asks_for_few_things_and_for_the_cart_as_soon_as_somebody_sits(
    browser: Browser, table: Table
) -> None:
    ana = await new_phone(browser)
    await ana.sit_down(table.url, "Ana")
    asked = [urlsplit(url).path for url in await ana.tab.bytes_by_url()]
    asked = [path for path in asked if not path.endswith("icon.svg")]
    page, style, script, *calls = asked
    assert page == f"/t/{table.code}"
    assert {style.rpartition("/")[2], script.rpartition("/")[2]} == {"index.css", "index.js"}
    # One after the other; the cart waits for no websocket.
    assert calls[:4] == [
        f"/api/tables/{table.code}",
        f"/api/restaurants/{RESTAURANT}/menu",
        f"/api/tables/{table.code}/join",
        f"/api/sessions/{await session_of(ana)}/cart",
    ]
    await ana.check_quiet()
