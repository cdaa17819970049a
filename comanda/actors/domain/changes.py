"""What decisions changed, as the rows that a commit has to write."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from .cart import CartLine
from .incident import Incident, VoidWanted
from .messages import LineState
from .order import Order, PosOutcome


class Member(Struct, frozen=True):
    """A participant of a dining session."""

    member_id: str
    name: str
    joined_at: datetime


class LineMove(Struct, frozen=True):
    """A line's state moves; `order_id` is the order that locks it, None when it is free again."""

    public_id: str
    state: LineState
    order_id: str | None


class Remembered(Struct, frozen=True):
    """An accepted command's `request_id`, so that the same one gets the same reply.

    `number` counts the member's remembered commands; a store may keep it at ``number % limit``.
    """

    member_id: str
    request_id: str
    number: int
    fingerprint: bytes
    seq: int


class AttemptStarted(Struct, frozen=True):
    """A call to the POS is about to be made (T2)."""

    order_id: str
    attempt: int
    at: datetime


class AttemptEnded(Struct, frozen=True):
    """What a call to the POS brought (T3)."""

    order_id: str
    attempt: int
    at: datetime
    outcome: PosOutcome


class Changes:
    """The difference between two states of one session, in writing order.

    `lines`: added or changed pending lines in their last form, by public id; `moves`: state moves, in
    the order in which they happened; `removed`: lines that left the cart for good; `orders`: new or
    changed orders in their last form; `incidents` and `voids`: new ones, written where there is none
    of the kind. The session's own row always goes with a commit.

    A locked row's content must not change, so the order of writing is: orders; for each of `lines` whose
    row stands locked in storage, its first move, which frees it; `lines`; the other moves; `removed`.
    """

    __slots__ = (
        "attempts",
        "incidents",
        "lines",
        "members",
        "moves",
        "orders",
        "removed",
        "requests",
        "voids",
    )

    def __init__(self) -> None:
        self.lines: dict[str, CartLine] = {}
        self.moves: list[LineMove] = []
        self.removed: dict[str, None] = {}
        self.members: list[Member] = []
        self.orders: dict[str, Order] = {}
        self.attempts: list[AttemptStarted | AttemptEnded] = []
        self.requests: list[Remembered] = []
        self.incidents: list[Incident] = []
        self.voids: list[VoidWanted] = []

    @classmethod
    def of(cls, parts: Sequence["Changes"]) -> "Changes":
        """What decisions upon one after another have changed. A single part is taken as it is."""
        if len(parts) == 1:
            return parts[0]
        whole = cls()
        for part in parts:
            whole.add(part)
        return whole

    def __bool__(self) -> bool:
        return bool(
            self.lines
            or self.requests
            or self.removed
            or self.moves
            or self.members
            or self.orders
            or self.attempts
            or self.incidents
            or self.voids
        )

    def add(self, later: "Changes") -> None:
        """Take in what a later decision changed on top of these."""
        self.lines.update(later.lines)
        self.moves += later.moves
        self.removed.update(later.removed)
        self.members += later.members
        self.orders.update(later.orders)
        self.attempts += later.attempts
        self.requests += later.requests
        self.incidents += later.incidents
        self.voids += later.voids
