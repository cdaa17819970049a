"""What the server tells: events, which count `seq`, and what is no part of the session's state."""

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

from .shapes import CartItem, CartSnapshot, JoinedMember, OrderRecord, PresentMember
from .vocabulary import ErrorCode, RefusalCode, Stage


class CartUpdated(Struct, frozen=True, tag="cart_updated"):
    """Lines were added, changed or removed; `items` holds the added and changed ones only."""

    seq: int
    by_member: str | None
    items: tuple[CartItem, ...]
    removed: tuple[str, ...]
    total: Decimal
    timestamp: datetime


class CartLocked(Struct, frozen=True, tag="cart_locked"):
    """An order was placed: nobody edits or orders until it is settled."""

    seq: int
    locked_by_member: str
    locked_by: str
    locked_by_name: str
    order_id: str
    message: str
    timestamp: datetime


class OrderProcessing(Struct, frozen=True, tag="order_processing"):
    """Where the order is on its way to the POS."""

    seq: int
    order_id: str
    stage: Stage
    attempt: int
    lock_ends_at: datetime
    message: str
    timestamp: datetime


class OrderConfirmed(Struct, frozen=True, tag="order_confirmed"):
    """The POS has the order."""

    seq: int
    order_id: str
    message: str
    order: OrderRecord
    timestamp: datetime


class OrderFailed(Struct, frozen=True, tag="order_failed"):
    """The POS has refused the order, or it provably never got there.

    `special_instructions` are the order's: whoever at the table orders once more can send them again.
    """

    seq: int
    order_id: str
    error: str
    message: str
    allow_retry: bool
    timestamp: datetime
    special_instructions: str = ""


class CartUnlocked(Struct, frozen=True, tag="cart_unlocked"):
    """The lock limit has ended; the order goes on without the cart."""

    seq: int
    order_id: str
    message: str
    timestamp: datetime


class MemberJoined(Struct, frozen=True, tag="member_joined"):
    """Somebody has sat down; told once a member."""

    seq: int
    member: JoinedMember
    timestamp: datetime


class SessionClosed(Struct, frozen=True, tag="session_closed"):
    """The party has left."""

    seq: int
    reason: str
    timestamp: datetime


Event = (
    CartUpdated
    | CartLocked
    | OrderProcessing
    | OrderConfirmed
    | OrderFailed
    | CartUnlocked
    | MemberJoined
    | SessionClosed
)


class Presence(Struct, frozen=True, tag="presence"):
    """Who of the table is connected now."""

    members: tuple[PresentMember, ...]
    timestamp: datetime


class MenuChange(Struct, frozen=True):
    """A menu item's price and availability after a change."""

    menu_item_id: int
    price: Decimal
    available: bool


class MenuUpdated(Struct, frozen=True, tag="menu_updated"):
    """The restaurant has changed its menu."""

    items: tuple[MenuChange, ...]
    timestamp: datetime


class Pong(Struct, frozen=True, tag="pong"):
    """The answer to `Ping`."""

    request_id: str | None
    timestamp: datetime


class ServerClosing(Struct, frozen=True, tag="server_closing"):
    """The server restarts: join again after `retry_after` seconds."""

    retry_after: float
    timestamp: datetime


class Ack(Struct, frozen=True, tag="ack"):
    """The command was accepted and is durable; `seq` is the session's after it."""

    request_id: str
    seq: int


class Error(Struct, frozen=True, tag="error", omit_defaults=True):
    """A refusal: a code for programs, a sentence for people."""

    code: ErrorCode
    message: str
    request_id: str | None = msgspec.field(default_factory=lambda: None)
    retry_after: float | None = None


Told = Event | CartSnapshot | Presence | MenuUpdated | Pong | ServerClosing | Ack | Error


class Rejection(Struct, frozen=True):
    """A legitimate no. A value, never an exception."""

    code: RefusalCode
    message: str
    retry_after: float | None = None

    def as_error(self, request_id: str | None) -> Error:
        """The wire's form of this refusal, for the sender alone."""
        assert self.code != "conflict", "no member's command is answered so"
        assert self.code != "pin_required", "who is a member has said it"
        assert self.code != "pin_wrong", "who is a member has said it"
        return Error(self.code, self.message, request_id, self.retry_after)
