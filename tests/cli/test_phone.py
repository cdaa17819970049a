"""How a phone is drawn: section 8 of the specification, word for word, from the cart store alone."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from comanda.actors.domain.messages import (
    CartItem,
    CartSnapshot,
    LastOrder,
    PendingOrder,
    PresentMember,
)
from comanda.cli.phone import Around, Phone, clean, phone_of
from comanda.client import CartStore

NOW = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
ANA = Around(name="Ana", table="T1")
FAILED = LastOrder("ORD-7-1", "failed", "POS system unavailable", True, "member_1", 1)
CONFIRMED = LastOrder("ORD-7-1", "confirmed", None, False, "member_1", 0)


def an_item(public_id: str, name: str, **other: Any) -> CartItem:
    item = CartItem(public_id, 456, name, Decimal(625), 2, "", "pending", True, "member_1")
    return replace(item, **other)


def a_store(
    *items: CartItem,
    locked_by: str | None = None,
    last_order: LastOrder | None = None,
    names: tuple[str, str] = ("Ana", "Ben"),
) -> CartStore:
    """The table as member_1 (Ana) sees it, locked by one of the two members or by nobody."""
    members = tuple(PresentMember(f"member_{n}", name, True) for n, name in enumerate(names, 1))
    pending = None
    if locked_by is not None:
        pending = PendingOrder("ORD-7-9", "sent", 1, locked_by, NOW, NOW)
    store = CartStore("member_1")
    store.load_snapshot(
        CartSnapshot(
            session_pid="session_1",
            seq=5,
            items=items,
            total=sum((item.unit_price * item.qty for item in items), Decimal(0)),
            currency="INR",
            cart_locked=pending is not None,
            locked_by_member=locked_by,
            locked_by_name=next((m.name for m in members if m.member_id == locked_by), None),
            pending_order_id=None if pending is None else pending.order_id,
            order_processing_status="idle" if pending is None else "processing",
            pending_order=pending,
            orders_in_doubt=(),
            last_order=last_order,
            members=members,
            last_updated=NOW,
        )
    )
    return store


def drawn(phone: Phone, width: int = 40, height: int | None = None, *, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="truecolor" if colour else None
    )
    console.print(phone, height=height)
    return out.getvalue()


@pytest.mark.parametrize(
    ("store", "text", "colour", "enabled"),
    [
        (a_store(), "Place Order", "green", True),
        (a_store(last_order=CONFIRMED), "Place Order", "green", True),
        (a_store(locked_by="member_1"), "Pending Confirmation...", "gray", False),
        (a_store(last_order=FAILED), "Retry Order", "orange", True),
        (a_store(locked_by="member_2"), "Order Being Processed by Ben", "gray", False),
    ],
    ids=["normal", "after an order", "processing", "failed", "locked by others"],
)
def test_the_button_has_the_specifications_words_and_colours(
    store: CartStore, text: str, colour: str, enabled: bool
) -> None:
    phone = phone_of(store, ANA)
    assert (phone.button.text, phone.button.colour, phone.button.enabled) == (text, colour, enabled)
    assert text in drawn(phone)
    assert f"[{text}]" in "\n".join(phone.plain_lines())


def test_the_buttons_colours_reach_the_terminal_and_differ() -> None:
    stores = (a_store(), a_store(locked_by="member_1"), a_store(last_order=FAILED))
    rows = []
    for store in stores:
        phone = phone_of(store, ANA)
        picture = drawn(phone, colour=True).splitlines()
        [row] = [row for row in picture if phone.button.text in row]
        rows.append(row.partition(phone.button.text)[0].rstrip())
    assert len(set(rows)) == 3
    assert all("\x1b[" in row for row in rows)


def test_the_cart_is_locked_for_its_own_member_from_the_tap_on() -> None:
    store = a_store(an_item("a", "Margherita"))
    store.place_order()
    phone = phone_of(store, ANA)
    assert phone.button.text == "Pending Confirmation..."
    assert [message.text for message in phone.messages] == ["Your order is being processed..."]


@pytest.mark.parametrize(
    ("store", "around", "text"),
    [
        (a_store(locked_by="member_1"), ANA, "Your order is being processed..."),
        (a_store(last_order=CONFIRMED), ANA, "Order placed successfully! 🎉"),
        (a_store(last_order=FAILED), ANA, "Order failed: POS system unavailable. Tap to retry."),
        (a_store(locked_by="member_2"), ANA, "Order being processed by Ben"),
        (
            a_store(locked_by="member_2"),
            replace(ANA, connected=False),
            "Connection lost. Reconnecting...",
        ),
    ],
    ids=["processing", "confirmed", "failed", "locked", "network"],
)
def test_the_messages_are_the_specifications_word_for_word(
    store: CartStore, around: Around, text: str
) -> None:
    phone = phone_of(store, around)
    assert [message.text for message in phone.messages] == [text]
    assert text in drawn(phone, width=80)
    assert f"  {text}" in phone.plain_lines()


def test_a_refused_edit_stands_before_the_rest() -> None:
    refused = replace(ANA, refusal="Order already being processed")
    phone = phone_of(a_store(locked_by="member_2"), refused)
    assert phone.messages[0].text == "Order already being processed"


def test_a_timeout_offers_to_ask_again() -> None:
    phone = phone_of(a_store(locked_by="member_1"), replace(ANA, order_timed_out=True))
    assert phone.messages[0].text == "No answer from the kitchen yet. Tap to ask again."


def test_the_cart_shows_quantities_notes_who_and_the_total() -> None:
    store = a_store(
        an_item("a", "Margherita", note="Extra spicy"),
        an_item("b", "Lemonade", qty=1, unit_price=Decimal("180.50"), added_by="member_2"),
        an_item("c", "Burrata", available=False),
    )
    phone = phone_of(store, ANA)
    assert phone.plain_lines() == [
        "  1. 2 × Margherita  1250.00  you  (Extra spicy)",
        "  2. 1 × Lemonade  180.50  Ben",
        "  3. 2 × Burrata  1250.00  you  (sold out)",
        "  Total 2680.50 INR   [Place Order]",
    ]
    picture = drawn(phone)
    for part in ("2 × Margherita", "“Extra spicy”", "1 × Lemonade", "Ben", "2680.50 INR", "T1"):
        assert part in picture
    assert "3. 2 × Burrata" in drawn(phone.numbered())


@pytest.mark.parametrize("width", [20, 26, 33, 60])
@pytest.mark.parametrize("height", [11, 13, 20])
def test_whatever_the_cart_holds_a_phone_fills_just_its_place(width: int, height: int) -> None:
    items = [an_item(str(n), f"A dish with a long name {n}", note="note") for n in range(30)]
    for count in (0, 1, 4, 30):
        for store in (
            a_store(*items[:count], last_order=FAILED),
            a_store(*items[:count], locked_by="member_2", names=("Ana", "Maximiliana 漢字" * 2)),
        ):
            rows = drawn(phone_of(store, ANA), width, height).splitlines()
            assert len(rows) == height
            assert rows[0].startswith("╭")
            assert rows[-1].startswith("╰")
            assert all(row[0] in "╭│╰" and row[-1] in "╮│╯" for row in rows)


def test_a_cart_that_does_not_fit_says_how_many_lines_are_not_shown() -> None:
    items = [an_item(str(n), f"Dish {n}") for n in range(30)]
    picture = drawn(phone_of(a_store(*items, last_order=FAILED), ANA), 26, 13)
    shown = picture.count("2 × Dish")
    assert 0 < shown < 30
    assert f"… and {30 - shown} more" in picture
    for part in ("Total", "Retry Order", "Order failed: POS", "to retry."):
        assert part in picture


def test_what_strangers_write_is_text_and_nothing_else() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07[red]x[/red]\r\n\u202eabc\x9b31m"
    store = a_store(
        an_item("a", evil, note=evil, added_by="member_2"),
        locked_by="member_2",
        names=("Ana", evil),
    )
    failed = a_store(last_order=replace(FAILED, error=evil))
    for phone in (
        phone_of(store, replace(ANA, name=evil, table=evil, refusal=evil)),
        phone_of(failed, ANA),
    ):
        shown = drawn(phone, width=200) + "\n".join(phone.plain_lines())
        assert all(char == "\n" or char.isprintable() for char in shown)
        assert "[red]x[/red]" in shown


def test_clean_keeps_every_script_and_makes_one_line() -> None:
    assert clean("Zoë 漢字 🎉 नमस्ते") == "Zoë 漢字 🎉 नमस्ते"
    assert clean("a\tb\nc") == "a b c"
    assert len(clean("x" * 10_000)) < 1000
