"""One canonical form of a table's state, from what a member has folded and from storage's rows."""

import hashlib
from collections.abc import Iterable

import msgspec

from comanda.client.cart_store import CartStore

MINOR_DIGITS = 2
"""Of the demonstration restaurant's currency."""

_encode = msgspec.json.Encoder(order="deterministic").encode


def digest(value: object) -> str:
    """Short, and equal for equal values only."""
    return hashlib.blake2b(_encode(value), digest_size=8).hexdigest()


def cart_digest(
    lines: Iterable[tuple[str, int, int, str, str]],
    total_minor: int,
    pending: str | None,
    in_doubt: Iterable[str],
) -> str:
    """What members and storage must agree upon.

    Args:
        lines: public id, menu item, quantity, note and state of each, in the cart's order.
        total_minor: what they cost.
        pending: the order that holds the lock.
        in_doubt: orders whose lock has ended before their outcome.
    """
    return digest([list(lines), total_minor, pending, sorted(in_doubt)])


def cart_of(store: CartStore) -> str:
    """The `cart_digest` of what a member has folded."""
    return cart_digest(
        [(one.public_id, one.menu_item_id, one.qty, one.note, one.state) for one in store.items],
        int(store.total.scaleb(MINOR_DIGITS)),
        store.pending_order_id,
        [one.order_id for one in store.in_doubt],
    )


def state_of(store: CartStore) -> str:
    """Digest of all that two members at the same `seq` must agree upon."""
    pending = store.pending_order
    return digest(
        [
            cart_of(store),
            None if pending is None else [pending.order_id, pending.stage, pending.attempt],
            store.locked_by_member,
            store.locked_by_name,
            store.last_order,
            sorted(member.member_id for member in store.members),
            [[one.unit_price, one.name, one.available, one.added_by] for one in store.items],
        ]
    )
