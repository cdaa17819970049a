"""The words of the table: commands, events, replies and rejections, exactly as they go over the wire.

Each is a frozen msgspec struct whose tag is the wire's ``type``. Amounts are `Decimal` numbers of the
major unit, times are aware UTC datetimes. `decode_command` is the only way in, `encode` the only way out.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MAX_QTY = 99
MAX_NOTE_CHARACTERS = 280
MAX_INSTRUCTIONS_CHARACTERS = 500
MAX_LINES = 100
MAX_NOTES_BYTES = 16 * 1024
MAX_NAME_CHARACTERS = 40
MAX_SENTENCE_CHARACTERS = (
    200  # what is wrong with a message; the decoder may quote the message itself
)

RequestId = Annotated[str, Meta(min_length=1, max_length=64)]
PublicId = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
Qty = Annotated[int, Meta(ge=1, le=MAX_QTY)]
Note = Annotated[str, Meta(max_length=MAX_NOTE_CHARACTERS)]
Instructions = Annotated[str, Meta(max_length=MAX_INSTRUCTIONS_CHARACTERS)]
MenuItemId = Annotated[int, Meta(ge=0, le=2**53)]
Total = Annotated[float, Meta(ge=0)]

LineState = Literal["pending", "locked", "ordered"]
Stage = Literal["sent", "unknown", "pending", "needs_staff"]
ProcessingStatus = Literal["idle", "processing", "confirmed", "failed"]
OrderStateName = Literal["prepared", "sent", "unknown", "needs_staff", "confirmed", "rejected"]
ErrorCode = Literal[
    "bad_message",
    "cart_locked",
    "cart_empty",
    "cart_full",
    "public_id_taken",
    "cart_changed",
    "total_mismatch",
    "item_not_found",
    "item_unavailable",
    "request_id_reused",
    "rate_limited",
    "too_busy",
    "storage_unavailable",
    "session_closed",
]

# --- Commands: member to server -------------------------------------------------------------------


class Join(Struct, frozen=True, tag="join"):
    """The first frame of a connection. `token` is what the HTTP join gave the member."""

    token: Annotated[str, Meta(max_length=2048)]


class AddItem(Struct, frozen=True, tag="add_item"):
    """Put a new line into the cart; the price is the menu's."""

    menu_item_id: MenuItemId
    qty: Qty
    note: Note = ""
    public_id: PublicId | None = None
    request_id: RequestId | None = None


class UpdateItem(Struct, frozen=True, tag="update_item"):
    """Change a line's quantity, its note, or both; with neither it is a bad message."""

    public_id: PublicId
    qty: Qty | UnsetType = UNSET
    note: Note | UnsetType = UNSET
    request_id: RequestId | None = None

    def __post_init__(self) -> None:
        if self.qty is UNSET and self.note is UNSET:
            raise ValueError("update_item needs `qty` or `note`")


class RemoveItem(Struct, frozen=True, tag="remove_item"):
    """Take a line out of the cart."""

    public_id: PublicId
    request_id: RequestId | None = None


class ClearCart(Struct, frozen=True, tag="clear_cart"):
    """Take every line out of the cart."""

    request_id: RequestId | None = None


class SeenItem(Struct, frozen=True):
    """A cart line as the member who orders has seen it."""

    public_id: PublicId
    menu_item_id: MenuItemId
    qty: Qty
    note: Note = ""


class PlaceOrder(Struct, frozen=True, tag="place_order"):
    """Order what is in the cart. `cart_items` and `total` say what the member saw, no more."""

    cart_items: Annotated[tuple[SeenItem, ...], Meta(max_length=MAX_LINES)]
    total: Total
    special_instructions: Instructions = ""
    request_id: RequestId | None = None


class ResolveNow(Struct, frozen=True, tag="resolve_now"):
    """Ask the POS now for the outcome of the order in flight (specification 5.2, manual retry)."""

    request_id: RequestId | None = None


class Ping(Struct, frozen=True, tag="ping"):
    """For clients that cannot see websocket pings."""

    request_id: RequestId | None = None


CartCommand = AddItem | UpdateItem | RemoveItem | ClearCart | PlaceOrder | ResolveNow
Command = Join | CartCommand | Ping

# --- Parts of events and snapshots ----------------------------------------------------------------


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


class PendingOrder(Struct, frozen=True):
    """The order that holds the cart's lock."""

    order_id: str
    stage: Literal["prepared", "sent", "unknown", "pending", "needs_staff"]
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
    """How the table's last order ended; `tries` counts failures in a row of an unchanged cart."""

    order_id: str
    status: Literal["confirmed", "failed"]
    error: str | None
    allow_retry: bool
    placed_by: str
    tries: int


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
    """The whole truth about a table at `seq`."""

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


# --- Events: server to every member ---------------------------------------------------------------


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
    """The POS has refused the order, or it provably never got there."""

    seq: int
    order_id: str
    error: str
    message: str
    allow_retry: bool
    timestamp: datetime


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

# --- Told without `seq`: not part of the session's state -------------------------------------------


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

    code: ErrorCode
    message: str
    retry_after: float | None = None

    def as_error(self, request_id: str | None) -> Error:
        """The wire's form of this refusal, for the sender alone."""
        return Error(self.code, self.message, request_id, self.retry_after)


class BadMessage(ValueError):
    """A frame that is none of ours; the text is a sentence for the sender.

    `request_id` is the one that the frame carried, where it could be read in spite of all.
    """

    def __init__(self, sentence: str, request_id: str | None = None) -> None:
        super().__init__(sentence)
        self.request_id = request_id


class _OnlyRequestId(Struct):
    request_id: RequestId | None = None


_command_decoder: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_only_request_id_decoder = msgspec.json.Decoder(_OnlyRequestId)
_told_decoder: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode_command(frame: bytes | str) -> Command:
    """The command in one text frame.

    Raises:
        BadMessage: not JSON, not an object, an unknown type, or a field missing, wrong or out of range.
    """
    try:
        return _command_decoder.decode(frame)
    except (ValueError, RecursionError) as error:
        raise BadMessage(_sentence(error), _request_id_in(frame)) from error


def decode_told(frame: bytes | str) -> Told:
    """What the server has told, for clients.

    Raises:
        BadMessage: the frame is nothing that a server of this protocol version tells.
    """
    try:
        return _told_decoder.decode(frame)
    except (ValueError, RecursionError) as error:
        raise BadMessage(_sentence(error)) from error


def _sentence(error: Exception) -> str:
    if isinstance(error, msgspec.ValidationError):
        return f"The message is not valid: {error}"[:MAX_SENTENCE_CHARACTERS]
    if isinstance(error, RecursionError):
        return "The message is nested too deeply"
    return "The message is not JSON"


def _request_id_in(frame: bytes | str) -> str | None:
    try:
        return _only_request_id_decoder.decode(frame).request_id
    except (ValueError, RecursionError):
        return None


def encode(message: object) -> bytes:
    """The JSON of any message of this module."""
    return _encoder.encode(message)
