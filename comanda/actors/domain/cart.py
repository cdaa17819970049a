"""Cart lines and the one table that says how their states may move."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from .messages import CartItem, LineState
from .money import to_major

LINE_TRANSITIONS: dict[LineState, frozenset[LineState]] = {
    "pending": frozenset({"locked"}),
    "locked": frozenset({"ordered", "pending"}),
    "ordered": frozenset(),
}
"""Specification 2.C: pending→locked→ordered on success, locked→pending on failure, nothing else."""


class IllegalTransition(Exception):
    """A state was asked to move where its table does not lead. A bug: it crashes the actor."""


class CartLine(Struct, frozen=True):
    """One line of the cart. `price_minor` follows the menu while pending and is frozen by the lock.

    `position` orders the lines of a session; `added_by` is a member id.
    """

    public_id: str
    position: int
    menu_item_id: int
    name: str
    price_minor: int
    qty: int
    note: str
    state: LineState
    available: bool
    added_by: str

    @property
    def total_minor(self) -> int:
        """The line's price in minor units."""
        return self.price_minor * self.qty

    def moved_to(self, state: LineState) -> "CartLine":
        """The same line in another state.

        Raises:
            IllegalTransition: `LINE_TRANSITIONS` does not lead there.
        """
        if state not in LINE_TRANSITIONS[self.state]:
            raise IllegalTransition(f"line {self.public_id}: {self.state} to {state}")
        return replace(self, state=state)

    def as_item(self, minor_digits: int) -> CartItem:
        """The line as members see it."""
        return CartItem(
            self.public_id,
            self.menu_item_id,
            self.name,
            to_major(self.price_minor, minor_digits),
            self.qty,
            self.note,
            self.state,
            self.available,
            self.added_by,
        )


def total_minor(lines: Iterable[CartLine]) -> int:
    """What the lines cost together, in minor units."""
    return sum([line.price_minor * line.qty for line in lines])


def notes_bytes(lines: Iterable[CartLine]) -> int:
    """How much the notes take together, in bytes of UTF-8."""
    return sum(len(line.note.encode()) for line in lines)
