"""Names, notes and instructions are data: nothing in them may command a terminal or break a database."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comanda.actors.domain.messages import AddItem, UpdateItem
from comanda.actors.domain.text import plain

from .helpers import MARGHERITA, ATable, place


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Extra spicy", "Extra spicy"),
        ("no onions,\nplease\tthanks", "no onions,\nplease\tthanks"),
        ("\x1b[31mred\x1b]0;owned\x07", "[31mred]0;owned"),
        ("a\x00b\x7fc\x9bd\r", "abcd"),
        ("Zoë 🍕 שלום", "Zoë 🍕 שלום"),
    ],
)
def test_control_characters_go_and_the_rest_stays(written: str, kept: str) -> None:
    assert plain(written) == kept


@given(st.text())
def test_what_is_kept_has_no_control_characters_but_tabs_and_line_ends(written: str) -> None:
    kept = plain(written)
    assert {c for c in kept if unicodedata.category(c) == "Cc"} <= {"\t", "\n"}
    assert plain(kept) == kept
    assert [c for c in written if unicodedata.category(c) != "Cc"] == [
        c for c in kept if unicodedata.category(c) != "Cc"
    ]


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
