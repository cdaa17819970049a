"""A store beside a played table, and what both must show."""

from typing import Any

from comanda.actors.domain.messages import (
    CartSnapshot,
    Event,
    decode_told,
    encode,
)
from comanda.actors.domain.order import Rejected
from comanda.client import CartStore

from ..actors.domain.helpers import ATable

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


def lock_of(store: CartStore) -> tuple[bool, str]:
    return store.cart_locked, store.order_processing_status


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
