"""What a member does next: drawn from a seed, fitting to what it sees.

Every line and every order carries its command's `request_id` in its text, so that one finds in storage and
at the POS what each command has done, and how often.
"""

import random

from comanda.actors.domain.messages import (
    AddItem,
    CartCommand,
    ClearCart,
    RemoveItem,
    ResolveNow,
    UpdateItem,
)
from comanda.client.cart_store import CartStore

DISHES = (101, 102, 103, 104, 456, 457, 458, 459, 460)
WORDS = ("no onions", "well done", "extra spicy", "to share", "")
FULL_CART = 12
"""Lines from which on a member rather orders than adds."""


def choose(store: CartStore, rng: random.Random, request_id: str) -> CartCommand | None:
    """The next command; None to do nothing now."""
    if store.cart_locked:
        return _while_locked(rng, request_id)
    lines = store.items
    dice = rng.random()
    if not lines or (dice < 0.5 and len(lines) < FULL_CART):
        return add(rng, request_id)
    line = rng.choice(lines)
    if dice < 0.68:
        if rng.random() < 0.5:
            return UpdateItem(line.public_id, qty=rng.randint(1, 9), request_id=request_id)
        note = f"{tag_of(line.note)} {rng.choice(WORDS)}".strip()
        return UpdateItem(line.public_id, note=note, request_id=request_id)
    if dice < 0.75:
        return RemoveItem(line.public_id, request_id=request_id)
    if dice < 0.77:
        return ClearCart(request_id=request_id)
    return order(store, request_id)


def add(rng: random.Random, request_id: str) -> AddItem:
    """A new line; at times the server chooses its public id, and only the note tells whose it is."""
    own = f"p-{request_id}" if rng.random() < 0.6 else None
    note = f"{request_id} {rng.choice(WORDS)}".strip()
    return AddItem(rng.choice(DISHES), rng.randint(1, 9), note, own, request_id)


def order(store: CartStore, request_id: str) -> CartCommand:
    """Order what is seen. The store's own lock is taken back: the server's alone counts here."""
    placed = store.place_order(request_id)
    store.unlock_cart()
    return type(placed)(placed.cart_items, placed.total, placed.special_instructions, request_id)


def tag_of(note: str) -> str:
    """The `request_id` of the command that added the line with this note."""
    return note.partition(" ")[0]


def _while_locked(rng: random.Random, request_id: str) -> CartCommand | None:
    dice = rng.random()
    if dice < 0.15:
        return ResolveNow(request_id=request_id)
    if dice < 0.35:
        return add(rng, request_id)  # to be refused, or to slip in where the lock has just ended
    return None
