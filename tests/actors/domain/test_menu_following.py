from decimal import Decimal

import pytest

from comanda.actors.domain.inputs import FollowMenu
from comanda.actors.domain.messages import CartUpdated
from comanda.actors.domain.order import Rejected, Unknown

from .helpers import KULFI, LASSI, MARGHERITA, ATable, a_menu, an_item, only


def test_a_changed_price_reaches_the_pending_lines_of_that_item_alone() -> None:
    table = ATable()
    table.adds(MARGHERITA, 2)
    table.adds(LASSI)
    table.adds(MARGHERITA)
    table.passes(5)
    decision = table.changes_menu(MARGHERITA, price_minor=64000)
    event = only(CartUpdated, decision.events)
    assert [item.public_id for item in event.items] == ["item_1", "item_3"]
    assert {item.unit_price for item in event.items} == {Decimal("640.00")}
    assert (event.by_member, event.removed, event.total) == (None, (), Decimal("2010.00"))
    assert event.seq == table.session.seq
    assert table.session.updated_at == table.now
    assert table.session.total_minor == 201000
    assert decision.changes.lines == {key: table.session.lines[key] for key in ("item_1", "item_3")}


def test_a_sold_out_item_stays_in_the_cart_and_is_marked() -> None:
    table = ATable()
    table.adds(KULFI)
    event = only(CartUpdated, table.changes_menu(KULFI, available=False).events)
    assert [item.available for item in event.items] == [False]
    assert not table.session.lines["item_1"].available
    event = only(CartUpdated, table.changes_menu(KULFI, available=True).events)
    assert [item.available for item in event.items] == [True]


def test_an_item_that_has_left_the_menu_is_sold_out_at_its_last_price() -> None:
    table = ATable()
    table.adds(KULFI)
    table.menu = a_menu(an_item())
    table.hears(FollowMenu())
    line = table.session.lines["item_1"]
    assert (line.available, line.price_minor) == (False, 12050)


def test_a_menu_that_touches_no_line_changes_nothing() -> None:
    table = ATable()
    table.adds(MARGHERITA)
    before = table.session
    decision = table.changes_menu(LASSI, price_minor=1, available=False)
    assert table.session is before
    assert not decision.events
    assert not decision.changes


def test_locked_lines_keep_what_was_ordered() -> None:
    table = ATable()
    table.adds(MARGHERITA)
    table.places()
    before = table.session
    assert not table.changes_menu(MARGHERITA, price_minor=1, available=False).events
    assert table.session is before


def test_lines_with_the_staff_keep_what_was_ordered() -> None:
    table = ATable()
    table.adds(MARGHERITA)
    table.places()
    table.sends()
    table.answers(Unknown("silence"))
    table.lock_ends()
    before = table.session
    assert not table.changes_menu(MARGHERITA, price_minor=1).events
    assert table.session is before


def test_the_cart_of_a_closed_session_is_left_alone() -> None:
    table = ATable()
    table.adds(MARGHERITA)
    table.closes()
    before = table.session
    assert not table.changes_menu(MARGHERITA, price_minor=1).events
    assert table.session is before


def test_the_menu_is_nobodys_edit_so_the_last_order_stands() -> None:
    table = ATable()
    table.adds(MARGHERITA)
    table.places()
    table.sends()
    table.answers(Rejected("busy", "No", True))
    last = table.session.last_order
    assert only(CartUpdated, table.changes_menu(MARGHERITA, price_minor=1).events)
    assert table.session.last_order == last
    assert table.session.processing_status == "failed"


@pytest.mark.parametrize("told", [1, 2])
def test_following_twice_is_following_once(told: int) -> None:
    table = ATable()
    table.adds(MARGHERITA)
    table.changes_menu(MARGHERITA, price_minor=1)
    seq = table.session.seq
    for _ in range(told):
        table.hears(FollowMenu())
    assert table.session.seq == seq
