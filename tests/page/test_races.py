"""Taps at the same moment, a cart that is not what was seen, and retries: the kitchen has each order once."""

from pathlib import Path

import trio

from tests.cli.helpers import a_server

from .chromium import Browser
from .conftest import QUICK, RESTAURANT, SeatAt, Table
from .kitchen import a_kitchen
from .phone import new_phone
from .test_everybody import looks_right
from .test_ordering import BY_ANA, CONFIRMED, PENDING

TWICE = "(one => { one.click(); one.click(); return true; })(document.querySelector('.cart-sheet .green'))"

SAYS_ANOTHER_TOTAL = """
((send) => {
  WebSocket.prototype.send = function (text) {
    WebSocket.prototype.send = send;
    return send.call(this, text.replace('"total":625', '"total":626'));
  };
  return true;
})(WebSocket.prototype.send)
"""

COUNT_NEWS = """
(new MutationObserver(() => {
  const now = document.querySelectorAll(".news .notice").length;
  window.most = Math.max(window.most ?? 0, now);
}).observe(document.body, {childList: true, subtree: true}), true)
"""

SECONDS_LEFT = """
Number(document.body.innerText.match(/Trying again by itself in (\\d+) s/)?.[1] ?? 0)
"""


async def test_double_taps_on_two_phones_at_the_same_moment_are_cooked_once(
    browser: Browser, tmp_path: Path
) -> None:
    async with a_kitchen(tmp_path, seconds=0.5) as kitchen:
        with a_server(tmp_path, *QUICK, "--pos", kitchen.url) as server:
            table = Table(server, "demo-1")
            ana, ben = await new_phone(browser), await new_phone(browser)
            await ana.sit_down(table.url, "Ana")
            await ben.sit_down(table.url, "Ben")
            await ana.add("Margherita")
            for phone in (ana, ben):
                await phone.open_cart()
                await phone.button("Place Order", enabled=True, colour="green")
            async with trio.open_nursery() as nursery:
                for phone in (ana, ben):
                    nursery.start_soon(phone.until, TWICE)
            for phone in (ana, ben):
                await phone.sees(CONFIRMED)
            answer = await table.staff("GET", f"/api/restaurants/{RESTAURANT}/orders")
            assert [order["state"] for order in answer.json()["orders"]] == ["confirmed"]
            assert kitchen.cooked() == 1

            # The kitchen goes away and comes back: the phone of whoever ordered tries again.
            for phone in (ana, ben):
                await phone.tap("button", "Back to the menu")
            await kitchen.switch_off()
            await ana.add("Lemonade")
            await ana.open_cart()
            await ana.tap("button", "Place Order")
            first = await ana.until(SECONDS_LEFT, "a countdown")
            await ana.until(
                f"((now) => 0 < now && now < {first})({SECONDS_LEFT})", "it counts down"
            )
            await ben.sees("Order failed")
            await kitchen.switch_on()
            for phone in (ana, ben):
                await phone.sees(CONFIRMED)
            assert kitchen.cooked() == 2
            for phone in (ana, ben):
                await phone.check_quiet()
                await phone.tab.close()


async def test_an_order_for_another_total_is_refused_and_the_cart_can_be_ordered_again(
    seat: SeatAt,
) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.fill("textbox", "Special instructions", "pos:accept")
    await ana.until(SAYS_ANOTHER_TOTAL)
    await ana.tap("button", "Place Order")
    await ana.until("document.querySelector('[role=alert]').innerText", "a refusal")
    await looks_right(ana, "refused")
    await ana.button("Place Order", enabled=True, colour="green")
    await ana.tap("button", "Place Order")
    await ana.sees(CONFIRMED)


async def test_everybody_at_the_table_sees_whose_order_it_is(seat: SeatAt) -> None:
    ana, ben, cleo = await seat("Ana"), await seat("Ben"), await seat("Cleo")
    await ana.add("Margherita")
    for phone in (ana, ben, cleo):
        await phone.open_cart()
    await ana.order("pos:accept,pos:delay=6")
    await ana.button(PENDING, enabled=False, colour="gray")
    await looks_right(ana, "pending")
    for phone in (ben, cleo):
        await phone.button(BY_ANA, enabled=False, colour="gray")
    await cleo.refresh()
    await cleo.button(BY_ANA, enabled=False, colour="gray")
    for phone in (ana, ben, cleo):
        await phone.sees(CONFIRMED)


async def test_what_three_others_do_at_once_does_not_pile_up(seat: SeatAt) -> None:
    ana, ben, cleo, dan = (
        await seat("Ana"),
        await seat("Ben"),
        await seat("Cleo"),
        await seat("Dan"),
    )
    await ana.until(COUNT_NEWS)
    async with trio.open_nursery() as nursery:
        for phone, dish in ((ben, "Burrata"), (cleo, "Arancini"), (dan, "Minestrone")):
            nursery.start_soon(phone.add, dish)
    await ana.open_cart()
    for name in ("Ben", "Cleo", "Dan"):
        await ana.until(f"/(Added by {name}|{name}, just now)/.test(document.body.innerText)", name)
    assert await ana.until("window.most") == 1
