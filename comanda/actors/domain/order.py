"""Orders from the lock on: their states, what a POS may answer, and which answer leads where."""

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict

from .cart import CartLine, IllegalTransition
from .messages import (
    IncidentRecord,
    OrderItem,
    OrderRecord,
    OrderStateName,
    StaffOrder,
    Stage,
)
from .money import to_major

ORDER_TRANSITIONS: dict[OrderStateName, frozenset[OrderStateName]] = {
    "prepared": frozenset({"sent", "rejected"}),
    "sent": frozenset({"confirmed", "rejected", "unknown"}),
    "unknown": frozenset({"confirmed", "rejected", "needs_staff"}),
    "needs_staff": frozenset({"confirmed", "rejected"}),
    "confirmed": frozenset(),
    "rejected": frozenset(),
}
"""How an order may move ("Settling an order at the POS")."""

IN_FLIGHT: frozenset[OrderStateName] = frozenset({"prepared", "sent", "unknown"})
"""States in which somebody of ours still works on the order, so that its actor stays live."""

UNSETTLED: frozenset[OrderStateName] = IN_FLIGHT | {"needs_staff"}
"""States without an outcome."""


# --- What a POS may answer ------------------------------------------------------------------------


class Accepted(Struct, frozen=True, tag="accepted"):
    """The POS has the order, under `reference`."""

    reference: str


class Pending(Struct, frozen=True, tag="pending"):
    """The POS has taken the order and will decide; nothing need be asked before `expected_by`."""

    reference: str | None
    expected_by: datetime | None


class Rejected(Struct, frozen=True, tag="rejected"):
    """The POS has refused this key for good. `retryable`: a new order may be tried."""

    code: str
    message: str
    retryable: bool


class NotSent(Struct, frozen=True, tag="not_sent"):
    """The order provably never left us, or was turned away at the door without having been taken in.

    `retry_after_seconds`: when the POS would have the call come again; None where it has not said.
    """

    why: str
    retry_after_seconds: float | None = None


class Unknown(Struct, frozen=True, tag="unknown"):
    """Anything else: the order may be cooking. Never taken for a failure.

    `key_reused`: the POS has this key with another body. Which of the two it cooks nobody knows.
    """

    why: str
    key_reused: bool = False


PosOutcome = Accepted | Pending | Rejected | NotSent | Unknown


class OrderLine(Struct, frozen=True):
    """A line of an order, frozen at the lock. `added_by_name` is what the kitchen reads."""

    public_id: str
    menu_item_id: int
    name: str
    qty: int
    price_minor: int
    note: str
    added_by: str
    added_by_name: str

    @classmethod
    def of(cls, line: CartLine, added_by_name: str) -> "OrderLine":
        """The order's copy of a cart line."""
        return cls(
            line.public_id,
            line.menu_item_id,
            line.name,
            line.qty,
            line.price_minor,
            line.note,
            line.added_by,
            added_by_name,
        )

    def as_item(self, minor_digits: int) -> OrderItem:
        """The line as members, staff and the POS read it."""
        return OrderItem(
            self.public_id,
            self.menu_item_id,
            self.name,
            self.qty,
            to_major(self.price_minor, minor_digits),
            to_major(self.price_minor * self.qty, minor_digits),
            self.note,
            self.added_by_name,
        )


CLOCK_SLACK = timedelta(seconds=5)
"""By so much the wall clock may be put back without ending a lock that was just begun: the steps of network
time are smaller. A lock lasts by so much longer at the most than twice its limit."""


class Order(Struct, frozen=True):
    """One order. Its id is its idempotency key at the POS; id, lines and total never change.

    `payload` are the very bytes that go to the POS, made once at the lock: the same key never travels
    with other bytes. `attempt` counts calls to the POS. `lock_ends_at` is the wall-clock end of the
    cart's lock. `expected_by` stands only where the POS has answered `Pending`. `key_reused`: what the
    POS says of this key is of another order, and not believed. `heard_by` says how the outcome came, if
    not as the answer to a call. `decided_by` and `decided_reason` stand where the staff have settled it:
    whose staff, and why.
    """

    order_id: str
    restaurant_id: int
    order_number: int
    session_pid: str
    table_label: str
    state: OrderStateName
    placed_by: str
    placed_by_name: str
    placed_at: datetime
    lock_ends_at: datetime
    lines: tuple[OrderLine, ...]
    total_minor: int
    currency: str
    minor_digits: int
    special_instructions: str
    payload: bytes
    attempt: int = 0
    taken_by_pos: bool = False
    expected_by: datetime | None = None
    settled_at: datetime | None = None
    pos_reference: str | None = None
    error: str | None = None
    allow_retry: bool = False
    key_reused: bool = False
    heard_by: str | None = None
    decided_by: str | None = None
    decided_reason: str | None = None

    @property
    def stage(self) -> Stage:
        """The state in the words of `order_processing`; an order about to be sent counts as `sent`."""
        if self.state == "needs_staff":
            return "needs_staff"
        if self.state == "unknown":
            return "pending" if self.taken_by_pos else "unknown"
        return "sent"

    def lock_has_ended(self, now: datetime) -> bool:
        """Whether the lock's deadline has passed, by the wall clock.

        A clock that shows a time before the order was placed has been put back: its deadline may be
        hours away then, and the lock has ended.
        """
        return now >= self.lock_ends_at or now < self.placed_at - CLOCK_SLACK

    def check_move(self, state: OrderStateName) -> None:
        """Raise `IllegalTransition` unless the order may move to `state`."""
        if state not in ORDER_TRANSITIONS[self.state]:
            raise IllegalTransition(f"order {self.order_id}: {self.state} to {state}")

    def as_record(self) -> OrderRecord:
        """The order as members and staff read it."""
        return OrderRecord(
            order_id=self.order_id,
            restaurant_id=self.restaurant_id,
            order_number=self.order_number,
            session_pid=self.session_pid,
            table=self.table_label,
            state=self.state,
            placed_by=self.placed_by,
            placed_by_name=self.placed_by_name,
            placed_at=self.placed_at,
            confirmed_at=self.settled_at if self.state == "confirmed" else None,
            lines=tuple(line.as_item(self.minor_digits) for line in self.lines),
            total=to_major(self.total_minor, self.minor_digits),
            currency=self.currency,
            special_instructions=self.special_instructions,
            pos_reference=self.pos_reference,
            error=self.error,
        )

    def as_staff_order(self, incidents: tuple[IncidentRecord, ...]) -> StaffOrder:
        """The order as the staff alone read it, with what is on record against it."""
        return StaffOrder(
            **asdict(self.as_record()),
            settled_at=self.settled_at,
            decided_by=self.decided_by,
            decided_reason=self.decided_reason,
            heard_by=self.heard_by,
            incidents=incidents,
        )


class PosLine(Struct, frozen=True):
    """A line as the POS reads it (the POS contract's body)."""

    menu_item_id: int
    name: str
    qty: int
    unit_price: Decimal
    line_total: Decimal
    note: str
    added_by: str


class PosBody(Struct, frozen=True):
    """The body of the POS contract's `POST {base}/orders`. Names, not member ids."""

    order_id: str
    restaurant_id: int
    order_number: int
    table: str
    placed_by: str
    placed_at: datetime
    currency: str
    lines: tuple[PosLine, ...]
    total: Decimal
    special_instructions: str


def order_id_for(restaurant_id: int, order_number: int) -> str:
    """The order id of specification 7.3, `ORD-{restaurant_id}-{order_number}`."""
    return f"ORD-{restaurant_id}-{order_number}"
