"""Names, notes and instructions are data: nothing in them may command a terminal or break a database."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comanda.actors.domain.messages import MAX_NOTE_CHARACTERS, AddItem, UpdateItem
from comanda.actors.domain.text import cut, one_line, plain

from .helpers import MARGHERITA, ATable, place

TURNS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Extra spicy", "Extra spicy"),
        ("no onions,\nplease\tthanks", "no onions,\nplease\tthanks"),
        ("\x1b[31mred\x1b]0;owned\x07", "[31mred]0;owned"),
        ("a\x00b\x7fc\x9bd\r", "abcd"),
        ("Zoë 🍕 שלום", "Zoë 🍕 שלום"),
        ("pay \u202eevil\u202c \u2066x\u2069 \u202a\u202b\u202d\u2067\u2068now", "pay evil x now"),
        ("שלום\u200f!", "שלום\u200f!"),
        ("Zoe\u0308 ①", "Zoë ①"),
    ],
)
def test_control_characters_go_and_the_rest_stays(written: str, kept: str) -> None:
    assert plain(written) == kept


@given(st.text())
def test_what_is_kept_has_no_control_characters_but_tabs_and_line_ends(written: str) -> None:
    kept = plain(written)
    assert {c for c in kept if unicodedata.category(c) == "Cc"} <= {"\t", "\n"}
    assert plain(kept) == kept
    assert unicodedata.is_normalized("NFC", kept)
    data = [c for c in written if c in "\t\n" or unicodedata.category(c) != "Cc"]
    assert kept == unicodedata.normalize("NFC", "".join(c for c in data if c not in TURNS))


@pytest.mark.parametrize(
    "one",
    [
        "e\u0323\u0302",
        "👩‍👩‍👧‍👦",
        "👍🏽",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
        "🇮🇳",
        "क्षि",
        "각",
        "\u1100\ud7b0\ud7cb",
        "\ua960\uac00\u11a8",
        "น้ำ",
        "ດຳ",
        "\u0d4eക",
        "❤️",
    ],
)
def test_what_is_too_long_is_cut_between_characters_as_people_see_them(one: str) -> None:
    one = unicodedata.normalize("NFC", one)
    for most in range(4 * len(one)):
        assert plain("x" + one * 4, most + 1) == "x" + one * (most // len(one))


def test_what_fits_stays_whole_and_plain_text_is_cut_at_the_limit() -> None:
    assert plain("abc", 3) == "abc"
    assert plain("abcd", 3) == "abc"
    assert one_line("ab cd", 3) == "ab"
    assert plain("e" + "\u0301\u0323" * 300, 280) == ""


@given(st.text(), st.integers(0, 20))
def test_a_cut_text_is_a_beginning_of_at_most_so_many_code_points(text: str, most: int) -> None:
    kept = cut(text, most)
    assert len(kept) <= most
    assert text.startswith(kept)
    assert kept == text or len(text) > most


def test_a_note_that_normalising_makes_too_long_is_cut_and_its_order_is_placed() -> None:
    table = ATable("Ana")
    table.says(AddItem(MARGHERITA, 1, "\u0958" * MAX_NOTE_CHARACTERS))
    (line,) = table.session.lines.values()
    assert line.note == "\u0915\u093c" * (MAX_NOTE_CHARACTERS // 2)
    table.says(place(table.session))
    assert table.order.lines[0].note == line.note


def test_a_note_is_kept_plain_and_an_order_that_saw_it_as_written_is_placed() -> None:
    table = ATable("Ana")
    table.says(AddItem(MARGHERITA, 1, "hot\x1b[2J"))
    (line,) = table.session.lines.values()
    assert line.note == "hot[2J"
    table.says(UpdateItem(line.public_id, note="mild\x00"))
    assert next(iter(table.session.lines.values())).note == "mild"
    order = place(table.session, said="by the window\x07")
    table.says(order)
    assert table.order.special_instructions == "by the window"
