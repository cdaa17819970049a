"""A table with a PIN, in a browser: who sits there reads it out, who comes later types it in."""

from collections.abc import Iterator

import pytest

from tests.cli.helpers import Server, a_server

from .chromium import Browser
from .conftest import QUICK, Table
from .phone import Phone, new_phone

PIN = "The table's PIN"


@pytest.fixture(scope="module")
def pin_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = (*QUICK, "--join-pin", "on")
    with a_server(tmp_path_factory.mktemp("pins"), *options, tables=4) as running:
        yield running


async def shown_pin(phone: Phone) -> str:
    """The PIN that a member's page shows."""
    return str(await phone.until("document.querySelector('.pin strong')?.innerText", "a PIN"))


async def says_name(phone: Phone, name: str) -> None:
    await phone.fill("textbox", "Your name", name)
    await phone.tap("button", "Join the table")


async def test_the_second_guest_is_asked_for_the_pin_that_the_first_one_sees(
    browser: Browser, pin_server: Server
) -> None:
    table = Table(pin_server, "demo-1")
    ana, ben = await new_phone(browser), await new_phone(browser)
    await ana.sit_down(table.url, "Ana")
    await ana.sees("tell it to who sits with you")
    pin = await shown_pin(ana)

    await ben.open(table.url)
    await says_name(ben, "Ben")
    await ben.one("textbox", PIN, enabled=True)
    await ben.sees("Somebody sits here already")
    await ben.shot("pin-needed")
    await ben.until("document.activeElement.name === 'pin'", "the focus is where the PIN goes")
    await ben.write(f"{(int(pin) + 1) % 10_000:04}")
    await ben.press("Enter")
    await ben.sees("This is not the table's PIN")
    await ben.fill("textbox", PIN, pin)
    await ben.tap("button", "Join the table")
    await ben.gone("button", "Join the table")
    await ben.sees("Ben (you)")
    assert await shown_pin(ben) == pin
    await ana.sees("Ben joined the table")
    await ana.shot("pin-shown")
    for phone in (ana, ben):
        phone.excuse("403")  # the browser's own word on a join that was refused
        await phone.check_quiet()


async def test_a_refreshed_page_needs_no_pin_and_shows_it_again(
    browser: Browser, pin_server: Server
) -> None:
    table = Table(pin_server, "demo-2")
    ana = await new_phone(browser)
    await ana.sit_down(table.url, "Ana")
    pin = await shown_pin(ana)
    await ana.refresh()
    await ana.sees("Ana (you)")
    assert await shown_pin(ana) == pin
    await ana.check_quiet()


async def test_the_staff_read_the_pin_at_the_table(browser: Browser, pin_server: Server) -> None:
    table = Table(pin_server, "demo-3")
    ana, staff = await new_phone(browser), await new_phone(browser)
    await ana.sit_down(table.url, "Ana")
    pin = await shown_pin(ana)
    await staff.open(f"{pin_server.url}/staff")
    await staff.fill("textbox", "Staff token", "the-staff")
    await staff.tap("button", "Sign in")
    await staff.sees(f"PIN {pin}")


async def test_where_no_pin_is_asked_for_none_is_shown(browser: Browser, table: Table) -> None:
    ana = await new_phone(browser)
    await ana.sit_down(table.url, "Ana")
    assert "PIN" not in await ana.text()
    await ana.check_quiet()
