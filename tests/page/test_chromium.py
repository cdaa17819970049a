"""What a test leaves behind in the browser that it shares with the next: nothing."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
import trio

from .chromium import Browser, Chromium, tabs_closed_at_the_end
from .phone import HEIGHT, WIDTH, new_phone

NEVER = "new Promise(() => 0)"


async def test_a_call_that_is_cancelled_is_given_up_and_the_page_goes_on(browser: Browser) -> None:
    phone = await new_phone(browser)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(phone.tab.run, f"window.hasBegun = true; {NEVER}")
        await phone.until("window.hasBegun")
        nursery.cancel_scope.cancel()
    assert await phone.tab.run("1 + 1") == 2


async def test_no_page_stays_open_after_a_test_that_fails(chromium: Chromium) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the end of the block is what is tested
        async with tabs_closed_at_the_end(chromium) as browser:
            await new_phone(browser)
            raise ZeroDivisionError
    assert chromium.browser.contexts == []


@pytest.mark.parametrize("calls_before", [0, 1, 2, 3])
async def test_no_page_stays_open_after_a_test_that_is_cancelled_while_it_opens_one(
    chromium: Chromium, monkeypatch: pytest.MonkeyPatch, calls_before: int
) -> None:
    made = 0
    do = chromium.do
    token = trio.lowlevel.current_trio_token()

    async def cancelled_under_way(call: Coroutine[Any, Any, object]) -> object:
        begun = asyncio.ensure_future(call)
        await asyncio.sleep(0.01)  # long enough for it to be sent
        token.run_sync_soon(scope.cancel)
        return await begun

    async def cancelled_in_time(call: Coroutine[Any, Any, object]) -> object:
        nonlocal made
        made += 1
        return await do(call if made <= calls_before else cancelled_under_way(call))

    monkeypatch.setattr(chromium, "do", cancelled_in_time)
    with trio.CancelScope() as scope:
        async with tabs_closed_at_the_end(chromium) as browser:
            await browser.open_tab(WIDTH, HEIGHT)
            await browser.open_tab(WIDTH, HEIGHT)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    monkeypatch.undo()
    async with tabs_closed_at_the_end(chromium) as browser:
        await browser.open_tab(WIDTH, HEIGHT)  # what the browser was asked before is done by then
    assert chromium.browser.contexts == []
