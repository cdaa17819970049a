from itertools import product
from typing import get_args

import pytest
from msgspec.structs import replace

from comanda.actors.domain.cart import IllegalTransition
from comanda.actors.domain.messages import OrderStateName, encode
from comanda.actors.domain.order import (
    IN_FLIGHT,
    ORDER_TRANSITIONS,
    UNSETTLED,
    Order,
    order_id_for,
)

from .helpers import NOW, ATable

STATES: tuple[OrderStateName, ...] = get_args(OrderStateName)
DESIGNED = {
    ("prepared", "sent"),
    ("prepared", "rejected"),
    ("sent", "confirmed"),
    ("sent", "rejected"),
    ("sent", "unknown"),
    ("unknown", "confirmed"),
    ("unknown", "rejected"),
    ("unknown", "needs_staff"),
    ("needs_staff", "confirmed"),
    ("needs_staff", "rejected"),
}


def an_order(state: OrderStateName = "prepared") -> Order:
    table = ATable("Ana", "Ben")
    table.adds(qty=2, note="Extra spicy", by="member_2")
    return replace(table.places(), state=state)


def test_the_table_knows_every_state() -> None:
    assert set(ORDER_TRANSITIONS) == set(STATES)


@pytest.mark.parametrize(("before", "after"), sorted(DESIGNED))
def test_an_order_moves_where_the_design_lets_it(
    before: OrderStateName, after: OrderStateName
) -> None:
    an_order(before).check_move(after)
    assert after in ORDER_TRANSITIONS[before]


@pytest.mark.parametrize(("before", "after"), sorted({*product(STATES, STATES)} - DESIGNED))
def test_an_order_moves_nowhere_else(before: OrderStateName, after: OrderStateName) -> None:
    with pytest.raises(IllegalTransition, match=f"order ORD-7-42: {before} to {after}"):
        an_order(before).check_move(after)


def test_an_order_without_an_outcome_is_in_flight_or_with_the_staff() -> None:
    settled = {state for state in STATES if not ORDER_TRANSITIONS[state]}
    assert set(STATES) - settled == UNSETTLED
    assert {"needs_staff"} == UNSETTLED - IN_FLIGHT


@pytest.mark.parametrize(
    ("state", "taken", "stage"),
    [
        ("sent", False, "sent"),
        ("unknown", False, "unknown"),
        ("unknown", True, "pending"),
        ("needs_staff", False, "needs_staff"),
        ("needs_staff", True, "needs_staff"),
    ],
)
def test_the_stage_says_where_an_order_is(state: OrderStateName, taken: bool, stage: str) -> None:
    assert replace(an_order(state), taken_by_pos=taken).stage == stage


def test_an_order_id_is_made_of_restaurant_and_number() -> None:
    assert order_id_for(7, 12345) == "ORD-7-12345"


@pytest.mark.parametrize("state", STATES)
def test_only_a_confirmed_orders_record_has_a_time_of_confirmation(state: OrderStateName) -> None:
    record = replace(an_order(state), settled_at=NOW).as_record()
    assert record.state == state
    assert record.confirmed_at == (NOW if state == "confirmed" else None)


def test_a_record_has_the_lines_with_their_totals_and_the_names_of_who_added_them() -> None:
    record = an_order().as_record()
    (line,) = record.lines
    assert (line.public_id, line.menu_item_id, line.name) == ("item_1", 456, "Margherita")
    assert (line.qty, line.note, line.added_by) == (2, "Extra spicy", "Ben")
    assert encode([line.unit_price, line.line_total, record.total]) == b"[625.00,1250.00,1250.00]"
    assert (record.placed_by, record.placed_by_name) == ("member_1", "Ana")
    assert (record.table, record.session_pid, record.order_number) == ("T12", "session_1", 42)
