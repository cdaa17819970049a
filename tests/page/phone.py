"""A guest's phone: the table's page in a browser, used as a guest uses it, by roles and names.

What is awaited is asked for again and again until it is so, or until `PATIENCE_SECONDS` have passed.
"""

import json
import os
import re
from typing import Any, Literal, cast

import trio
from playwright.async_api import Error, Locator

from .chromium import Browser, Tab

PATIENCE_SECONDS = 20
"""Far above what anything here takes; only a fault makes it pass."""

LOOK_AGAIN_SECONDS = 0.03
WIDTH, HEIGHT = 390, 780
"""A phone of these years, in CSS pixels."""

SHOTS = os.environ.get("COMANDA_TEST_SHOTS")
"""A folder for screenshots; without it none are taken."""

ROLES = {"image": "img"}
"""The browser's names of roles that Playwright calls as ARIA first did."""

_NOT_INERT = ":not([inert], [inert] *)"
"""What lies behind an open drawer is there for nobody."""

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

_MEASURE_AT_REST = """async (measure) => {
  const isAtRest = () =>
    document.getAnimations().every((one) => one.effect.getComputedTiming().endTime === Infinity);
  if (!isAtRest()) return null;
  const found = [await measure()];
  return isAtRest() ? found : null;
}"""
"""Null while something moves; else what was measured, in a list."""

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
                    except Error as error:  # the page is just being loaded
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

    def found(self, role: str, name: str | None = None, *, enabled: bool | None = None) -> Locator:
        """What assistive technology finds under a role, by exact name and state where they are given."""
        named: dict[str, Any] = {} if name is None else {"name": name, "exact": True}
        disabled = None if enabled is None else not enabled
        page = self.tab.page
        by_role = page.get_by_role(cast(Any, ROLES.get(role, role)), disabled=disabled, **named)
        return by_role.and_(page.locator(_NOT_INERT))

    async def names(self, role: str) -> list[str]:
        """The names of all that assistive technology finds under a role."""
        body = await self.tab.call("Runtime.evaluate", expression="document.body")
        found = await self.tab.call(
            "Accessibility.queryAXTree", objectId=body["result"]["objectId"], role=role
        )
        return [node["name"]["value"] for node in found["nodes"] if not node["ignored"]]

    async def one(self, role: str, name: str, *, enabled: bool | None = None) -> None:
        """Until there is something of this role and name; also enabled or not, where that matters."""
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                while True:
                    if await self._count(role, name, enabled=enabled):
                        return
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
                if not await self._count(role, name):
                    return
                await trio.sleep(LOOK_AGAIN_SECONDS)

    async def _count(self, role: str, name: str, *, enabled: bool | None = None) -> int:
        return await self.tab.do(self.found(role, name, enabled=enabled).count())

    async def button(self, text: str, *, enabled: bool, colour: str) -> None:
        """Until specification 8.1's button has this text, can be used or not, and is in this colour."""
        await self.one("button", text, enabled=enabled)
        wanted = f"{json.dumps(text)}, {json.dumps(not enabled)}, {json.dumps(colour)}"
        await self.until(f"({_IS_BUTTON})({wanted})", f"{text!r}, enabled={enabled}, {colour}")

    # Using

    async def tap(self, role: str, name: str) -> None:
        """Tap something that can be used, once it rests in its place and nothing lies over it."""
        await self.one(role, name, enabled=True)
        target = self.found(role, name, enabled=True).first
        use = target.tap if self.tab.has_touch else target.click
        try:
            await self.tab.do(use(timeout=PATIENCE_SECONDS * 1000))
        except Error as error:
            raise AssertionError(f"{role} {name!r} cannot be tapped: {error}") from None

    async def write(self, text: str) -> None:
        """Type into what has the focus."""
        await self.tab.do(self.tab.page.keyboard.insert_text(text))

    async def press(self, key: str, *, times: int = 1, shift: bool = False) -> None:
        for _ in range(times):
            await self.tab.do(self.tab.page.keyboard.press(f"Shift+{key}" if shift else key))

    async def fill(self, role: str, name: str, text: str) -> None:
        """Write this into a field, in the place of what stands there."""
        await self.tap(role, name)
        await self.tab.do(self.found(role, name).first.fill(text))

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
        await self.tab.do(self.tab.page.add_init_script(_WATCH_POLICY))
        # A look at a page that is not there yet would make it lay out what it has, and count as a jump.
        await self.tab.do(self.tab.page.goto(url, wait_until="load"))

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
        await self.tab.do(self.tab.page.reload(wait_until="load"))

    async def cut_network(self, *, offline: bool) -> None:
        """As a tunnel does: no request leaves and the page hears that it is offline."""
        await self.tab.do(self.tab.context.set_offline(offline))

    # Looks

    async def resize(self, width: int, height: int = HEIGHT, *, dark: bool = False) -> None:
        """Another size, in CSS pixels. What was opened as a phone stays one, touched and mobile."""
        await self.tab.do(self.tab.page.set_viewport_size({"width": width, "height": height}))
        scheme: Literal["dark", "light"] = "dark" if dark else "light"
        await self.tab.do(self.tab.page.emulate_media(color_scheme=scheme))

    async def at_rest(self, measured: str = "true") -> Any:
        """What a JavaScript expression measures while nothing slides or fades; what waits turns for ever.

        Rest and measurement are one look: between two, a drawer may begin to slide. A promise is measured
        when it is kept, and once more if something moved meanwhile.
        """
        found = await self.until(f"({_MEASURE_AT_REST})(() => ({measured}))", f"{measured} at rest")
        return found[0]

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
        errors = [*await self.tab.run("window.policyViolations || []"), *self.tab.complaints]
        left = [one for one in errors if not any(re.search(two, one) for two in self._excused)]
        assert left == []


async def new_phone(browser: Browser, width: int = WIDTH, *, dark: bool = False) -> Phone:
    """A phone; from `WIDEST_PHONE` on a computer. The width in CSS pixels."""
    return Phone(await browser.open_tab(width, HEIGHT, dark=dark))
