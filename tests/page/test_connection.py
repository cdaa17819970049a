"""Refresh, tunnel, and a server that is killed: the page comes back to what is true."""

import signal
from pathlib import Path

import trio

from tests.cli.helpers import a_server

from .chromium import Browser
from .conftest import QUICK, SeatAt
from .phone import new_phone

LOST = "Connection lost. Reconnecting..."


async def test_a_refresh_brings_the_cart_and_the_open_drawer_back(seat: SeatAt) -> None:
    ana = await seat("Ana")
    await ana.add("Margherita")
    await ana.open_cart()
    await ana.fill("textbox", "Special instructions", "by the window")
    await ana.refresh()
    await ana.one("dialog", "Shared cart")
    await ana.button("Place Order", enabled=True, colour="green")
    await ana.sees("Added by you")
    await ana.until("document.querySelector('.cart-sheet textarea').value === 'by the window'")


async def test_an_edit_made_offline_is_refused_visibly_and_the_page_comes_back(
    seat: SeatAt,
) -> None:
    ana = await seat("Ana")
    ben = await seat("Ben")
    ana.excuse("WebSocket connection|ERR_INTERNET_DISCONNECTED")
    await ana.cut_network(offline=True)
    await ana.sees(LOST)
    await ana.shot("offline")
    await ana.tap("button", "Add Margherita")
    await ana.sees("You are offline.")
    await ana.shot("offline-edit-refused")
    await ana.one("button", "Add Margherita")
    await ben.add("Lemonade")
    await ana.cut_network(offline=False)
    await ana.sees_no(LOST)
    await ana.sees("180.00")
    await ana.add("Margherita")


async def test_a_server_that_is_killed_and_started_again_loses_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    phones = [await new_phone(browser) for _ in range(2)]
    ana, ben = phones
    never = ("--pos-delay", "50", "--pos-timeout", "50", "--order-timeout", "50")
    with a_server(tmp_path, *QUICK, *never) as server:
        port = int(server.url.rpartition(":")[2])
        for phone, name in ((ana, "Ana"), (ben, "Ben")):
            phone.excuse("WebSocket connection|ERR_CONNECTION_REFUSED")
            await phone.sit_down(f"{server.url}/t/demo-1", name)
        await ana.add("Margherita")
        await ana.open_cart()
        await ana.order("pos:accept")
        await ana.button("Pending Confirmation...", enabled=False, colour="gray")
        await ben.sees("Order being processed")
        await trio.to_thread.run_sync(server.end, signal.SIGKILL)
        for phone in phones:
            await phone.sees(LOST)
        await ana.button("Pending Confirmation...", enabled=False, colour="gray")
    with a_server(tmp_path, *QUICK, port=port):
        for phone in phones:
            await phone.sees_no(LOST)
            await phone.sees("Order placed successfully! 🎉")
            await phone.check_quiet()
