"""What guests type, and the sentences in which `comanda join` tells what has happened. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from comanda.actors.domain.messages import (
    CartItem,
    CartLocked,
    CartUnlocked,
    CartUpdated,
    MemberJoined,
    MenuUpdated,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    ServerClosing,
    SessionClosed,
)
from comanda.client import (
    CartStore,
    ConnectionLost,
    Happening,
    MenuAnswer,
    MenuEntry,
    OrderTimedOut,
    Reconnected,
    Reconnecting,
    RetryCancelled,
    RetryScheduled,
)

from .phone import clean, money

HELP = """\
  a ITEM [QTY] [NOTE]   add; ITEM is the menu's number or a part of the name: a 456 2 extra spicy
  c LINE QTY            change how many: c 1 3
  n LINE [NOTE]         put a note on a line; without NOTE take it off
  r LINE                remove a line; LINE is its number in the cart or a part of the name
  o [INSTRUCTIONS]      order what is in the cart
  t                     try again: ask the kitchen now, or after a failure order once more,
                        with the same instructions whoever gave them
  s   show the cart     m   menu     w   who is here     h   this help     q   leave"""

_WORDS = {
    "add": "a",
    "change": "c",
    "note": "n",
    "remove": "r",
    "order": "o",
    "retry": "t",
    "try": "t",
    "show": "s",
    "cart": "s",
    "menu": "m",
    "who": "w",
    "help": "h",
    "?": "h",
    "quit": "q",
    "exit": "q",
}
LETTERS = frozenset("acnrotsmwhq")
_MAX_CHOICES_NAMED = 5


class Unclear(Exception):
    """What was typed cannot be done; the text says why, for the person."""


class Typed(Struct, frozen=True):
    """One command: its letter, and what followed."""

    letter: str
    rest: str


class ToAdd(Struct, frozen=True):
    """What `a` asks for."""

    item: MenuEntry
    qty: int
    note: str


def read_typed(line: str) -> Typed | None:
    """The command in a line; None for an empty one.

    Raises:
        Unclear: there is no such command.
    """
    words = line.strip().split(maxsplit=1)
    if not words:
        return None
    letter = _WORDS.get(words[0].lower(), words[0].lower())
    if letter not in LETTERS:
        raise Unclear(f"There is no command “{clean(words[0])}”. h shows all of them.")
    return Typed(letter, words[1].strip() if len(words) > 1 else "")


def read_add(rest: str, menu: MenuAnswer) -> ToAdd:
    """`456 2 extra spicy`, `456 extra spicy`, `house red 2`: up to the first number it is the item."""
    words = rest.split()
    if not words:
        raise Unclear("Add what? For example: a 456 2, or a margherita. m shows the menu.")
    end = 1
    if not words[0].isdecimal():
        while end < len(words) and not words[end].isdecimal():
            end += 1
    item = find_item(" ".join(words[:end]), menu)
    qty = 1
    if end < len(words) and words[end].isdecimal():
        qty = _quantity(words[end])
        end += 1
    return ToAdd(item, qty, " ".join(words[end:]))


def read_change(rest: str, lines: Sequence[CartItem]) -> tuple[CartItem, int]:
    """`1 3` or `margherita 3`."""
    what, _, qty = rest.strip().rpartition(" ")
    if not what:
        raise Unclear("Change what to how many? For example: c 1 3.")
    return find_line(what, lines), _quantity(qty)


def read_note(rest: str, lines: Sequence[CartItem]) -> tuple[CartItem, str]:
    """`1 no ice`: one word, the line, then the note."""
    what, _, note = rest.strip().partition(" ")
    if not what:
        raise Unclear("A note on what? For example: n 1 no ice.")
    return find_line(what, lines), note.strip()


def find_item(text: str, menu: MenuAnswer) -> MenuEntry:
    """A menu item by its number, its name, or a part that only one name has."""
    if text.isdecimal():
        for item in menu.items:
            if item.menu_item_id == int(text):
                return item
        raise Unclear(f"The menu has no item {clean(text)}. m shows it.")
    found = [item for item in menu.items if text.casefold() in item.name.casefold()]
    exact = [item for item in found if text.casefold() == item.name.casefold()]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if not found:
        raise Unclear(f"Nothing on the menu is called “{clean(text)}”. m shows it.")
    names = [f"{item.menu_item_id} {clean(item.name)}" for item in found]
    raise Unclear(f"“{clean(text)}” may be {_or(names)}.")


def find_line(text: str, lines: Sequence[CartItem]) -> CartItem:
    """A cart line by its number as shown, or a part of the name that only one line has."""
    if not lines:
        raise Unclear("The cart is empty.")
    if text.isdecimal():
        if 1 <= int(text) <= len(lines):
            return lines[int(text) - 1]
        raise Unclear(f"The cart has no line {clean(text)}; it has {len(lines)}.")
    found = [line for line in lines if text.casefold() in line.name.casefold()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unclear(f"No line of the cart is called “{clean(text)}”.")
    names = [f"{n} ({clean(line.name)})" for n, line in enumerate(lines, 1) if line in found]
    raise Unclear(f"“{clean(text)}” may be line {_or(names)}.")


def menu_lines(menu: MenuAnswer, minor_digits: int) -> list[str]:
    """The menu, a line an item."""
    out = []
    for section in menu.sections:
        out.append(clean(section.name))
        for item in section.items:
            gone = "" if item.available else "  (sold out)"
            price = money(item.price, minor_digits)
            out.append(f"  {item.menu_item_id:>4}  {clean(item.name)}  {price}{gone}")
    return out


def in_words(
    happening: Happening, before: Mapping[str, CartItem], store: CartStore
) -> Iterator[str]:
    """What has happened, as sentences. `before` are the lines before it, `store` the table after it."""
    match happening:
        case CartUpdated():
            yield from _edit_in_words(happening, before, store)
        case CartLocked(locked_by_name=name, locked_by_member=who, order_id=order_id):
            yield (
                f"You have ordered: {order_id}. The cart is locked until the kitchen answers."
                if who == store.member_id
                else f"{clean(name)} has ordered: {order_id}. The cart is locked."
            )
        case OrderProcessing(stage="unknown", order_id=order_id):
            yield f"The kitchen has not answered about {order_id}; it is being asked again."
        case OrderProcessing(stage="pending", order_id=order_id):
            yield f"The kitchen has {order_id} and has not accepted it yet."
        case OrderProcessing(stage="needs_staff", order_id=order_id):
            yield f"Nobody can say what became of {order_id}: the staff looks into it."
        case OrderConfirmed(order_id=order_id):
            yield f"Order placed successfully! 🎉 {order_id}"
        case OrderFailed(order_id=order_id, error=error, allow_retry=allow_retry):
            tap = " Tap to retry." if allow_retry else ""
            yield f"Order failed: {clean(error).rstrip('.')}.{tap} ({order_id}; t orders again)"
        case CartUnlocked(message=message, order_id=order_id):
            yield f"{clean(message)} ({order_id})"
        case MemberJoined(member=member) if member.member_id != store.member_id:
            yield f"{clean(member.name)} sits down."
        case MenuUpdated(items=items):
            yield f"The restaurant has changed its menu ({len(items)} items)."
        case ServerClosing():
            yield "The server restarts; your table is kept."
        case Reconnecting(attempt=1, message=message):
            yield message
        case ConnectionLost():
            yield "The connection could not be restored yet; press Enter to try at once."
        case Reconnected():
            yield "Connected again."
        case OrderTimedOut():
            yield "No answer from the kitchen yet. t asks again."
        case RetryScheduled(after_seconds=seconds, attempt=attempt):
            yield f"Trying again by itself in {seconds:.0f} s (try {attempt})."
        case RetryCancelled(reason=reason):
            yield f"Not tried again by itself: {clean(reason)}."
        case SessionClosed(reason=reason):
            yield f"The table was closed: {clean(reason)}."


def _edit_in_words(
    event: CartUpdated, before: Mapping[str, CartItem], store: CartStore
) -> Iterator[str]:
    names = {member.member_id: clean(member.name) for member in store.members}
    mine = event.by_member == store.member_id
    who = "You" if mine else names.get(event.by_member or "", "The restaurant")
    for item in event.items:
        old = before.get(item.public_id)
        name = clean(item.name)
        if old is None:
            note = f" ({clean(item.note)})" if item.note else ""
            yield f"{who} {_verb('add', mine)} {item.qty} × {name}{note}."
            continue
        if old.qty != item.qty:
            yield f"{who} {_verb('make', mine)} it {item.qty} × {name}."
        if old.note != item.note and item.note:
            yield f"{who} {_verb('note', mine)} on {name}: {clean(item.note)}."
        elif old.note != item.note:
            yield f"{who} {_verb('take', mine)} the note off {name}."
        if old.available and not item.available:
            yield f"{name} is sold out."
        if old.unit_price != item.unit_price:
            yield f"{name} has a new price."
    for public_id in event.removed:
        if public_id in before:
            yield f"{who} {_verb('remove', mine)} {clean(before[public_id].name)}."


def _verb(verb: str, mine: bool) -> str:
    return verb if mine else f"{verb}s"


def _quantity(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,2}", text) or int(text) == 0:
        raise Unclear(f"“{clean(text)}” is no quantity; give 1 to 99.")
    return int(text)


def _or(names: Sequence[str]) -> str:
    shown = list(names[:_MAX_CHOICES_NAMED])
    if len(names) > len(shown):
        return f"{', '.join(shown)} or another"
    return f"{', '.join(shown[:-1])} or {shown[-1]}"
