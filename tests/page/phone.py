"""A guest's phone: the table's page in a browser, used as a guest uses it, by roles and names.

What is awaited is asked for again and again until it is so, or until `PATIENCE_SECONDS` have passed.
"""

import json
import os
import re
from contextlib import suppress
from typing import Any

import trio

from .chromium import Browser, DevToolsError, Tab

PATIENCE_SECONDS = 20
"""Far above what anything here takes; only a fault makes it pass."""

LOOK_AGAIN_SECONDS = 0.03
WIDTH, HEIGHT = 390, 780
"""A phone of these years, in CSS pixels."""

SHOTS = os.environ.get("COMANDA_TEST_SHOTS")
"""A folder for screenshots; without it none are taken."""

KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    " ": ("Space", 32, " "),
}
SHIFT = 8

_RESTING_PLACE = """async function () {
  this.scrollIntoView({block: "center", behavior: "instant"});
  const moving = document.getAnimations().filter((one) => one instanceof CSSTransition);
  await Promise.allSettled(moving.map((one) => one.finished));
  const {x, y, width, height} = this.getBoundingClientRect();
  const middle = {x: x + width / 2, y: y + height / 2};
  return this.contains(document.elementFromPoint(middle.x, middle.y)) ? middle : null;
}"""
"""The middle of an element once nothing slides any more; null while something lies over it."""

_IS_BUTTON = """(text, disabled, colour) => {
  const hue = (one) => {
    const [red, green, blue] = getComputedStyle(one).backgroundColor.match(/\\d+/g).map(Number);
    if (Math.max(red, green, blue) - Math.min(red, green, blue) < 30) return "gray";
    return green > red ? "green" : red > green && green > blue ? "orange" : "another";
  };
  return [...document.querySelectorAll(".cart-sheet .sheet-foot > .wide")].some(
    (one) => one.innerText === text && one.disabled === disabled && hue(one) === colour);
}"""
"""Whether the cart's button has this text, can be used or not, and is seen in this colour."""

_WATCH_POLICY = """
window.policyViolations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.policyViolations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


class Phone:
    """One guest's browser tab."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self._excused: list[str] = []

    # Looking

    async def until(self, expression: str, what: str = "") -> Any:
        """The value of a JavaScript expression once it is true."""
        last: object = None
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                while True:
                    try:
                        if last := await self.tab.run(expression):
                            return last
                    except DevToolsError as error:  # the page is just being loaded
                        last = error
                    await trio.sleep(LOOK_AGAIN_SECONDS)
        except trio.TooSlowError:
            seen = await self.text()
            raise AssertionError(f"not: {what or expression} ({last!r}); seen:\n{seen}") from None

    async def text(self) -> str:
        """What is written on the page for eyes: nothing hidden."""
        return str(await self.tab.run("document.body.innerText"))

    async def sees(self, text: str) -> None:
        """Until this stands on the page."""
        await self.until(f"document.body.innerText.includes({json.dumps(text)})", f"sees {text!r}")

    async def sees_no(self, text: str) -> None:
        """Until this stands on the page no more."""
        await self.until(f"!document.body.innerText.includes({json.dumps(text)})", f"no {text!r}")

    async def all(self, role: str, name: str | None = None) -> list[dict[str, Any]]:
        """The nodes that assistive technology finds under a role, by exact name where one is given."""
        body = await self.tab.call("Runtime.evaluate", expression="document.body")
        if "objectId" not in body["result"]:
            return []  # the page is just being loaded
        wanted = {"objectId": body["result"]["objectId"], "role": role}
        if name is not None:
            wanted["accessibleName"] = name
        found = await self.tab.call("Accessibility.queryAXTree", **wanted)
        return [node for node in found["nodes"] if not node["ignored"]]

    async def names(self, role: str) -> list[str]:
        """The names of all that assistive technology finds under a role."""
        return [node["name"]["value"] for node in await self.all(role)]

    async def one(self, role: str, name: str, *, enabled: bool | None = None) -> dict[str, Any]:
        """The first node of a role and name, once there is one; also enabled or not, where that matters."""
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                while True:
                    with suppress(DevToolsError):  # the page is just being loaded or drawn
                        for node in await self.all(role, name):
                            if enabled is None or _is_enabled(node) == enabled:
                                return node
                    await trio.sleep(LOOK_AGAIN_SECONDS)
        except trio.TooSlowError:
            names = await self.names(role)
            raise AssertionError(
                f"no {role} {name!r} (enabled: {enabled}); there are {names}"
            ) from None

    async def gone(self, role: str, name: str) -> None:
        """Until assistive technology finds this no more."""
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                if not await self.all(role, name):
                    return
                await trio.sleep(LOOK_AGAIN_SECONDS)

    async def button(self, text: str, *, enabled: bool, colour: str) -> None:
        """Until specification 8.1's button has this text, can be used or not, and is in this colour."""
        await self.one("button", text, enabled=enabled)
        wanted = f"{json.dumps(text)}, {json.dumps(not enabled)}, {json.dumps(colour)}"
        await self.until(f"({_IS_BUTTON})({wanted})", f"{text!r}, enabled={enabled}, {colour}")

    # Using

    async def tap(self, role: str, name: str) -> None:
        """Tap the middle of something that can be used, once it rests there and nothing lies over it."""
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                while True:
                    node = await self.one(role, name, enabled=True)
                    with suppress(DevToolsError):  # drawn anew meanwhile
                        if point := await self._resting_place(node["backendDOMNodeId"]):
                            break
                    await trio.sleep(LOOK_AGAIN_SECONDS)
        except trio.TooSlowError:
            raise AssertionError(
                f"{role} {name!r} cannot be tapped: something lies over it"
            ) from None
        button: dict[str, Any] = {"button": "left", "clickCount": 1, **point}
        await self.tab.call("Input.dispatchMouseEvent", type="mousePressed", **button)
        await self.tab.call("Input.dispatchMouseEvent", type="mouseReleased", **button)

    async def _resting_place(self, node_id: int) -> dict[str, float] | None:
        found = await self.tab.call("DOM.resolveNode", backendNodeId=node_id)
        answer = await self.tab.call(
            "Runtime.callFunctionOn",
            objectId=found["object"]["objectId"],
            functionDeclaration=_RESTING_PLACE,
            awaitPromise=True,
            returnByValue=True,
        )
        place: dict[str, float] | None = answer["result"].get("value")
        return place

    async def write(self, text: str) -> None:
        """Type into what has the focus."""
        await self.tab.call("Input.insertText", text=text)

    async def press(self, key: str, *, times: int = 1, shift: bool = False) -> None:
        code, number, text = KEYS[key]
        keys: dict[str, Any] = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        keys["modifiers"] = SHIFT if shift else 0
        for _ in range(times):
            await self.tab.call(
                "Input.dispatchKeyEvent", type="keyDown", **keys, **({"text": text} if text else {})
            )
            await self.tab.call("Input.dispatchKeyEvent", type="keyUp", **keys)

    async def fill(self, role: str, name: str, text: str) -> None:
        await self.tap(role, name)
        await self.write(text)

    async def focused(self) -> str:
        """The name of what has the focus, its tag where it has none; "" where nothing has it."""
        return str(
            await self.tab.run(
                "((one) => one === document.body ? '' : one.ariaLabel || one.innerText || one.tagName)"
                "(document.activeElement)"
            )
        )

    # The table's page

    async def open(self, url: str) -> None:
        await self.tab.call("Page.addScriptToEvaluateOnNewDocument", source=_WATCH_POLICY)
        before = len(self.tab.heard("Page.loadEventFired"))
        await self.tab.call("Page.navigate", url=url)
        # A look at a page that is not there yet would make it lay out what it has, and count as a jump.
        with trio.fail_after(PATIENCE_SECONDS):
            await self.tab.told("Page.loadEventFired", before + 1)

    async def sit_down(self, url: str, name: str) -> None:
        """Open the table's page and say one's name."""
        await self.open(url)
        await self.one("textbox", "Your name")
        await self.fill("textbox", "Your name", name)
        await self.tap("button", "Join the table")
        await self.gone("button", "Join the table")
        await self.sees(f"{name} (you)")
        await self.one("button", "Add Margherita")

    async def add(self, dish: str) -> None:
        await self.tap("button", f"Add {dish}")
        await self.one("button", f"Remove {dish}")

    async def open_cart(self) -> None:
        await self.tab.run("document.querySelector('.bar button').click()")
        await self.one("dialog", "Shared cart")

    async def order(self, wishes: str) -> None:
        """Order with these words for the dummy POS; the cart is open."""
        await self.fill("textbox", "Special instructions", wishes)
        await self.tap("button", "Place Order")

    async def refresh(self) -> None:
        await self.tab.run("window.beforeRefresh = true")
        await self.tab.call("Page.reload")
        await self.until(
            "!window.beforeRefresh && document.readyState === 'complete'", "a new page"
        )

    async def cut_network(self, *, offline: bool) -> None:
        """As a tunnel does: no request leaves and the page hears that it is offline."""
        await self.tab.call(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )

    # Looks

    async def resize(self, width: int, height: int = HEIGHT, *, dark: bool = False) -> None:
        await self.tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2,
            mobile=width < 800,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.tab.call("Emulation.setEmulatedMedia", features=[scheme])

    async def at_rest(self) -> None:
        """Until nothing slides or fades any more; what waits turns for ever."""
        await self.until(
            "document.getAnimations().every("
            "(one) => one.effect.getComputedTiming().endTime === Infinity)",
            "at rest",
        )

    async def shot(self, name: str) -> None:
        """A picture of what is seen, into the folder of `COMANDA_TEST_SHOTS`."""
        if SHOTS is None:
            return
        await self.at_rest()
        folder = trio.Path(SHOTS)
        await folder.mkdir(parents=True, exist_ok=True)
        await (folder / f"{name}.png").write_bytes(await self.tab.picture())

    # What must never be

    def excuse(self, pattern: str) -> None:
        """Console errors of this kind belong to the test: a server that is away, for one."""
        self._excused.append(pattern)

    async def check_quiet(self) -> None:
        """No error on the console, no exception, and nothing against the page's security policy."""
        errors = [str(one) for one in self.tab.heard("Runtime.exceptionThrown")]
        errors += [
            " ".join(str(part.get("value", part.get("description"))) for part in one["args"])
            for one in self.tab.heard("Runtime.consoleAPICalled")
            if one["type"] in ("error", "assert", "warning")
        ]
        errors += [
            f"{one['entry']['text']} {one['entry'].get('url', '')}"
            for one in self.tab.heard("Log.entryAdded")
            if one["entry"]["level"] == "error"
        ]
        errors += [
            json.dumps(one)
            for one in self.tab.heard("Audits.issueAdded")
            if one["issue"]["code"] == "ContentSecurityPolicyIssue"
        ]
        errors += await self.tab.run("window.policyViolations || []")
        left = [one for one in errors if not any(re.search(two, one) for two in self._excused)]
        assert left == []


def _is_enabled(node: dict[str, Any]) -> bool:
    properties = {one["name"]: one["value"].get("value") for one in node.get("properties", [])}
    return not properties.get("disabled", False)


async def new_phone(browser: Browser) -> Phone:
    phone = Phone(await browser.open_tab())
    await phone.resize(WIDTH)
    return phone
