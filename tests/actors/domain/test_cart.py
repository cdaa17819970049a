from itertools import product
from typing import get_args

import pytest

from comanda.actors.domain.cart import (
    LINE_TRANSITIONS,
    CartLine,
    IllegalTransition,
    notes_bytes,
    total_minor,
)
from comanda.actors.domain.messages import LineState

STATES: tuple[LineState, ...] = get_args(LineState)
SPECIFIED = {("pending", "locked"), ("locked", "ordered"), ("locked", "pending")}


def a_line(
    state: LineState = "pending", *, price_minor: int = 62500, qty: int = 2, note: str = ""
) -> CartLine:
    return CartLine("item_1", 0, 456, "Margherita", price_minor, qty, note, state, True, "member_1")


def test_the_table_knows_every_state() -> None:
    assert set(LINE_TRANSITIONS) == set(STATES) == {"pending", "locked", "ordered"}


@pytest.mark.parametrize(("before", "after"), sorted(SPECIFIED))
def test_a_line_moves_where_the_specification_lets_it(before: LineState, after: LineState) -> None:
    line = a_line(before)
    assert line.moved_to(after) == a_line(after)
    assert line.state == before


@pytest.mark.parametrize(("before", "after"), sorted({*product(STATES, STATES)} - SPECIFIED))
def test_a_line_moves_nowhere_else(before: LineState, after: LineState) -> None:
    with pytest.raises(IllegalTransition, match=f"line item_1: {before} to {after}"):
        a_line(before).moved_to(after)


def test_a_cart_costs_the_sum_of_its_lines_in_minor_units() -> None:
    lines = [a_line(price_minor=62501, qty=2), a_line(price_minor=3, qty=99)]
    assert [line.total_minor for line in lines] == [125002, 297]
    assert total_minor(lines) == 125299
    assert total_minor([]) == 0


def test_notes_are_measured_in_bytes_of_utf8() -> None:
    assert notes_bytes([a_line(note="añ"), a_line(note="🎉"), a_line()]) == 7
