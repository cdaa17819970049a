"""T1 of an order: what the member saw is compared with the cart, then the cart is locked."""

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace

from .cart import CartLine
from .changes import Changes, LineMove
from .inputs import Context, Decision, Refusal, refuse
from .messages import (
    MAX_INSTRUCTIONS_CHARACTERS,
    MAX_NOTE_CHARACTERS,
    CartLocked,
    PlaceOrder,
    SeenItem,
    encode,
)
from .money import MoneyOutOfRange, to_major, to_minor
from .order import Order, OrderLine, PosBody, PosLine, order_id_for
from .session import MAX_IN_DOUBT, Session
from .text import plain


def place_order(
    session: Session, member_id: str, command: PlaceOrder, context: Context
) -> Decision | Refusal:
    """Lock the cart and prepare the order, if the member saw what the cart holds and costs.

    Prices and availability are checked against the menu once more; from here they are frozen.
    """
    if not session.lines:
        return refuse("cart_empty", "There is nothing in the cart to order")
    if len(session.in_doubt) >= MAX_IN_DOUBT:
        return refuse(
            "too_busy", "Too many orders of this table wait for the staff; ask them, please"
        )
    if not _saw_the_cart(session, command.cart_items):
        return refuse(
            "cart_changed", "The cart has changed; look at it once more", show_snapshot=True
        )
    for line in session.lines.values():
        item = context.menu.items.get(line.menu_item_id)
        if item is None or not item.available:
            return refuse("item_unavailable", f"{line.name} is sold out")
        if item.price_minor != line.price_minor:
            return refuse(
                "cart_changed", f"The price of {line.name} has changed", show_snapshot=True
            )
    if not _saw_the_total(session, command.total):
        total = to_major(session.total_minor, session.minor_digits)
        return refuse(
            "total_mismatch", f"The cart costs {total} {session.currency}", show_snapshot=True
        )
    if context.order_number is None:
        return refuse("storage_unavailable", "Not saved and nothing changed; try again")
    order = _prepare(session, member_id, command, context, context.order_number)
    changes = Changes()
    changes.orders[order.order_id] = order
    locked: dict[str, CartLine] = {}
    for line in session.lines.values():
        locked[line.public_id] = line.moved_to("locked")
        changes.moves.append(LineMove(line.public_id, "locked", order.order_id))
    after = replace(
        session, seq=session.seq + 1, updated_at=context.now, lines=locked, pending=order
    )
    event = CartLocked(
        seq=after.seq,
        locked_by_member=member_id,
        locked_by=member_id,
        locked_by_name=order.placed_by_name,
        order_id=order.order_id,
        message="Order is being processed...",
        timestamp=context.now,
    )
    return Decision(after, (event,), changes, start=order)


def _saw_the_cart(session: Session, seen: tuple[SeenItem, ...]) -> bool:
    saw = {item.public_id: (item.menu_item_id, item.qty, _note(item.note)) for item in seen}
    has = {
        line.public_id: (line.menu_item_id, line.qty, _note(line.note))
        for line in session.lines.values()
    }
    return len(seen) == len(saw) and saw == has


def _note(text: str) -> str:
    """A note as it is kept now; one of an older session may have been kept by an older rule."""
    return plain(text, MAX_NOTE_CHARACTERS)


def _saw_the_total(session: Session, total: float) -> bool:
    try:
        return to_minor(Decimal(repr(total)), session.minor_digits) == session.total_minor
    except MoneyOutOfRange:
        return False


def _prepare(
    session: Session, member_id: str, command: PlaceOrder, context: Context, order_number: int
) -> Order:
    lines = tuple(
        OrderLine.of(line, session.name_of(line.added_by)) for line in session.lines.values()
    )
    order = Order(
        order_id=order_id_for(session.restaurant_id, order_number),
        restaurant_id=session.restaurant_id,
        order_number=order_number,
        session_pid=session.pid,
        table_label=session.table_label,
        state="prepared",
        placed_by=member_id,
        placed_by_name=session.name_of(member_id),
        placed_at=context.now,
        lock_ends_at=context.now + timedelta(seconds=context.lock_limit_seconds),
        lines=lines,
        total_minor=session.total_minor,
        currency=session.currency,
        minor_digits=session.minor_digits,
        special_instructions=plain(command.special_instructions, MAX_INSTRUCTIONS_CHARACTERS),
        payload=b"",
    )
    return replace(order, payload=encode(_pos_body(order)))


def _pos_body(order: Order) -> PosBody:
    digits = order.minor_digits
    return PosBody(
        order_id=order.order_id,
        restaurant_id=order.restaurant_id,
        order_number=order.order_number,
        table=order.table_label,
        placed_by=order.placed_by_name,
        placed_at=order.placed_at,
        currency=order.currency,
        lines=tuple(
            PosLine(
                line.menu_item_id,
                line.name,
                line.qty,
                to_major(line.price_minor, digits),
                to_major(line.price_minor * line.qty, digits),
                line.note,
                line.added_by_name,
            )
            for line in order.lines
        ),
        total=to_major(order.total_minor, digits),
        special_instructions=order.special_instructions,
    )
