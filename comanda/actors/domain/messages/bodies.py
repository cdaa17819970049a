"""Bodies of HTTP requests and answers, the same for the server and its clients."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from .shapes import OrderRecord, PresentMember, StaffOrder
from .vocabulary import (
    EventId,
    JoinPin,
    MemberName,
    OrderId,
    OrderStateName,
    PosReference,
    Reason,
)


class ClientSettings(Struct, frozen=True):
    """The specification's section 7 as a phone gets it with its join. Times are in seconds."""

    order_timeout_seconds: float = 10.0
    """From sending `place_order` until the member is told that it takes long."""

    reconnect_timeout_seconds: float = 5.0
    """One attempt to connect, handshake and join, is given up after it."""

    poll_interval_seconds: float = 2.0
    """Between two reads of the cart snapshot while cut off with an order pending."""

    retry_limit: int = 3
    """Automatic retries of an order that failed."""

    retry_delay_seconds: float = 2.0
    """Before the first automatic retry; each further one waits twice as long."""


class JoinBody(Struct, frozen=True):
    """Who sits down. `pin` is the table's, where joining it needs one."""

    name: MemberName
    pin: JoinPin | None = None


class RestaurantInfo(Struct, frozen=True):
    """A restaurant, as its guests' phones need it. `minor_digits`: how many follow the point."""

    id: int
    name: str
    currency: str
    minor_digits: int


class TableInfo(Struct, frozen=True):
    """A table: the code of its QR and what people call it."""

    code: str
    label: str


class TableAnswer(Struct, frozen=True):
    """A table before one sits down. `session_open`: a party is at it, whom one would join."""

    code: str
    label: str
    restaurant: RestaurantInfo
    session_open: bool


class JoinAnswer(Struct, frozen=True):
    """A seat at the table. `member_token` opens the dining session's websocket and calls, nothing else.

    `join_pin` is what others must say to sit down here too; null where joining needs none.
    """

    session_pid: str
    member_id: str
    member_token: str
    ws_url: str
    restaurant: RestaurantInfo
    table: TableInfo
    settings: ClientSettings = ClientSettings()
    join_pin: str | None = None


class MenuEntry(Struct, frozen=True):
    """One dish or drink as guests read it."""

    menu_item_id: int
    name: str
    description: str
    price: Decimal
    available: bool


class MenuSection(Struct, frozen=True):
    """Items under one heading."""

    name: str
    items: tuple[MenuEntry, ...]


class MenuAnswer(Struct, frozen=True):
    """What a restaurant sells."""

    restaurant_id: int
    sections: tuple[MenuSection, ...]

    @property
    def items(self) -> tuple[MenuEntry, ...]:
        """All items, in the order in which they are shown."""
        return tuple(item for section in self.sections for item in section.items)


class OrderList(Struct, frozen=True):
    """Orders, newest first, and the cursor of the next page (None: no more)."""

    orders: tuple[OrderRecord, ...]
    next: str | None = None


class StaffOrderList(Struct, frozen=True):
    """A restaurant's orders for its staff, newest first, and the cursor of the next page."""

    orders: tuple[StaffOrder, ...]
    next: str | None = None


class RestaurantList(Struct, frozen=True):
    """The restaurants that a staff token opens."""

    restaurants: tuple[RestaurantInfo, ...]


class UnsettledOrder(Struct, frozen=True):
    """An order without an outcome, in one line."""

    order_id: str
    state: OrderStateName
    placed_by_name: str
    placed_at: datetime
    total: Decimal


class PartyInfo(Struct, frozen=True):
    """Who is at a table since when, what their cart costs, and what became of their orders.

    `pending_order` holds the cart's lock; `orders_in_doubt` wait for the staff. `join_pin` is what
    others must say to join, null where they need none.
    """

    session_pid: str
    opened_at: datetime
    members: tuple[PresentMember, ...]
    total: Decimal
    pending_order: UnsettledOrder | None
    orders_in_doubt: tuple[UnsettledOrder, ...]
    join_pin: str | None = None


class StaffTable(Struct, frozen=True):
    """A table for the staff. `party` is null where nobody sits."""

    code: str
    label: str
    party: PartyInfo | None


class StaffTableList(Struct, frozen=True):
    """A restaurant's tables, in the menu file's order."""

    restaurant_id: int
    tables: tuple[StaffTable, ...]


class QrCode(Struct, frozen=True):
    """A table's QR code as an SVG picture, and the link that it carries."""

    code: str
    label: str
    link: str
    svg: str


class QrCodeList(Struct, frozen=True):
    """A restaurant's QR codes, all with the same `address`, one of `addresses`.

    `reachable` is false where that is this machine's own, which no phone can reach.
    """

    address: str
    addresses: tuple[str, ...]
    reachable: bool
    codes: tuple[QrCode, ...]


class MenuItemPatch(Struct, frozen=True):
    """A change of an item: either member, or both."""

    available: bool | UnsetType = UNSET
    price: Annotated[float, Meta(ge=0)] | UnsetType = UNSET


class ResolveBody(Struct, frozen=True):
    """How an order that was left to the staff has ended, and why they say so.

    `pos_reference` is the POS's name for the order, where it has one.
    """

    outcome: Literal["confirmed", "rejected"]
    reason: Reason
    pos_reference: PosReference | None = None


class CallbackBody(Struct, frozen=True):
    """What a POS says of an order unasked (the POS contract, "Callback").

    The same `event_id` is the same event, however often it comes. `code` and `retryable` may go with a
    refusal; one that does not say so is not to be tried again.
    """

    event_id: EventId
    order_id: OrderId
    status: Literal["accepted", "rejected"]
    pos_reference: str | None = None
    message: str | None = None
    occurred_at: datetime | None = None
    code: str | None = None
    retryable: bool = False
