"""A member's phone as text: the cart, the button and the messages of specification section 8.

`phone_of` is a pure function of the cart store; what it gives draws itself in any width and height, or
as plain lines. Names, notes and reasons come from strangers: nothing in them reaches the terminal as an
escape or as markup.
"""

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from comanda.actors.domain.text import cut
from comanda.client import CartStore

Colour = Literal["green", "gray", "orange"]
Tone = Literal["plain", "good", "bad", "quiet"]

MESSAGE_ROWS = 3
"""Rows kept for messages where the height is given, so that nothing jumps: the longest takes three."""

MAX_TEXT_CHARACTERS = 300
"""A name, a note or a reason; longer than any of these may be, and a bound for what is none of ours."""

_BUTTON_STYLES: dict[Colour, str] = {
    "green": "bold white on green4",
    "gray": "white on grey37",
    "orange": "bold black on dark_orange",
}
_TONE_STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "bold green",
    "bad": "bold red",
    "quiet": "dim",
}


class Around(Struct, frozen=True):
    """What a phone shows beside its cart store.

    `connection_lost`: several attempts have failed. `refusal` is the last no, in the server's words.
    """

    name: str
    table: str
    minor_digits: int = 2
    connected: bool = True
    connection_lost: bool = False
    order_timed_out: bool = False
    retry_in_seconds: float | None = None
    refusal: str | None = None


class Button(Struct, frozen=True):
    """The one button under the cart (specification 8.1)."""

    text: str
    colour: Colour
    enabled: bool


class Message(Struct, frozen=True):
    """A sentence under the button (specification 8.2)."""

    text: str
    tone: Tone = "plain"


class PhoneLine(Struct, frozen=True):
    """One line of the cart. `extra` is what stands under it: the note, or that it is sold out."""

    qty: int
    name: str
    who: str
    price: str
    extra: str
    locked: bool
    number: int | None = None


class Phone(Struct, frozen=True):
    """All that one phone shows at one moment. Prints itself with rich, or as `plain_lines`."""

    owner: str
    table: str
    lines: tuple[PhoneLine, ...]
    total: str
    button: Button
    messages: tuple[Message, ...]
    order_id: str | None
    retry_in_seconds: float | None

    def plain_lines(self) -> list[str]:
        """The phone as lines of text without colours, the cart's lines numbered from 1."""
        out = []
        for number, line in enumerate(self.lines, 1):
            extra = f"  ({line.extra})" if line.extra else ""
            out.append(f"  {number}. {line.qty} × {line.name}  {line.price}  {line.who}{extra}")
        if not self.lines:
            out.append("  The cart is empty")
        out.append(f"  Total {self.total}   [{self.button.text}]")
        out += [f"  {message.text}" for message in self.messages]
        if self.retry_in_seconds is not None:
            out.append(f"  Again by itself in {self.retry_in_seconds:.0f} s")
        return out

    def numbered(self) -> "Phone":
        """The same with the cart's lines numbered from 1, for who types instead of tapping."""
        lines = (replace(line, number=number) for number, line in enumerate(self.lines, 1))
        return replace(self, lines=tuple(lines))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - 4, 8)
        button = _wrapped(console, self.button.text, width)
        rows = room = None
        if options.height is not None:
            room = MESSAGE_ROWS
            rows = options.height - 2 - 1 - len(button) - room
        messages = self._said(console, width, room)
        parts = [*self._cart(width, rows), self._total(width)]
        style = _BUTTON_STYLES[self.button.colour]
        parts += [Text(_centred(row, width), style=style) for row in button]
        parts += messages
        title = Text(f"{self.owner} · {self.table}", style="bold")
        yield Panel(
            Group(*parts),
            title=title,
            subtitle=self._under(),
            box=box.ROUNDED,
            width=options.max_width,
            height=options.height,
        )

    def _said(self, console: Console, width: int, room: int | None) -> list[Text]:
        """The messages, in exactly `room` rows: one that does not fit whole is left out."""
        said: list[Text] = []
        for message in self.messages:
            rows = _wrapped(console, message.text, width)
            if room is None or not said or len(said) + len(rows) <= room:
                said += [Text(row, style=_TONE_STYLES[message.tone]) for row in rows]
        if room is None:
            return said
        return (said + [Text("")] * room)[:room]

    def _under(self) -> Text | None:
        if self.order_id is None:
            return None
        again = self.retry_in_seconds
        waits = "" if again is None else f" · again in {again:.0f} s"
        return Text(f"{self.order_id}{waits}", style="dim")

    def _cart(self, width: int, rows: int | None) -> Iterator[Table | Text]:
        """The lines, in exactly `rows` rows: notes give way first, then the last lines."""
        wanted = [(line, bool(line.extra)) for line in self.lines]
        if rows is not None and sum(1 + extra for _, extra in wanted) > rows:
            wanted = [(line, False) for line in self.lines]
        hidden = 0 if rows is None else max(0, len(wanted) - rows)
        if hidden:
            hidden += 1  # its row says how many
            wanted = wanted[: len(wanted) - hidden]
        used = 0
        for line, with_extra in wanted:
            yield _cart_row(line, width)
            used += 1
            if with_extra:
                extra = Text(f"  “{line.extra}”", style="dim italic")
                extra.truncate(width, overflow="ellipsis")
                yield extra
                used += 1
        if hidden:
            yield Text(f"… and {hidden} more", style="dim")
            used += 1
        if not self.lines:
            yield Text("The cart is empty", style="dim")
            used += 1
        for _ in range((rows or used) - used):
            yield Text("")

    def _total(self, width: int) -> Text:
        gap = width - cell_len("Total") - cell_len(self.total)
        return Text(f"Total{' ' * max(gap, 1)}{self.total}", style="bold", no_wrap=True)


def phone_of(store: CartStore, around: Around) -> Phone:
    """What the member of `store` sees now. Pure: reads the store, keeps nothing of it."""
    names = {member.member_id: clean(member.name) for member in store.members}
    lines = tuple(
        PhoneLine(
            qty=item.qty,
            name=clean(item.name),
            who="you" if item.added_by == store.member_id else names.get(item.added_by, "?"),
            price=money(item.unit_price * item.qty, around.minor_digits),
            extra=clean(item.note) if item.available else "sold out",
            locked=store.cart_locked,
        )
        for item in store.items
    )
    last = store.last_order
    return Phone(
        owner=clean(around.name),
        table=clean(around.table),
        lines=lines,
        total=f"{money(store.total, around.minor_digits)} {clean(store.currency)}".rstrip(),
        button=button_of(store),
        messages=tuple(_messages(store, around)),
        order_id=store.pending_order_id or (None if last is None else last.order_id),
        retry_in_seconds=around.retry_in_seconds,
    )


def button_of(store: CartStore) -> Button:
    """The button's four states, in the words and colours of specification 8.1."""
    if store.locked_by_others:
        return Button(f"Order Being Processed by {_locker(store)}", "gray", False)
    if store.cart_locked:
        return Button("Pending Confirmation...", "gray", False)
    if store.order_processing_status == "failed":
        return Button("Retry Order", "orange", True)
    return Button("Place Order", "green", True)


def clean(text: str) -> str:
    """`text` as one printable line: no escapes, no controls, nothing that turns the writing round."""
    kept = (
        " " if char in "\t\n\r\u2028\u2029" else char
        for char in cut(text, MAX_TEXT_CHARACTERS)
        if char in "\t\n\r\u2028\u2029" or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )
    return "".join(kept).strip()


def money(amount: Decimal, minor_digits: int) -> str:
    """An amount with as many decimals as its currency has."""
    return f"{amount:.{minor_digits}f}"


def _messages(store: CartStore, around: Around) -> Iterator[Message]:
    """The newest first: a no was given just now, and the button tells the rest."""
    if around.refusal is not None:
        yield Message(clean(around.refusal), "bad")
    if not around.connected:
        yield Message(
            "The connection could not be restored. Tap to reconnect."
            if around.connection_lost
            else "Connection lost. Reconnecting...",
            "bad",
        )
    elif store.locked_by_others:
        yield Message(f"Order being processed by {_locker(store)}")
    elif store.cart_locked and around.order_timed_out:
        yield Message("No answer from the kitchen yet. Tap to ask again.", "bad")
    elif store.cart_locked:
        yield Message("Your order is being processed...")
    elif store.last_order is not None and store.last_order.status == "failed":
        reason = clean(store.last_order.error or "").rstrip(".") or "no reason given"
        yield Message(f"Order failed: {reason}. Tap to retry.", "bad")
    elif store.last_order is not None:
        yield Message("Order placed successfully! 🎉", "good")
    for order in store.in_doubt:
        yield Message(f"{order.order_id} goes on; the staff knows about it", "quiet")


def _locker(store: CartStore) -> str:
    return clean(store.locked_by_name or "") or "another guest"


def _cart_row(line: PhoneLine, width: int) -> Table:
    grid = Table.grid(expand=False, padding=0)
    who = Text(line.who, style="dim", no_wrap=True)
    who.truncate(max(width // 3, 3), overflow="ellipsis")
    room = width - cell_len(who.plain) - 1
    number = "" if line.number is None else f"{line.number}. "
    what = Text(
        f"{number}{line.qty} × {line.name}", style="dim" if line.locked else "", no_wrap=True
    )
    what.truncate(room, overflow="ellipsis", pad=True)
    grid.add_row(what, Text(" "), who)
    return grid


def _wrapped(console: Console, text: str, width: int) -> list[str]:
    return [row.plain.rstrip() for row in Text(text).wrap(console, width)]


def _centred(text: str, width: int) -> str:
    gap = max(width - cell_len(text), 0)
    return " " * (gap // 2) + text + " " * (gap - gap // 2)
