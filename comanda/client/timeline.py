"""What a play of an example session produces: entries in the order of time. Pure."""

from typing import Literal

from msgspec import Struct

from .facts import Happening
from .steps import (
    Add,
    CartExpected,
    Clear,
    CommandStep,
    Expect,
    Order,
    Remove,
    Resolve,
    Send,
    Update,
    line_words,
    name_of,
)

Mark = Literal["", "ok", "failed", "heard"]
"""Nothing to judge · as expected · not as expected · told to a member, expected or not."""


class Entry(Struct, frozen=True):
    """One line of the timeline: at `at_seconds` since the start, in step `step`, `who` did or saw `what`.

    `details` follow where something is not as expected: what was expected, and what was there instead.
    """

    at_seconds: float
    step: int
    who: str
    what: str
    mark: Mark = ""
    details: tuple[str, ...] = ()


class Played(Struct, frozen=True):
    """How the play of a session file went. `unmet` is the first entry that was not as expected.

    `where` names the file and the step of `unmet`. `warning` is about the play, not about the session.
    """

    path: str
    title: str
    table_code: str
    seconds: float
    entries: tuple[Entry, ...]
    unmet: Entry | None = None
    where: str | None = None
    warning: str | None = None

    @property
    def passed(self) -> bool:
        """Everything was as expected."""
        return self.unmet is None

    @property
    def sentence(self) -> str:
        """What was not met, in one line; "" where all was."""
        if self.unmet is None:
            return ""
        who = f"{self.unmet.who} " if self.unmet.who else ""
        return f"{self.where}: {who}{self.unmet.what}: " + "; ".join(self.unmet.details)


def happening_words(happening: Happening) -> str:
    """`order_failed ORD-7-4: POS system unavailable`."""
    words = name_of(type(happening))
    for field in ("order_id", "locked_by_name", "stage", "code"):
        value = getattr(happening, field, None)
        if value is not None:
            words += f", locked by {value}" if field == "locked_by_name" else f" {value}"
    seconds = getattr(happening, "after_seconds", None)
    if seconds is not None:
        words += f" in {seconds:g} s"
    why = getattr(happening, "error", None) or getattr(happening, "reason", None)
    return f"{words}: {why}" if why else words


def command_words(step: CommandStep, item: str = "") -> str:
    """What the member does; `item` is the name of what is added."""
    match step:
        case Add(qty=qty, note=note):
            return f"adds {line_words(qty, item, note)}"
        case Update(line=line, qty=new_qty, note=new_note):
            parts = [] if new_qty is None else [f"{new_qty} ×"]
            parts += [] if new_note is None else [f"note “{new_note}”"]
            return f"changes {line} to {', '.join(parts) or 'nothing'}"
        case Remove(line=line):
            return f"takes {line} out"
        case Clear():
            return "clears the cart"
        case Order(special_instructions=text):
            return f"orders (“{text}”)" if text else "orders"
        case Resolve():
            return "asks again for the outcome"
        case Send(message=message):
            return "sends raw text" if message is None else f"sends a raw {message.get('type', '')}"
    raise AssertionError(step)


def state_words(expect: Expect) -> str:
    """The state that is expected, as a person would say it."""
    words = [] if expect.cart is None else [_cart_words(expect.cart)]
    if expect.orders is not None:
        words.append(f"{expect.orders} confirmed order{'' if expect.orders == 1 else 's'}")
    words += [f"{name} online" for name in expect.online]
    words += [f"{name} offline" for name in expect.offline]
    has = expect.cart is not None or expect.orders is not None
    return ("has " if has else "sees ") + ", ".join(words)


def _cart_words(cart: CartExpected) -> str:
    words = "the cart"
    if cart.locked is not None:
        words += " locked" if cart.locked else " open"
    if cart.locked_by is not None:
        words += f" by {cart.locked_by}"
    parts = []
    if cart.lines is not None:
        parts.append(" + ".join(cart.lines) if cart.lines else "empty")
    if cart.total is not None:
        parts.append(f"total {cart.total:.2f}")
    for name in ("status", "stage", "error"):
        value = getattr(cart, name)
        if value is not None:
            parts.append(value if name == "status" else f"{name} {value}")
    if cart.in_doubt is not None:
        parts.append(f"{cart.in_doubt or 'no'} order{'' if cart.in_doubt == 1 else 's'} in doubt")
    return f"{words}: {', '.join(parts)}" if parts else words
