"""The cart store: the specification's state and methods, and the truth of every snapshot from events alone."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from comanda.actors.domain.inputs import Admit, ByMember, Input, Interrupted
from comanda.actors.domain.messages import (
    AddItem,
    CartSnapshot,
    ClearCart,
    Event,
    OrderConfirmed,
    Presence,
    PresentMember,
    RemoveItem,
    SeenItem,
    UpdateItem,
    decode_told,
    encode,
)
from comanda.actors.domain.order import Accepted, Pending, Rejected, Unknown
from comanda.client import CartLockedError, CartStore, CommandRefused, SeqGap

from ..actors.domain.helpers import KULFI, LASSI, MARGHERITA, NOW, ATable

NO = Rejected("closed", "The kitchen is closed", retryable=True)


def a_store(table: ATable, member_id: str = "member_1") -> CartStore:
    store = CartStore(member_id)
    store.load_snapshot(over_the_wire(table.session.snapshot(frozenset())))
    return store


def over_the_wire(snapshot: CartSnapshot) -> CartSnapshot:
    told = decode_told(encode(snapshot))
    assert isinstance(told, CartSnapshot)
    return told


def follow(store: CartStore, events: tuple[Event, ...]) -> None:
    for event in events:
        told = decode_told(encode(event))
        assert told == event
        assert store.apply(event) == "applied"


def what_is_shown(store: CartStore | CartSnapshot) -> dict[str, Any]:
    """All that a store and a snapshot have in common; `lock_ends_at` comes with `order_processing` only."""
    pending = store.pending_order
    in_doubt = store.in_doubt if isinstance(store, CartStore) else store.orders_in_doubt
    return {
        "seq": store.seq,
        "session_pid": store.session_pid,
        "items": store.items,
        "total": store.total,
        "currency": store.currency,
        "cart_locked": store.cart_locked,
        "locked_by": (store.locked_by_member, store.locked_by_name),
        "pending_order_id": store.pending_order_id,
        "status": store.order_processing_status,
        "pending": pending
        and (pending.stage, pending.attempt, pending.placed_by, pending.placed_at),
        "in_doubt": {order.order_id: (order.stage, order.lines) for order in in_doubt},
        "last_order": store.last_order,
        "members": [(member.member_id, member.name) for member in store.members],
        "last_updated": store.last_updated,
    }


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
    assert not store.cart_locked
    assert store.order_processing_status == "idle"
    follow(store, table.says(store.place_order()).events)
    assert not store.locked_here
    store.unlock_cart()
    assert store.cart_locked
    assert store.order_processing_status == "processing"


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
    assert store.cart_locked
    assert store.pending_order_id == "ORD-7-1"
    store.clear_pending_order()
    store.set_order_processing_status("failed")
    store.unlock_cart()
    assert not store.cart_locked
    assert store.pending_order_id is None
    assert store.order_processing_status == "idle"


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


# --- The invariant ----------------------------------------------------------------------------------

Step = Callable[[ATable], tuple[Event, ...]]


def _say(make: Callable[[ATable], Input]) -> Step:
    def step(table: ATable) -> tuple[Event, ...]:
        outcome = table.decide(make(table))
        return getattr(outcome, "events", ())

    return step


def _line(table: ATable, n: int) -> str:
    lines = list(table.session.lines)
    return lines[n % len(lines)] if lines else "item_0"


def _place(by: str) -> Step:
    def step(table: ATable) -> tuple[Event, ...]:
        store = CartStore(by)
        store.load_snapshot(over_the_wire(table.session.snapshot(frozenset())))
        try:
            command = store.place_order()
        except CartLockedError:
            return ()
        return _say(lambda _: ByMember(by, command))(table)

    return step


def _pos(outcome: Accepted | Rejected | Pending | Unknown) -> Step:
    def step(table: ATable) -> tuple[Event, ...]:
        pending = table.session.pending
        if pending is None:
            doubts = list(table.session.in_doubt)
            return table.answers(outcome, doubts[0]).events if doubts else ()
        if pending.state == "prepared":
            sent = table.session
            table.sends()
            assert sent.seq + 1 == table.session.seq
            return _last_of(table)
        return table.answers(outcome).events

    return step


def _last_of(table: ATable) -> tuple[Event, ...]:
    """The `order_processing` of the call that has just started, made again from the state."""
    from comanda.actors.domain.messages import OrderProcessing
    from comanda.actors.domain.settling import PROCESSING_MESSAGES

    order = table.order
    return (
        OrderProcessing(
            table.session.seq,
            order.order_id,
            order.stage,
            order.attempt,
            order.lock_ends_at,
            PROCESSING_MESSAGES[order.stage],
            table.now,
        ),
    )


def _lock_ends(table: ATable) -> tuple[Event, ...]:
    return () if table.session.pending is None else table.lock_ends().events


def _menu(item: int, price: int, available: bool) -> Step:
    return lambda table: table.changes_menu(item, price_minor=price, available=available).events


_by = st.sampled_from(["member_1", "member_2"])
_item = st.sampled_from([MARGHERITA, LASSI, KULFI])
_steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(
        lambda by, item, qty: _say(lambda _: ByMember(by, AddItem(item, qty))),
        _by,
        _item,
        st.integers(1, 3),
    ),
    st.builds(
        lambda by, n, qty: _say(lambda table: ByMember(by, UpdateItem(_line(table, n), qty))),
        _by,
        st.integers(0, 3),
        st.integers(1, 5),
    ),
    st.builds(
        lambda by, n: _say(lambda table: ByMember(by, RemoveItem(_line(table, n)))),
        _by,
        st.integers(0, 3),
    ),
    st.builds(lambda by: _say(lambda _: ByMember(by, ClearCart())), _by),
    st.builds(_place, _by),
    st.builds(_place, _by),
    st.sampled_from(
        [
            _pos(Accepted("pos-1")),
            _pos(NO),
            _pos(Rejected("no", "Never", retryable=False)),
            _pos(Unknown("no answer")),
            _pos(Pending("pos-2", None)),
        ]
    ),
    st.builds(_menu, _item, st.integers(1, 99999), st.booleans()),
    st.just(_lock_ends),
    st.just(_say(lambda _: Interrupted())),
    st.just(_say(lambda _: Admit("Cem"))),
)


@settings(deadline=None, max_examples=300)
@given(plan=st.lists(_steps, max_size=40), joins_at=st.integers(0, 10))
def test_after_any_events_the_store_equals_the_snapshot_of_the_same_seq(
    plan: list[Step], joins_at: int
) -> None:
    table = ATable("Ana", "Ben")
    store: CartStore | None = None
    for number, step in enumerate(plan):
        if number >= joins_at and store is None:
            store = a_store(table)
        events = step(table)
        if store is None:
            continue
        follow(store, events)
        assert what_is_shown(store) == what_is_shown(table.session.snapshot(frozenset()))


@settings(deadline=None, max_examples=150)
@given(
    plan=st.lists(_steps, min_size=5, max_size=40),
    taken_at=st.integers(0, 20),
    late=st.integers(0, 10),
)
def test_events_that_overlap_a_snapshot_do_no_harm(
    plan: list[Step], taken_at: int, late: int
) -> None:
    table = ATable("Ana", "Ben")
    told: list[Event] = []
    snapshot = over_the_wire(table.session.snapshot(frozenset()))
    for number, step in enumerate(plan):
        told += step(table)
        if number == taken_at:
            snapshot = over_the_wire(table.session.snapshot(frozenset()))
    store = CartStore("member_2")
    store.load_snapshot(snapshot)
    for event in told:
        if event.seq > snapshot.seq - late:
            expected = "stale" if event.seq <= snapshot.seq else "applied"
            assert store.apply(event) == expected
    assert what_is_shown(store) == what_is_shown(table.session.snapshot(frozenset()))
