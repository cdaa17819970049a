"""A Comanda table as its members are told of it, and what must not be told: the truth that is checked."""

import random
from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from comanda.actors.domain.messages import (
    AddItem,
    CartCommand,
    CartItem,
    CartLocked,
    CartSnapshot,
    CartUnlocked,
    CartUpdated,
    ClearCart,
    MenuEntry,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    OrderRecord,
    PlaceOrder,
    RemoveItem,
    SeenItem,
    SessionClosed,
    UpdateItem,
    encode,
)

from .dialect import Asked, Seat, Snapshot, Told

LAST_QTY = 99

FIRST_SEQ = 1
"""Of a new session, where the first member has just sat down."""


class OrderTold(Struct):
    """An order as the table was told of it. `stage`: its last word, `confirmed` and `failed` among them."""

    order_id: str
    placed_by: str
    lines: frozenset[tuple[str, int]]
    stage: str = "locked"
    in_doubt: bool = False


class CartView:
    """Fulfils `View`. `orders` are all that were told; `unheard`: there may be more that nobody heard of."""

    def __init__(self, menu: Sequence[MenuEntry]) -> None:
        self.menu = menu
        self.items: dict[str, CartItem] = {}
        self.total = Decimal(0)
        self.pending: OrderTold | None = None
        self.orders: dict[str, OrderTold] = {}
        self.closed = False
        self.unheard = False

    # --- A closed loop's edits ----------------------------------------------------------------

    def edit(self, member: Seat, request_id: str | None) -> Asked:
        """One line that is added once, and then changed again and again."""
        command: CartCommand
        line = next(iter(self.items.values()), None)
        if line is None:
            public_id = f"load-{random.getrandbits(48):012x}"
            command = AddItem(self.menu[0].menu_item_id, 1, "", public_id, request_id)
        else:
            command = UpdateItem(line.public_id, qty=line.qty % LAST_QTY + 1, request_id=request_id)
        return asked(command)

    # --- What is told -------------------------------------------------------------------------

    def told(self, told: Told) -> Sequence[str]:
        """Take the next event; what must not be, in sentences."""
        event = told.body
        match event:
            case CartUpdated():
                return list(self._updated(event))
            case CartLocked():
                return list(self._locked(event))
            case OrderProcessing():
                return list(self._processing(event))
            case OrderConfirmed():
                return list(self._confirmed(event))
            case OrderFailed():
                return list(self._failed(event))
            case CartUnlocked():
                return list(self._unlocked(event))
            case SessionClosed():
                self.closed = True
        return ()

    def _updated(self, event: CartUpdated) -> Iterable[str]:
        if self.pending is not None:
            yield f"the cart was changed while order {self.pending.order_id} was being processed"
        for public_id in event.removed:
            if self.items.pop(public_id, None) is None:
                yield f"line {public_id} was removed, which was not there"
        for item in event.items:
            self.items[item.public_id] = item
        self.total = event.total
        costs = sum((item.unit_price * item.qty for item in self.items.values()), Decimal(0))
        if costs != event.total:
            yield f"the total is told as {event.total}, the lines come to {costs}"

    def _locked(self, event: CartLocked) -> Iterable[str]:
        if self.pending is not None:
            yield (
                f"order {event.order_id} was placed while {self.pending.order_id} was being "
                "processed: ordered twice"
            )
        if event.order_id in self.orders:
            yield f"order {event.order_id} was locked twice"
        self.pending = OrderTold(event.order_id, event.locked_by, _lines(self.items.values()))
        self.orders[event.order_id] = self.pending
        self._set_state("locked")

    def _processing(self, event: OrderProcessing) -> Iterable[str]:
        order = self.orders.get(event.order_id)
        if order is None:
            yield from self._stranger(event.order_id)
        elif order.stage in ("confirmed", "failed"):
            yield f"order {event.order_id} is {event.stage} after it was {order.stage}"
        else:
            order.stage = event.stage

    def _confirmed(self, event: OrderConfirmed) -> Iterable[str]:
        order = self.orders.get(event.order_id)
        if order is None:
            yield from self._stranger(event.order_id)
            return
        if order.stage in ("confirmed", "failed"):
            yield f"order {event.order_id} is confirmed after it was {order.stage}"
        order.stage = "confirmed"
        if record_lines(event.order) != order.lines:
            yield f"order {event.order_id} is confirmed with other lines than were locked"
        if order is self.pending:
            self._release(keep_items=False)

    def _failed(self, event: OrderFailed) -> Iterable[str]:
        order = self.orders.get(event.order_id)
        if order is None:
            yield from self._stranger(event.order_id)
            return
        if order.stage in ("confirmed", "failed"):
            yield f"order {event.order_id} has failed after it was {order.stage}"
        order.stage = "failed"
        if order is self.pending:
            self._release(keep_items=True)

    def _unlocked(self, event: CartUnlocked) -> Iterable[str]:
        if self.pending is None or self.pending.order_id != event.order_id:
            yield f"the cart was unlocked for order {event.order_id}, which did not lock it"
            return
        self.pending.in_doubt = True
        self._release(keep_items=False)

    def _release(self, *, keep_items: bool) -> None:
        self.pending = None
        if keep_items:
            self._set_state("pending")
        else:
            self.items = {}
            self.total = Decimal(0)

    def _set_state(self, state: str) -> None:
        self.items = {key: replace(item, state=state) for key, item in self.items.items()}

    def _stranger(self, order_id: str) -> Iterable[str]:
        if not self.unheard:
            yield f"order {order_id} was never placed here"

    def tells(self, asked: Asked, told: Told) -> bool:
        """Whether the event says what the command asked for."""
        command, event = asked.body, told.body
        if isinstance(command, PlaceOrder):
            return isinstance(event, CartLocked)
        if not isinstance(event, CartUpdated):
            return False
        items = {item.public_id: item for item in event.items}
        match command:
            case AddItem():
                item = items.get(command.public_id or "")
                return item is not None and (item.menu_item_id, item.qty, item.note) == (
                    command.menu_item_id,
                    command.qty,
                    command.note,
                )
            case UpdateItem():
                item = items.get(command.public_id)
                return (
                    item is not None
                    and command.qty in (UNSET, item.qty)
                    and command.note in (UNSET, item.note)
                )
            case RemoveItem():
                return command.public_id in event.removed
            case ClearCart():
                return not self.items
        return False

    # --- Snapshots ----------------------------------------------------------------------------

    def begin(self, snapshot: Snapshot) -> None:
        """Take a snapshot as the truth: what was told before it, nobody here has heard."""
        cart: CartSnapshot = snapshot.body
        self.items = {item.public_id: item for item in cart.items}
        self.total = cart.total
        self.unheard = self.unheard or cart.seq > FIRST_SEQ
        self.pending = None
        if cart.pending_order is not None:
            order_id = cart.pending_order.order_id
            order = OrderTold(order_id, cart.pending_order.placed_by, _lines(cart.items))
            self.pending = self.orders.setdefault(order_id, order)

    def differs(self, snapshot: Snapshot) -> Sequence[str]:
        """In what a snapshot of this moment is not what was told."""
        cart: CartSnapshot = snapshot.body
        found = []
        has = {item.public_id: item for item in cart.items}
        if has != self.items:
            odd = sorted(
                key for key in has.keys() | self.items.keys() if has.get(key) != self.items.get(key)
            )
            found.append(f"its lines are not those that were told: {', '.join(odd[:5])}")
        if cart.total != self.total:
            found.append(f"it costs {cart.total}, and {self.total} was told")
        pending = None if self.pending is None else self.pending.order_id
        if cart.pending_order_id != pending or cart.cart_locked != (pending is not None):
            found.append(
                f"it is locked for {cart.pending_order_id}, and {pending} was told to lock it"
            )
        return found

    def order_now(self, request_id: str | None) -> Asked:
        """The order of what was told so far."""
        seen = tuple(
            SeenItem(item.public_id, item.menu_item_id, item.qty, item.note)
            for item in self.items.values()
        )
        return asked(PlaceOrder(seen, float(self.total), "", request_id), "order")


def asked(command: CartCommand, kind: str = "edit") -> Asked:
    """A command, ready to be sent."""
    return Asked(encode(command), command, kind)


def _lines(items: Iterable[CartItem]) -> frozenset[tuple[str, int]]:
    return frozenset((item.public_id, item.qty) for item in items)


def record_lines(order: OrderRecord) -> frozenset[tuple[str, int]]:
    """An order's lines, to be compared."""
    return frozenset((line.public_id, line.qty) for line in order.lines)
