"""Chromium, driven by Playwright. No browser is downloaded: Debian's serves.

Playwright speaks asyncio, the tests speak Trio. So it lives on an asyncio loop in a thread of its own;
a Trio task hands a call over, waits for it, and takes it back when it is cancelled.
"""

import asyncio
import os
import shutil
from collections import Counter, deque
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from threading import Thread
from typing import Any, TypeVar

import trio
from playwright import async_api
from playwright.async_api import CDPSession, ConsoleMessage, Page, Request, async_playwright

START_SECONDS = 40
"""A browser's first start on a busy machine; also the longest for its end."""

ANSWER_SECONDS = 30
"""Far above what one call takes; only a fault makes it pass."""

KEPT = 5_000
"""Complaints and requests of one page: far more than an evening's."""

SCALE = 2
"""Of a phone's screen: device pixels for one of CSS."""

WIDEST_PHONE = 800
"""What is narrower is touched, and is told to be mobile; what is wider has a mouse."""

_FLAGS = ["--disable-gpu", "--lang=en-US"]
"""Beside Playwright's own."""

Result = TypeVar("Result")


def find_chromium() -> str | None:
    """The browser's path: `COMANDA_TEST_CHROMIUM`, else the one on the PATH; None where there is none."""
    return os.environ.get("COMANDA_TEST_CHROMIUM") or shutil.which("chromium")


class Chromium:
    """A running browser, and the loop on which it is spoken to."""

    def __init__(self, loop: asyncio.AbstractEventLoop, browser: async_api.Browser) -> None:
        self.browser = browser
        self._loop = loop

    async def do(self, call: Coroutine[Any, Any, Result]) -> Result:
        """The result of one of Playwright's calls. Cancelled, it is given up there too.

        Raises:
            async_api.Error: the browser refused it, or the page went away under it.
            trio.TooSlowError: no answer within `ANSWER_SECONDS`.
        """
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            with trio.fail_after(ANSWER_SECONDS):
                return await trio.to_thread.run_sync(future.result, abandon_on_cancel=True)
        finally:
            future.cancel()


@contextmanager
def running_chromium(executable: str) -> Iterator[Chromium]:
    """A browser with an empty profile."""
    with _loop_in_a_thread() as loop:

        def wait_for(call: Coroutine[Any, Any, Result]) -> Result:
            return asyncio.run_coroutine_threadsafe(call, loop).result(START_SECONDS)

        playwright = wait_for(async_playwright().start())
        try:
            browser = wait_for(playwright.chromium.launch(executable_path=executable, args=_FLAGS))
            yield Chromium(loop, browser)
            wait_for(browser.close())
        finally:
            wait_for(playwright.stop())


@contextmanager
def _loop_in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    """A daemon: should the browser hang, the run still ends, and Playwright's process with it."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="playwright", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_SECONDS)
        loop.close()


class Browser:
    """One test's share of the browser: the pages that it opened."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium
        self.tabs: list[Tab] = []

    async def open_tab(self, width: int, height: int, *, dark: bool = False) -> "Tab":
        """A page with storage of its own, as another person's phone has. Sizes in CSS pixels.

        Cancelled, it may leave a tab without a page in `tabs`, to be closed like every other.
        """
        is_phone = width < WIDEST_PHONE
        made = self._chromium.browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=SCALE,
            is_mobile=is_phone,
            has_touch=is_phone,
            color_scheme="dark" if dark else "light",
            locale="en-US",
        )
        with trio.CancelScope(shield=True):  # else the browser would keep what nobody holds
            tab = Tab(self._chromium, await self._chromium.do(made), has_touch=is_phone)
        self.tabs.append(tab)
        await tab.start()
        return tab


@asynccontextmanager
async def tabs_closed_at_the_end(chromium: Chromium) -> AsyncIterator[Browser]:
    """A browser of which no page stays open, whatever becomes of the test."""
    browser = Browser(chromium)
    try:
        yield browser
    finally:
        with trio.CancelScope(shield=True):
            for tab in browser.tabs:
                await tab.close()


class Tab:
    """One page, and what it has told: `complaints` are its console's errors and warnings, exceptions, and
    breaches of its security policy; oldest first."""

    page: Page

    def __init__(
        self, chromium: Chromium, context: async_api.BrowserContext, *, has_touch: bool
    ) -> None:
        self.has_touch = has_touch
        self.context = context
        self.complaints: deque[str] = deque(maxlen=KEPT)
        self._finished: deque[Request] = deque(maxlen=KEPT)
        self._chromium = chromium
        self._devtools: CDPSession

    async def start(self) -> None:
        """Open the page and listen."""
        await self.do(self._start())

    async def _start(self) -> None:
        self.page = await self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfinished", self._keep)
        self._devtools = await self.context.new_cdp_session(self.page)
        self._devtools.on("Audits.issueAdded", self._hear_issue)
        await self._devtools.send("Audits.enable")

    def _keep(self, request: Request) -> None:
        self._finished.append(request)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert", "warning"):
            self.complaints.append(f"{message.text} {message.location['url']}")

    def _hear_issue(self, said: dict[str, Any]) -> None:
        if said["issue"]["code"] == "ContentSecurityPolicyIssue":
            self.complaints.append(str(said["issue"]))

    async def do(self, call: Coroutine[Any, Any, Result]) -> Result:
        """The result of one of Playwright's calls, as `Chromium.do` has it."""
        return await self._chromium.do(call)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A call of the DevTools protocol, for what Playwright has no call for."""
        answer: dict[str, Any] = await self.do(self._devtools.send(method, params))
        return answer

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for.

        Raises:
            async_api.Error: it threw, or the page went away under it.
        """
        return await self.do(self.page.evaluate(expression))

    async def bytes_by_url(self) -> Counter[str]:
        """What the bodies of all answers weighed on the network, compressed as they came."""
        weights: Counter[str] = Counter()
        for request in self._finished.copy():
            sizes = await self.do(request.sizes())
            weights[request.url] += sizes["responseBodySize"]
        return weights

    async def picture(self) -> bytes:
        """What is seen, as PNG. The caret stays: hiding it would break the page's security policy."""
        return await self.do(self.page.screenshot(caret="initial"))

    async def close(self) -> None:
        """The page and its storage are gone; a second time does nothing."""
        await self.do(self.context.close())
