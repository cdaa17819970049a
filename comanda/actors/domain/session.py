"""The state of a dining session: frozen, copied where it changes, the same in memory and in storage."""

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

MAX_LINES_EVER = 4096
"""Lines a session may ever have had: ids are not used again, so they must be kept."""

MAX_IN_DOUBT = 8
"""Orders of a session that may wait for the staff; a snapshot shows them all with their lines."""

MAX_MEMBERS = 64
"""Members a session may have; a long table has thirty."""


class RequestMemory(Struct, frozen=True):
    """One member's last accepted commands by `request_id`, oldest first."""

    by_id: dict[str, Remembered]
    count: int

    def with_one(self, remembered: Remembered) -> "RequestMemory":
        """The same memory with one more, the oldest forgotten where the bound is reached."""
        by_id = dict(self.by_id)
        by_id[remembered.request_id] = remembered
        if len(by_id) > MAX_REQUESTS_KEPT:
            del by_id[next(iter(by_id))]
        return RequestMemory(by_id, self.count + 1)


NO_REQUESTS = RequestMemory({}, 0)


class Session(Struct, frozen=True):
    """A table's visit. Dictionaries in it are never changed in place.

    `lines` is the cart; the lines of confirmed orders and of orders in doubt have left it. `pending` is
    the order that holds the lock, `in_doubt` those whose lock has ended. `retired` are the public ids of
    lines that have left the cart.
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
