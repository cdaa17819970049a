"""What is typed into `comanda join`, read without a table."""

from decimal import Decimal

import pytest

from comanda.cli.join_words import (
    Typed,
    Unclear,
    find_line,
    read_add,
    read_change,
    read_note,
    read_typed,
)
from comanda.client import MenuAnswer, MenuEntry, MenuSection

from .test_phone import an_item

MENU = MenuAnswer(
    7,
    (
        MenuSection(
            "All",
            tuple(
                MenuEntry(number, name, "", Decimal(100), True)
                for number, name in (
                    (1, "Lemonade"),
                    (2, "Pink lemonade"),
                    (3, "House red"),
                    (7, "Seven up"),
                )
            ),
        ),
    ),
)


@pytest.mark.parametrize(
    ("typed", "item", "qty", "note"),
    [
        ("1", 1, 1, ""),
        ("1 3", 1, 3, ""),
        ("1 3 no ice please", 1, 3, "no ice please"),
        ("1 no ice", 1, 1, "no ice"),
        ("house red 2", 3, 2, ""),
        ("HOUSE", 3, 1, ""),
        ("pink 2 7 cubes", 2, 2, "7 cubes"),
        ("lemonade", 1, 1, ""),
    ],
)
def test_an_item_is_named_by_number_or_name_then_quantity_then_note(
    typed: str, item: int, qty: int, note: str
) -> None:
    wish = read_add(typed, MENU)
    assert (wish.item.menu_item_id, wish.qty, wish.note) == (item, qty, note)


@pytest.mark.parametrize("typed", ["", "lemon", "beer", "9", "1 0", "1 100"])
def test_what_is_not_clear_is_not_added(typed: str) -> None:
    with pytest.raises(Unclear):
        read_add(typed, MENU)


def test_commands_are_letters_or_words_in_any_case() -> None:
    assert read_typed(" A 456 2 ") == Typed("a", "456 2")
    assert read_typed("order") == read_typed("o") == Typed("o", "")
    assert read_typed("   ") is None
    with pytest.raises(Unclear, match="“\\[31mx”"):
        read_typed("\x1b[31mx")


def test_a_line_is_named_by_its_number_or_a_part_that_is_its_alone() -> None:
    lines = [an_item("a", "Lemonade"), an_item("b", "House red"), an_item("c", "House white")]
    assert find_line("2", lines).public_id == "b"
    assert find_line("white", lines).public_id == "c"
    assert read_change("house red 4", lines)[1] == 4
    assert read_note("1 no ice", lines) == (lines[0], "no ice")
    assert read_note("1", lines) == (lines[0], "")
    for text in ("house", "0", "4", "beer"):
        with pytest.raises(Unclear):
            find_line(text, lines)
