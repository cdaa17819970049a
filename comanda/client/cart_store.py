"""The cart store of the specification (1.A): a table as one member sees it. Pure: no I/O, no clock.

What the server says is the truth. On top of it lies one thing of the client's own: the lock from the
moment at which `place_order` is sent until the server has answered.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from comanda.actors.domain.messages import (
    AddItem,
    CartItem,
    CartLocked,
    CartSnapshot,
    CartUnlocked,
    CartUpdated,
    ClearCart,
    Event,
    LastOrder,
    MemberJoined,
    MenuUpdated,
    OrderConfirmed,
    OrderFailed,
    OrderInDoubt,
    OrderItem,
    OrderProcessing,
    OrderRecord,
    PendingOrder,
    PlaceOrder,
    Presence,
    PresentMember,
    ProcessingStatus,
    RemoveItem,
    SeenItem,
    SessionClosed,
    Stage,
    UpdateItem,
)

from .errors import CartLockedError
from .facts import SeqGap

MAX_ORDERS_KEPT = 200
"""Confirmed orders kept in the store; a long evening at a large table has some dozens."""

Applied = Literal["applied", "stale"] | SeqGap
"""What became of an event: taken; dropped, since it was known already; or missing its predecessor."""


class OrderUnderWay(Struct, frozen=True):
    """The order that holds the lock. What only later events tell is None until they come."""

    order_id: str
    stage: Stage
    attempt: int
    placed_by: str | None
    placed_at: datetime | None
    lock_ends_at: datetime | None


class CartStore:
    """The state of one table under the specification's names, for the member `member_id`.

    `seq` is None until the first snapshot. `orders` are the confirmed ones, newest first; a snapshot does
    not bring them (`load_orders` does). `in_doubt` are orders whose lock ended before their outcome.
    `join_pin` is what others must say to sit down here too; None where joining needs none.
    """

    def __init__(self, member_id: str) -> None:
        self.member_id = member_id
        self.reset()

    def reset(self) -> None:
        """Forget all, as a page that is loaded anew."""
        self.seq: int | None = None
        self.session_pid: str | None = None
        self.currency = ""
        self.total = Decimal(0)
        self.pending_order: OrderUnderWay | None = None
        self.locked_by_member: str | None = None
        self.locked_by_name: str | None = None
        self.last_order: LastOrder | None = None
        self.in_doubt: tuple[OrderInDoubt, ...] = ()
        self.orders: tuple[OrderRecord, ...] = ()
        self.last_updated: datetime | None = None
        self.closed_reason: str | None = None
        self.join_pin: str | None = None
        self._items: dict[str, CartItem] = {}
        self._members: dict[str, PresentMember] = {}
        self._locked_here = False
        self._status_here: ProcessingStatus | None = None

    # --- What the front end reads -----------------------------------------------------------------

    @property
    def items(self) -> tuple[CartItem, ...]:
        """The cart's lines, in the order in which they were added."""
        return tuple(self._items.values())

    @property
    def members(self) -> tuple[PresentMember, ...]:
        """Who sits at the table. `online` follows `presence`."""
        return tuple(self._members.values())

    @property
    def pending_order_id(self) -> str | None:
        """The order being processed, once the server has named it."""
        return None if self.pending_order is None else self.pending_order.order_id

    @property
    def cart_locked(self) -> bool:
        """Locks all editing: an order of the table is being processed, or was just sent from here."""
        return self._locked_here or self.pending_order is not None

    @property
    def locked_here(self) -> bool:
        """An order was sent from here and the server has not answered yet."""
        return self._locked_here

    @property
    def locked_by_others(self) -> bool:
        """Specification 8.1: "Order Being Processed by [Member Name]"."""
        return self.pending_order is not None and self.locked_by_member != self.member_id

    @property
    def order_processing_status(self) -> ProcessingStatus:
        """`idle`, `processing`, or how `last_order` ended."""
        if self._status_here is not None:
            return self._status_here
        if self.pending_order is not None:
            return "processing"
        return "idle" if self.last_order is None else self.last_order.status

    # --- The specification's methods --------------------------------------------------------------

    def lock_cart(self) -> None:
        """Lock the cart here, before the server has heard of it."""
        self._locked_here = True

    def unlock_cart(self) -> None:
        """Take the lock of here back, and the status that went with it. The server's lock stays."""
        self._locked_here = False
        self._status_here = None

    def set_order_processing_status(self, status: ProcessingStatus) -> None:
        """Show `status` until the server tells another one, or `unlock_cart`."""
        self._status_here = status

    def set_pending_order(self, order_id: str) -> None:
        """`order_id` is being processed."""
        if self.pending_order_id != order_id:
            self.pending_order = OrderUnderWay(order_id, "sent", 0, None, None, None)

    def clear_pending_order(self) -> None:
        """No order is being processed."""
        self.pending_order = None
        self.locked_by_member = None
        self.locked_by_name = None

    def add_to_cart(
        self, menu_item_id: int, qty: int = 1, note: str = "", public_id: str | None = None
    ) -> AddItem:
        """The command that adds a line.

        Raises:
            CartLockedError: an order is being processed; so do all edits and `place_order`.
        """
        self._check_unlocked()
        return AddItem(menu_item_id, qty, note, public_id)

    def update_cart_item(
        self, public_id: str, qty: int | None = None, note: str | None = None
    ) -> UpdateItem:
        """The command that changes a line's quantity, its note, or both.

        Raises:
            ValueError: neither was given.
        """
        self._check_unlocked()
        return UpdateItem(public_id, UNSET if qty is None else qty, UNSET if note is None else note)

    def remove_from_cart(self, public_id: str) -> RemoveItem:
        """The command that takes a line out."""
        self._check_unlocked()
        return RemoveItem(public_id)

    def clear_cart(self) -> ClearCart:
        """The command that takes every line out."""
        self._check_unlocked()
        return ClearCart()

    def place_order(self, special_instructions: str = "") -> PlaceOrder:
        """The command that orders what is seen here. Locks the cart: the caller is about to send it."""
        self._check_unlocked()
        self.lock_cart()
        self.set_order_processing_status("processing")
        seen = tuple(
            SeenItem(item.public_id, item.menu_item_id, item.qty, item.note)
            for item in self._items.values()
        )
        return PlaceOrder(seen, float(self.total), special_instructions)

    def _show_servers_status(self) -> None:
        if not self._locked_here:
            self._status_here = None

    def _check_unlocked(self) -> None:
        if self.cart_locked:
            raise CartLockedError

    # --- What the server tells --------------------------------------------------------------------

    def load_snapshot(self, snapshot: CartSnapshot) -> None:
        """Take the whole truth at `snapshot.seq`. The lock of here stays until its command is answered."""
        self.seq = snapshot.seq
        self.session_pid = snapshot.session_pid
        self.currency = snapshot.currency
        self._items = {item.public_id: item for item in snapshot.items}
        self.total = snapshot.total
        self.locked_by_member = snapshot.locked_by_member
        self.locked_by_name = snapshot.locked_by_name
        pending = snapshot.pending_order
        self.pending_order = None if pending is None else _under_way(pending)
        self.in_doubt = snapshot.orders_in_doubt
        self.last_order = snapshot.last_order
        self._members = {member.member_id: member for member in snapshot.members}
        self.last_updated = snapshot.last_updated
        self.join_pin = snapshot.join_pin
        self._show_servers_status()

    def load_orders(self, orders: tuple[OrderRecord, ...]) -> None:
        """Take the confirmed orders, newest first; what events have told since is kept on top."""
        fetched = {order.order_id for order in orders}
        newer = tuple(order for order in self.orders if order.order_id not in fetched)
        by_number = sorted(newer + orders, key=lambda order: order.order_number, reverse=True)
        self.orders = tuple(by_number[:MAX_ORDERS_KEPT])

    def apply(self, told: Event | Presence | MenuUpdated) -> Applied:
        """Follow one event. After a `SeqGap` nothing has changed: only a snapshot helps."""
        if isinstance(told, Presence):
            self._members = {member.member_id: member for member in told.members}
            return "applied"
        if isinstance(told, MenuUpdated):
            return "applied"  # what it means for the cart comes as a `cart_updated`
        if self.seq is None:
            return SeqGap(0, told.seq)
        if told.seq <= self.seq:
            return "stale"
        if told.seq != self.seq + 1:
            return SeqGap(self.seq + 1, told.seq)
        self.seq = told.seq
        self.last_updated = told.timestamp
        self._follow(told)
        self._show_servers_status()
        return "applied"

    def _follow(self, event: Event) -> None:
        match event:
            case CartUpdated():
                self._cart_updated(event)
            case CartLocked():
                self._cart_locked(event)
            case OrderProcessing():
                self._order_processing(event)
            case OrderConfirmed():
                self._order_confirmed(event)
            case OrderFailed():
                self._order_failed(event)
            case CartUnlocked():
                self._cart_unlocked(event)
            case MemberJoined(member=member):
                joined = PresentMember(member.member_id, member.name, online=False)
                self._members[member.member_id] = joined
            case SessionClosed(reason=reason):
                self.closed_reason = reason

    def _cart_updated(self, event: CartUpdated) -> None:
        for public_id in event.removed:
            self._items.pop(public_id, None)
        for item in event.items:
            self._items[item.public_id] = item
        self.total = event.total
        if event.by_member is not None:
            self.last_order = None

    def _cart_locked(self, event: CartLocked) -> None:
        self._move_all("locked")
        self.pending_order = OrderUnderWay(
            event.order_id, "sent", 0, event.locked_by_member, event.timestamp, None
        )
        self.locked_by_member = event.locked_by_member
        self.locked_by_name = event.locked_by_name
        if event.locked_by_member == self.member_id:
            self.unlock_cart()  # the server's lock stands in its place

    def _order_processing(self, event: OrderProcessing) -> None:
        if self.pending_order is not None and self.pending_order.order_id == event.order_id:
            self.pending_order = replace(
                self.pending_order,
                stage=event.stage,
                attempt=event.attempt,
                lock_ends_at=event.lock_ends_at,
            )

    def _order_confirmed(self, event: OrderConfirmed) -> None:
        self.load_orders((event.order,))
        if self._leaves_doubt(event.order_id):
            return
        self._drop_locked()
        self.clear_pending_order()
        self.last_order = LastOrder(
            event.order_id,
            "confirmed",
            None,
            False,
            event.order.placed_by,
            0,
            event.order.special_instructions,
        )

    def _order_failed(self, event: OrderFailed) -> None:
        if self._leaves_doubt(event.order_id):
            return
        last = self.last_order
        tries = 1 + (last.tries if last is not None and last.status == "failed" else 0)
        placed_by = self.locked_by_member or ""
        self._move_all("pending")
        self.clear_pending_order()
        self.last_order = LastOrder(
            event.order_id,
            "failed",
            event.error,
            event.allow_retry,
            placed_by,
            tries,
            event.special_instructions,
        )

    def _cart_unlocked(self, event: CartUnlocked) -> None:
        gone = self._drop_locked()
        lines = tuple(self._as_ordered(item) for item in gone)
        self.in_doubt = (*self.in_doubt, OrderInDoubt(event.order_id, "needs_staff", lines))
        self.clear_pending_order()
        self.last_order = None

    def _as_ordered(self, item: CartItem) -> OrderItem:
        member = self._members.get(item.added_by)
        return OrderItem(
            item.public_id,
            item.menu_item_id,
            item.name,
            item.qty,
            item.unit_price,
            item.unit_price * item.qty,
            item.note,
            item.added_by if member is None else member.name,
        )

    def _leaves_doubt(self, order_id: str) -> bool:
        """Whether `order_id` was in doubt: its outcome touches neither the cart nor a later lock."""
        if all(order.order_id != order_id for order in self.in_doubt):
            return False
        self.in_doubt = tuple(order for order in self.in_doubt if order.order_id != order_id)
        return True

    def _move_all(self, state: Literal["pending", "locked"]) -> None:
        self._items = {key: replace(item, state=state) for key, item in self._items.items()}

    def _drop_locked(self) -> list[CartItem]:
        gone = [item for item in self._items.values() if item.state == "locked"]
        for item in gone:
            del self._items[item.public_id]
        self.total -= sum((item.unit_price * item.qty for item in gone), Decimal(0))
        return gone


def _under_way(order: PendingOrder) -> OrderUnderWay:
    return OrderUnderWay(
        order.order_id,
        order.stage,
        order.attempt,
        order.placed_by,
        order.placed_at,
        order.lock_ends_at,
    )
