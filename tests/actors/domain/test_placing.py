import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from comanda.actors.domain.changes import LineMove
from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    CartLocked,
    PlaceOrder,
    RemoveItem,
    SeenItem,
    UpdateItem,
)
from comanda.actors.domain.order import Rejected

from .helpers import (
    KULFI,
    LASSI,
    MARGHERITA,
    NOW,
    ATable,
    a_context,
    a_menu,
    an_item,
    only,
    place,
    refused,
)


def a_table() -> ATable:
    table = ATable("Ana", "Ben")
    table.adds(MARGHERITA, 2, "Extra spicy", by="member_2")
    table.adds(LASSI, 1)
    return table


def test_an_order_locks_every_line_and_is_prepared() -> None:
    table = a_table()
    table.passes(3)
    decision = table.says(place(table.session, said="By the window"), by="member_1")
    order = decision.start
    assert order is not None
    assert table.session.pending == order
    assert (order.order_id, order.order_number, order.state) == ("ORD-7-42", 42, "prepared")
    assert (order.placed_by, order.placed_by_name) == ("member_1", "Ana")
    assert (order.total_minor, order.attempt) == (134000, 0)
    assert order.placed_at == NOW + timedelta(seconds=3)
    assert order.lock_ends_at == NOW + timedelta(seconds=63)
    assert [line.added_by_name for line in order.lines] == ["Ben", "Ana"]
    assert {line.state for line in table.session.lines.values()} == {"locked"}
    assert decision.changes.orders == {"ORD-7-42": order}
    assert decision.changes.moves == [
        LineMove("item_1", "locked", "ORD-7-42"),
        LineMove("item_2", "locked", "ORD-7-42"),
    ]
    assert not decision.changes.lines
    event = only(CartLocked, decision.events)
    assert event == CartLocked(
        5,
        "member_1",
        "member_1",
        "Ana",
        "ORD-7-42",
        "Order is being processed...",
        table.now,
    )


def test_the_pos_reads_names_and_amounts_in_the_contracts_body() -> None:
    table = a_table()
    order = table.says(place(table.session, said="Table by the window")).start
    assert order is not None
    assert json.loads(order.payload) == {
        "order_id": "ORD-7-42",
        "restaurant_id": 7,
        "order_number": 42,
        "table": "T12",
        "placed_by": "Ana",
        "placed_at": "2024-01-15T10:30:00Z",
        "currency": "INR",
        "lines": [
            {
                "menu_item_id": 456,
                "name": "Margherita",
                "qty": 2,
                "unit_price": 625.00,
                "line_total": 1250.00,
                "note": "Extra spicy",
                "added_by": "Ben",
            },
            {
                "menu_item_id": 457,
                "name": "Lassi",
                "qty": 1,
                "unit_price": 90.00,
                "line_total": 90.00,
                "note": "",
                "added_by": "Ana",
            },
        ],
        "total": 1340.00,
        "special_instructions": "Table by the window",
    }
    assert b'"unit_price":625.00,"line_total":1250.00,' in order.payload
    assert b'"total":1340.00,' in order.payload


def test_the_lines_may_be_named_in_any_order() -> None:
    table = a_table()
    command = place(table.session)
    table.says(replace(command, cart_items=command.cart_items[::-1]))


def test_an_empty_cart_cannot_be_ordered() -> None:
    table = ATable()
    assert table.refuses(PlaceOrder((), 0.0)) == "cart_empty"
    assert table.refuses(PlaceOrder((SeenItem("x", 1, 1),), 5.0)) == "cart_empty"


SEEN = SeenItem("item_1", MARGHERITA, 2, "Extra spicy")
OTHER = SeenItem("item_2", LASSI, 1, "")


@pytest.mark.parametrize(
    "seen",
    [
        (),
        (SEEN,),
        (SEEN, SEEN),
        (SEEN, SEEN, OTHER),
        (SEEN, OTHER, SeenItem("item_3", LASSI, 1)),
        (replace(SEEN, public_id="item_9"), OTHER),
        (replace(SEEN, qty=1), OTHER),
        (replace(SEEN, note=""), OTHER),
        (replace(SEEN, note="extra spicy"), OTHER),
        (replace(SEEN, menu_item_id=KULFI), OTHER),
        (SEEN, replace(OTHER, note="cold")),
        (replace(SEEN, public_id="item_2"), replace(OTHER, public_id="item_1")),
    ],
)
def test_an_order_that_does_not_say_what_the_cart_holds_is_shown_the_cart(
    seen: tuple[SeenItem, ...],
) -> None:
    table = a_table()
    outcome = refused(table.decide(ByMember("member_1", PlaceOrder(seen, 1340.0))))
    assert outcome.rejection.code == "cart_changed"
    assert outcome.show_snapshot
    table.says(PlaceOrder((SEEN, OTHER), 1340.0))


@pytest.mark.parametrize("total", [0.0, 1339.99, 1340.01, 134000.0, 1340.005, 1e300, 1e308])
def test_an_order_that_does_not_say_what_the_cart_costs_is_shown_the_cart(total: float) -> None:
    table = a_table()
    outcome = refused(table.decide(ByMember("member_1", PlaceOrder((SEEN, OTHER), total))))
    assert outcome.rejection.code == "total_mismatch"
    assert outcome.rejection.message == "The cart costs 1340.00 INR"
    assert outcome.show_snapshot


@pytest.mark.parametrize("total", [1340, 1340.0, 1340.004, 1339.995, 1340.0000000000002])
def test_the_total_is_compared_in_minor_units(total: float) -> None:
    a_table().says(PlaceOrder((SEEN, OTHER), total))


def test_tenths_that_no_float_holds_still_add_up() -> None:
    table = ATable(menu=a_menu(an_item(1, "Sip", 10), an_item(2, "Gulp", 20)))
    table.adds(1)
    table.adds(2)
    command = place(table.session)
    table.says(replace(command, total=0.1 + 0.2))


def test_a_currency_without_decimals_costs_whole_units() -> None:
    table = ATable(menu=a_menu(an_item(1, "Ramen", 1250), currency="JPY", minor_digits=0))
    table.adds(1)
    command = place(table.session)
    assert command.total == 1250.0
    order = table.says(command).start
    assert order is not None
    assert b'"total":1250,' in order.payload


@pytest.mark.parametrize("menu", [a_menu(an_item(available=False)), a_menu(an_item(LASSI))])
def test_what_has_sold_out_since_cannot_be_ordered(menu: object) -> None:
    table = ATable()
    table.adds(MARGHERITA)
    assert isinstance(menu, type(table.menu))
    table.menu = menu
    assert table.refuses(place(table.session)) == "item_unavailable"


def test_a_price_that_has_changed_since_is_looked_at_first() -> None:
    table = ATable()
    table.adds(MARGHERITA)
    seen = place(table.session)
    table.alters_menu(MARGHERITA, price_minor=64000)
    outcome = refused(table.decide(ByMember("member_1", seen)))
    assert outcome.rejection.code == "cart_changed"
    assert outcome.show_snapshot
    table.changes_menu(MARGHERITA, price_minor=64000)
    assert table.refuses(seen) == "total_mismatch"
    table.says(replace(seen, total=640.0))


def test_nobody_places_a_second_order_while_one_is_processed() -> None:
    table = a_table()
    seen = place(table.session)
    table.places(by="member_1")
    assert table.refuses(seen, by="member_1") == "cart_locked"
    assert table.refuses(seen, by="member_2") == "cart_locked"


def test_no_order_is_made_without_a_reserved_number() -> None:
    table = a_table()
    before = table.session
    refusal = refused(decide(before, ByMember("member_1", place(before)), a_context()))
    assert refusal.rejection.code == "storage_unavailable"
    assert refused(
        decide(before, ByMember("member_1", PlaceOrder((), 0.0)), a_context())
    ).show_snapshot


def test_the_lock_lasts_as_long_as_the_limit_says() -> None:
    table = ATable(lock_limit_seconds=12.5)
    table.adds()
    order = table.places()
    assert order.lock_ends_at - order.placed_at == timedelta(seconds=12.5)


def test_a_cart_given_back_can_be_changed_and_ordered_again_under_a_new_number() -> None:
    table = a_table()
    first = table.places()
    table.sends()
    table.answers(Rejected("busy", "No", True))
    table.says(UpdateItem("item_1", qty=1))
    table.says(RemoveItem("item_2"))
    second = table.places(by="member_2")
    assert (first.order_id, second.order_id) == ("ORD-7-42", "ORD-7-43")
    assert (first.total_minor, second.total_minor) == (134000, 62500)
    assert first.payload != second.payload
