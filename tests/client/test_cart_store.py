"""The cart store: the specification's methods and guards, and what each event does to it."""

from collections.abc import Callable

import pytest
from msgspec import UNSET

from comanda.actors.domain.inputs import CallStarting
from comanda.actors.domain.messages import (
    AddItem,
    ClearCart,
    OrderConfirmed,
    Presence,
    PresentMember,
    RemoveItem,
    SeenItem,
    UpdateItem,
)
from comanda.actors.domain.order import Accepted
from comanda.client import CartLockedError, CartStore, CommandRefused, SeqGap

from ..actors.domain.helpers import LASSI, MARGHERITA, NOW, ATable
from .stores import NO, a_store, follow, lock_of, what_is_shown

# --- Guards -----------------------------------------------------------------------------------------

GUARDED: list[Callable[[CartStore], object]] = [
    lambda store: store.add_to_cart(MARGHERITA),
    lambda store: store.update_cart_item("item_1", qty=2),
    lambda store: store.remove_from_cart("item_1"),
    lambda store: store.clear_cart(),
    lambda store: store.place_order(),
]


@pytest.mark.parametrize("guarded", GUARDED)
def test_a_cart_locked_by_anybody_refuses_edits_and_orders_in_the_servers_words(
    guarded: Callable[[CartStore], object],
) -> None:
    table = ATable()
    table.adds()
    store = a_store(table, "member_2")
    table.places(by="member_1")
    store.load_snapshot(table.session.snapshot(frozenset()))
    with pytest.raises(CartLockedError, match=r"\AOrder already being processed\Z") as refused:
        guarded(store)
    assert isinstance(refused.value, CommandRefused)
    assert refused.value.code == "cart_locked"
    assert store.locked_by_others
    assert store.locked_by_name == "Ana"


def test_guarded_methods_give_the_command_to_send_and_change_nothing() -> None:
    table = ATable()
    public_id = table.adds(qty=2, note="Extra spicy")
    store = a_store(table)
    before = what_is_shown(store)
    assert store.add_to_cart(LASSI, 3, "cold") == AddItem(LASSI, 3, "cold")
    assert store.update_cart_item(public_id, qty=5) == UpdateItem(public_id, 5, UNSET)
    assert store.update_cart_item(public_id, note="") == UpdateItem(public_id, UNSET, "")
    assert store.remove_from_cart(public_id) == RemoveItem(public_id)
    assert store.clear_cart() == ClearCart()
    assert what_is_shown(store) == before


def test_placing_an_order_locks_the_cart_here_and_says_what_is_seen() -> None:
    table = ATable()
    public_id = table.adds(qty=2, note="Extra spicy")
    store = a_store(table)
    command = store.place_order("Table by the window")
    assert command.cart_items == (SeenItem(public_id, MARGHERITA, 2, "Extra spicy"),)
    assert command.total == 1250.0
    assert command.special_instructions == "Table by the window"
    assert store.cart_locked
    assert store.order_processing_status == "processing"
    assert store.pending_order_id is None
    with pytest.raises(CartLockedError):
        store.place_order()


def test_unlocking_here_takes_back_the_lock_of_here_and_leaves_the_servers() -> None:
    table = ATable()
    table.adds()
    store = a_store(table)
    store.place_order()
    store.unlock_cart()
    assert lock_of(store) == (False, "idle")
    follow(store, table.says(store.place_order()).events)
    assert not store.locked_here
    store.unlock_cart()
    assert lock_of(store) == (True, "processing")


def test_a_snapshot_taken_while_the_order_is_on_its_way_keeps_the_lock_of_here() -> None:
    table = ATable()
    table.adds()
    store = a_store(table)
    store.place_order()
    store.load_snapshot(table.session.snapshot(frozenset()))
    assert store.cart_locked
    assert store.order_processing_status == "processing"


def test_the_specifications_setters_do_what_they_say() -> None:
    store = a_store(ATable())
    store.lock_cart()
    store.set_order_processing_status("processing")
    store.set_pending_order("ORD-7-1")
    assert lock_of(store) == (True, "processing")
    assert store.pending_order_id == "ORD-7-1"
    store.clear_pending_order()
    store.set_order_processing_status("failed")
    assert lock_of(store) == (True, "failed")
    store.unlock_cart()
    assert lock_of(store) == (False, "idle")


# --- Events -----------------------------------------------------------------------------------------


def test_the_locked_lines_leave_when_the_order_is_confirmed() -> None:
    table = ATable()
    table.adds()
    store = a_store(table)
    order = table.places()
    store.load_snapshot(table.session.snapshot(frozenset()))
    assert [item.state for item in store.items] == ["locked"]
    table.sends()
    store.load_snapshot(table.session.snapshot(frozenset()))
    follow(store, table.answers(Accepted("pos-1")).events)
    assert store.items == ()
    assert store.total == 0
    assert not store.cart_locked
    assert store.order_processing_status == "confirmed"
    assert [known.order_id for known in store.orders] == [order.order_id]


def test_the_locked_lines_return_to_pending_when_the_order_fails() -> None:
    table = ATable()
    table.adds()
    store = a_store(table)
    follow(store, table.says(store.place_order()).events)
    table.sends()
    store.load_snapshot(table.session.snapshot(frozenset()))
    follow(store, table.answers(NO).events)
    assert [item.state for item in store.items] == ["pending"]
    assert store.order_processing_status == "failed"
    assert store.last_order is not None
    assert (store.last_order.tries, store.last_order.placed_by) == (1, "member_1")


def test_the_end_of_the_lock_moves_the_lines_to_the_order_in_doubt() -> None:
    table = ATable()
    table.adds(qty=2, by="member_2")
    store = a_store(table)
    order = table.places()
    table.sends()
    store.load_snapshot(table.session.snapshot(frozenset()))
    follow(store, table.lock_ends().events)
    assert store.items == ()
    (doubt,) = store.in_doubt
    assert doubt.order_id == order.order_id
    assert [(line.qty, line.added_by) for line in doubt.lines] == [(2, "Ben")]
    assert not store.cart_locked
    assert store.order_processing_status == "idle"


def test_an_order_in_doubt_leaves_no_failure_before_it_to_be_retried() -> None:
    table = ATable()
    table.adds()
    table.places()
    table.sends()
    table.answers(NO)
    store = a_store(table)
    assert store.order_processing_status == "failed"
    follow(store, table.says(store.place_order()).events)
    follow(store, table.hears(CallStarting(table.order.order_id)).events)
    follow(store, table.lock_ends().events)
    assert store.last_order is None
    assert what_is_shown(store) == what_is_shown(table.session.snapshot(frozenset()))


def test_the_late_outcome_of_an_order_in_doubt_touches_no_later_lock() -> None:
    table = ATable()
    table.adds()
    first = table.places()
    table.sends()
    table.lock_ends()
    table.adds(LASSI)
    table.places()
    store = a_store(table)
    follow(store, table.answers(Accepted("late"), first.order_id).events)
    assert store.cart_locked
    assert [item.menu_item_id for item in store.items] == [LASSI]
    assert store.in_doubt == ()
    assert [order.order_id for order in store.orders] == [first.order_id]


def test_events_that_the_snapshot_holds_already_are_dropped() -> None:
    table = ATable()
    store = a_store(table)
    events = table.says(AddItem(MARGHERITA, 1)).events
    follow(store, events)
    before = what_is_shown(store)
    assert store.apply(events[0]) == "stale"
    assert what_is_shown(store) == before


def test_a_missing_event_is_a_gap_and_changes_nothing() -> None:
    table = ATable()
    store = a_store(table)
    table.adds()
    before = what_is_shown(store)
    (event,) = table.says(AddItem(LASSI, 1)).events
    assert store.apply(event) == SeqGap(expected=event.seq - 1, got=event.seq)
    assert what_is_shown(store) == before
    store.load_snapshot(table.session.snapshot(frozenset()))
    follow(store, table.says(ClearCart()).events)


def test_an_event_before_any_snapshot_is_a_gap() -> None:
    (event,) = ATable().says(AddItem(LASSI, 1)).events
    assert isinstance(CartStore("member_1").apply(event), SeqGap)


def test_presence_says_who_is_online_and_has_no_place_in_the_order_of_events() -> None:
    store = a_store(ATable())
    seq = store.seq
    members = (PresentMember("member_1", "Ana", online=True),)
    assert store.apply(Presence(members, NOW)) == "applied"
    assert store.members == members
    assert store.seq == seq


def test_fetched_orders_and_told_ones_stand_once_each_newest_first() -> None:
    table = ATable()
    store = a_store(table)
    told = []
    for _ in range(3):
        table.adds()
        table.places()
        table.sends()
        (event,) = table.answers(Accepted("pos")).events
        assert isinstance(event, OrderConfirmed)
        told.append(event.order)
    store.load_orders((told[2],))
    store.load_orders((told[1], told[0]))
    store.load_orders((told[1],))
    assert store.orders == (told[2], told[1], told[0])


def test_a_page_loaded_anew_knows_nothing_but_who_it_is() -> None:
    table = ATable()
    table.adds()
    store = a_store(table)
    store.place_order()
    store.reset()
    assert store.seq is None
    assert store.items == ()
    assert not store.cart_locked
    assert store.member_id == "member_1"


def test_the_late_refusal_of_an_order_in_doubt_brings_nothing_back() -> None:
    table = ATable()
    table.adds()
    first = table.places()
    table.sends()
    table.lock_ends()
    table.adds(LASSI)
    table.places()
    store = a_store(table)
    follow(store, table.answers(NO, first.order_id).events)
    assert store.cart_locked
    assert [(item.menu_item_id, item.state) for item in store.items] == [(LASSI, "locked")]
    assert store.in_doubt == ()
    assert store.last_order is None
