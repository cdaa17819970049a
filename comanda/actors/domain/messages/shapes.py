"""The shapes in which events, snapshots and HTTP answers show carts, orders and members."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from .vocabulary import IncidentKind, LineState, OrderStateName, ProcessingStatus, Stage


class CartItem(Struct, frozen=True):
    """A cart line as every member sees it."""

    public_id: str
    menu_item_id: int
    name: str
    unit_price: Decimal
    qty: int
    note: str
    state: LineState
    available: bool
    added_by: str


class OrderItem(Struct, frozen=True):
    """A line of an order, its price frozen when the cart was locked. `added_by` is a name."""

    public_id: str
    menu_item_id: int
    name: str
    qty: int
    unit_price: Decimal
    line_total: Decimal
    note: str
    added_by: str


class OrderRecord(Struct, frozen=True):
    """An order as members and staff read it. `placed_by` is a member id."""

    order_id: str
    restaurant_id: int
    order_number: int
    session_pid: str
    table: str
    state: OrderStateName
    placed_by: str
    placed_by_name: str
    placed_at: datetime
    confirmed_at: datetime | None
    lines: tuple[OrderItem, ...]
    total: Decimal
    currency: str
    special_instructions: str
    pos_reference: str | None
    error: str | None


class IncidentRecord(Struct, frozen=True):
    """A contradiction as the staff read it; it stands while `closed_at` is null.

    `message` says what it is, `detail` what the POS has said. `closed_outcome` is what the staff found
    the order to be, `closed_by` whose staff they were.
    """

    kind: IncidentKind
    message: str
    detail: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    closed_outcome: str | None
    closed_reason: str | None


class StaffOrder(OrderRecord, frozen=True):
    """An order as the staff alone read it.

    `decided_by` and `decided_reason` stand where the staff have settled it, `heard_by` where the POS
    settled it otherwise than by answering a call.
    """

    settled_at: datetime | None
    decided_by: str | None
    decided_reason: str | None
    heard_by: str | None
    incidents: tuple[IncidentRecord, ...]


class PendingOrder(Struct, frozen=True):
    """The order that holds the cart's lock. `attempt` 0: its first call is about to be made."""

    order_id: str
    stage: Stage
    attempt: int
    placed_by: str
    placed_at: datetime
    lock_ends_at: datetime


class OrderInDoubt(Struct, frozen=True):
    """An order whose lock has ended before its outcome was known."""

    order_id: str
    stage: Stage
    lines: tuple[OrderItem, ...]


class LastOrder(Struct, frozen=True):
    """How the table's last order ended; `tries` counts failures in a row of an unchanged cart.

    `special_instructions` are that order's, so that whoever orders the cart once more can send them again.
    """

    order_id: str
    status: Literal["confirmed", "failed"]
    error: str | None
    allow_retry: bool
    placed_by: str
    tries: int
    special_instructions: str = ""  # a session saved before this was told has none


class PresentMember(Struct, frozen=True):
    """A member and whether one of their connections is open."""

    member_id: str
    name: str
    online: bool


class JoinedMember(Struct, frozen=True):
    """A member who has just sat down."""

    member_id: str
    name: str


class CartSnapshot(Struct, frozen=True, tag="cart_snapshot"):
    """The whole truth about a table at `seq`.

    `join_pin` is what others must say to sit down here too; null where joining needs none.
    """

    session_pid: str
    seq: int
    items: tuple[CartItem, ...]
    total: Decimal
    currency: str
    cart_locked: bool
    locked_by_member: str | None
    locked_by_name: str | None
    pending_order_id: str | None
    order_processing_status: ProcessingStatus
    pending_order: PendingOrder | None
    orders_in_doubt: tuple[OrderInDoubt, ...]
    last_order: LastOrder | None
    members: tuple[PresentMember, ...]
    last_updated: datetime
    join_pin: str | None = None
