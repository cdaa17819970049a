"""Chromium, driven over the DevTools protocol on one websocket. No browser is downloaded: Debian's serves."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, open_websocket_url

START_SECONDS = 40
"""A browser's first start on a busy machine."""

ANSWER_SECONDS = 30
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A screenshot of a long page, in base64."""

EVENTS_KEPT = 5_000
"""Of one page: far more than an evening's frames and requests."""

_FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-default-apps",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-breakpad",
    "--metrics-recording-only",
    "--mute-audio",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-features=Translate,OptimizationHints,MediaRouter",
    "--hide-scrollbars",
    "--lang=en-US",
    "--remote-debugging-port=0",
]


def find_chromium() -> str | None:
    """The browser's path: `COMANDA_TEST_CHROMIUM`, else the one on the PATH; None where there is none."""
    return os.environ.get("COMANDA_TEST_CHROMIUM") or shutil.which("chromium")


@contextmanager
def running_chromium(executable: str, profile: Path) -> Iterator[str]:
    """A browser with an empty profile; the address of its DevTools websocket."""
    command = [executable, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere) as process:
        try:
            yield _address(profile / "DevToolsActivePort", process)
        finally:
            process.terminate()
            try:
                process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(told: Path, process: subprocess.Popen[bytes]) -> str:
    """The browser writes its port and path into this file once it listens."""
    deadline = time.monotonic() + START_SECONDS
    while not (told.exists() and told.read_text().count("\n") >= 1):
        assert process.poll() is None, f"the browser ended with {process.returncode}"
        assert time.monotonic() < deadline, "the browser does not start"
        time.sleep(0.02)
    port, path = told.read_text().split("\n")[:2]
    return f"ws://127.0.0.1:{port}{path}"


class DevToolsError(Exception):
    """The browser refused a call."""


class Browser:
    """One DevTools connection, on which many pages talk."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._answers: dict[int, tuple[trio.Event, list[dict[str, Any]]]] = {}
        self._pages: dict[str, Tab] = {}

    async def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One call and its result.

        Raises:
            DevToolsError: the browser refused it.
        """
        number = next(self._numbers)
        answered = trio.Event()
        answer: list[dict[str, Any]] = []
        self._answers[number] = (answered, answer)
        message: dict[str, Any] = {"id": number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        try:
            await self._socket.send_message(json.dumps(message))
            with trio.fail_after(ANSWER_SECONDS):
                await answered.wait()
        finally:
            del self._answers[number]
        if "error" in answer[0]:
            raise DevToolsError(f"{method}: {answer[0]['error']}")
        result: dict[str, Any] = answer[0]["result"]
        return result

    async def read(self) -> None:
        """Hand out what the browser says, until it is cut."""
        try:
            while True:
                message = json.loads(await self._socket.get_message())
                if "id" in message:
                    if message["id"] in self._answers:
                        answered, answer = self._answers[message["id"]]
                        answer.append(message)
                        answered.set()
                elif (tab := self._pages.get(message.get("sessionId", ""))) is not None:
                    tab.hear(message["method"], message["params"])
        except ConnectionClosed:
            return

    async def open_tab(self) -> "Tab":
        """A page with storage of its own, as another person's phone has."""
        context = (await self.call("Target.createBrowserContext"))["browserContextId"]
        target = await self.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.call(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        tab = Tab(self, attached["sessionId"], context)
        self._pages[attached["sessionId"]] = tab
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility", "Audits"):
            await tab.call(f"{domain}.enable")
        # Each page believes that it is the one in front, as on a phone of its own.
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
        return tab


class Tab:
    """One page: calls, and what it has told. `said` are (method, params), oldest first."""

    def __init__(self, browser: Browser, session: str, context: str) -> None:
        self._browser = browser
        self._session = session
        self._context = context
        self.said: deque[tuple[str, dict[str, Any]]] = deque(maxlen=EVENTS_KEPT)
        self._hearing = trio.Event()

    def hear(self, method: str, params: dict[str, Any]) -> None:
        self.said.append((method, params))
        self._hearing.set()
        self._hearing = trio.Event()

    async def told(self, method: str, times: int) -> None:
        """Until something was told so often under this name."""
        while len(self.heard(method)) < times:
            await self._hearing.wait()

    def heard(self, method: str) -> list[dict[str, Any]]:
        """What was told under this name."""
        return [params for name, params in self.said if name == method]

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        return await self._browser.call(method, self._session, **params)

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for.

        Raises:
            DevToolsError: it threw, or the page went away under it.
        """
        answer = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise DevToolsError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    async def picture(self) -> bytes:
        """What is seen, as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def close(self) -> None:
        """The page and its storage are gone."""
        await self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)


@asynccontextmanager
async def devtools(address: str) -> AsyncIterator[Browser]:
    """A connection to the browser at `address`."""
    async with (
        open_websocket_url(address, max_message_size=MAX_MESSAGE_BYTES) as socket,
        trio.open_nursery() as nursery,
    ):
        browser = Browser(socket)
        nursery.start_soon(browser.read)
        yield browser
        nursery.cancel_scope.cancel()
