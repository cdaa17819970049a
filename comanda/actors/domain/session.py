"""The state of a dining session: frozen, copied where it changes, the same in memory and in storage."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import Struct

from .cart import CartLine, total_minor
from .changes import Member, Remembered
from .messages import (
    CartSnapshot,
    LastOrder,
    OrderInDoubt,
    PendingOrder,
    PresentMember,
    ProcessingStatus,
)
from .money import to_major
from .order import Order

MAX_REQUESTS_KEPT = 256
"""Remembered `request_id`s a member (PROTOCOL, "Commands")."""

_GENERATION = 32
_GENERATIONS = 1 + MAX_REQUESTS_KEPT // _GENERATION  # Those that are full hold all that is kept.

MAX_LINES_EVER = 4096
"""Lines a session may ever have had: ids are not used again, so they must be kept."""

MAX_IN_DOUBT = 8
"""Orders of a session that may wait for the staff; a snapshot shows them all with their lines."""

MAX_MEMBERS = 64
"""Members a session may have; a long table has thirty."""


class RequestMemory(Struct, frozen=True, eq=False):
    """One member's last accepted commands by `request_id`.

    In generations, the youngest first and alone growing, so that one more copies a few entries instead
    of them all. `count` is how many there ever were; those before the last `MAX_REQUESTS_KEPT` are
    forgotten, though a generation may still have them.
    """

    generations: tuple[dict[str, Remembered], ...]
    count: int

    @classmethod
    def of(cls, kept: Iterable[Remembered], count: int) -> "RequestMemory":
        """The memory of what was kept, oldest first."""
        return cls(({one.request_id: one for one in kept},), count)

    def __eq__(self, other: object) -> bool:
        """Whether the same is remembered, in whatever generations."""
        if not isinstance(other, RequestMemory):
            return NotImplemented
        return self.count == other.count and self.by_id == other.by_id

    def __hash__(self) -> int:
        return hash(self.count)

    @property
    def by_id(self) -> dict[str, Remembered]:
        """All that is remembered, oldest first."""
        return {
            one.request_id: one
            for generation in reversed(self.generations)
            for one in generation.values()
            if self._is_kept(one)
        }

    def find(self, request_id: str) -> Remembered | None:
        """What was accepted under this id, unless it is forgotten."""
        for generation in self.generations:
            found = generation.get(request_id)
            if found is not None:
                return found if self._is_kept(found) else None
        return None

    def with_one(self, remembered: Remembered) -> "RequestMemory":
        """The same memory with one more."""
        youngest, *older = self.generations
        if len(youngest) < _GENERATION:
            youngest = {**youngest, remembered.request_id: remembered}
        else:
            older = [youngest, *older[: _GENERATIONS - 2]]
            youngest = {remembered.request_id: remembered}
        return RequestMemory((youngest, *older), self.count + 1)

    def _is_kept(self, one: Remembered) -> bool:
        return one.number >= self.count - MAX_REQUESTS_KEPT


NO_REQUESTS = RequestMemory(({},), 0)


class Session(Struct, frozen=True):
    """A table's visit. Dictionaries in it are never changed in place.

    `lines` is the cart; the lines of confirmed orders and of orders in doubt have left it. `pending` is
    the order that holds the lock, `in_doubt` those whose lock has ended. `retired` are the public ids of
    lines that have left the cart. `join_pin` is what whoever joins must say once somebody sits here;
    None where nothing is asked, and when the session has closed.
    """

    pid: str
    restaurant_id: int
    table_code: str
    table_label: str
    currency: str
    minor_digits: int
    opened_at: datetime
    updated_at: datetime
    seq: int = 0
    closed_reason: str | None = None
    members: dict[str, Member] = msgspec.field(default_factory=dict)
    lines: dict[str, CartLine] = msgspec.field(default_factory=dict)
    retired: frozenset[str] = frozenset()
    next_position: int = 0
    pending: Order | None = None
    in_doubt: dict[str, Order] = msgspec.field(default_factory=dict)
    last_order: LastOrder | None = None
    requests: dict[str, RequestMemory] = msgspec.field(default_factory=dict)
    join_pin: str | None = None

    @property
    def total_minor(self) -> int:
        """What the cart costs, in minor units."""
        return total_minor(self.lines.values())

    @property
    def processing_status(self) -> ProcessingStatus:
        """`order_processing_status` of the specification."""
        if self.pending is not None:
            return "processing"
        return "idle" if self.last_order is None else self.last_order.status

    def name_of(self, member_id: str) -> str:
        """A member's name; the id itself for somebody who is not of this table."""
        member = self.members.get(member_id)
        return member_id if member is None else member.name

    def present(self, online: frozenset[str]) -> tuple[PresentMember, ...]:
        """The members, and who of them is connected."""
        return tuple(
            PresentMember(member.member_id, member.name, member.member_id in online)
            for member in self.members.values()
        )

    def snapshot(self, online: frozenset[str]) -> CartSnapshot:
        """The cart snapshot of the protocol, with `online` as the connected members' ids."""
        order = self.pending
        return CartSnapshot(
            session_pid=self.pid,
            seq=self.seq,
            items=tuple(line.as_item(self.minor_digits) for line in self.lines.values()),
            total=to_major(self.total_minor, self.minor_digits),
            currency=self.currency,
            cart_locked=order is not None,
            locked_by_member=None if order is None else order.placed_by,
            locked_by_name=None if order is None else order.placed_by_name,
            pending_order_id=None if order is None else order.order_id,
            order_processing_status=self.processing_status,
            pending_order=None if order is None else _pending(order),
            orders_in_doubt=tuple(
                OrderInDoubt(
                    doubt.order_id,
                    doubt.stage,
                    tuple(line.as_item(doubt.minor_digits) for line in doubt.lines),
                )
                for doubt in self.in_doubt.values()
            ),
            last_order=self.last_order,
            members=self.present(online),
            last_updated=self.updated_at,
            join_pin=self.join_pin,
        )


def _pending(order: Order) -> PendingOrder:
    return PendingOrder(
        order_id=order.order_id,
        stage=order.stage,
        attempt=order.attempt,
        placed_by=order.placed_by,
        placed_at=order.placed_at,
        lock_ends_at=order.lock_ends_at,
    )
