"""For any sequence of events the store equals the snapshot taken at the same `seq`."""

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from comanda.actors.domain.inputs import Admit, ByMember, CallStarting, Input, Interrupted
from comanda.actors.domain.messages import (
    AddItem,
    ClearCart,
    Event,
    RemoveItem,
    UpdateItem,
)
from comanda.actors.domain.order import Accepted, Pending, Rejected, Unknown
from comanda.client import CartLockedError, CartStore

from ..actors.domain.helpers import KULFI, LASSI, MARGHERITA, ATable
from .stores import NO, a_store, follow, over_the_wire, what_is_shown

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
            command = store.place_order(f"For {by}")
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
            return table.hears(CallStarting(pending.order_id)).events
        return table.answers(outcome).events

    return step


def _lock_ends(table: ATable) -> tuple[Event, ...]:
    return () if table.session.pending is None else table.lock_ends().events


def _whole_order(by: str, *ends: Step) -> Step:
    """An order from the lock to its end, so that the rarer states come often enough."""

    def step(table: ATable) -> tuple[Event, ...]:
        parts = (_say(lambda _: ByMember(by, AddItem(MARGHERITA, 1))), _place(by), *ends)
        return tuple(event for part in parts for event in part(table))

    return step


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
    st.builds(
        _whole_order,
        _by,
        st.just(_pos(NO)),
        st.sampled_from([_pos(NO), _pos(Accepted("pos-1")), _lock_ends]),
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
