"""Tables with a party at them, as the staff see them."""

from typing import Any

from sqlalchemy import Connection, Row, and_, func, select, text

from comanda.actors.ports import OpenTable, OrderAtTable, SeatedMember, SessionKey

from .rows import moment
from .tables import OPEN, UNSETTLED, cart_items, dining_sessions, members, order_journal

_open = text(OPEN)
_unsettled = text(UNSETTLED)


def open_tables(connection: Connection, restaurant_id: int) -> tuple[OpenTable, ...]:
    """A restaurant's open sessions, the oldest first.

    Three statements, however many tables there are. What they find is bounded by the tables of the
    restaurant, one open session each, and by a session's members and orders without an outcome.
    """
    here = and_(dining_sessions.c.restaurant_id == restaurant_id, _open)
    seated: dict[str, list[SeatedMember]] = {}
    for row in connection.execute(
        select(members.c.session_pid, members.c.member_id, members.c.name)
        .join(dining_sessions, dining_sessions.c.pid == members.c.session_pid)
        .where(here)
        .order_by(members.c.session_pid, members.c.number)
    ):
        seated.setdefault(row.session_pid, []).append(SeatedMember(row.member_id, row.name))
    unsettled: dict[str, list[OrderAtTable]] = {}
    for order in connection.execute(
        select(
            order_journal.c.session_pid,
            order_journal.c.order_id,
            order_journal.c.state,
            order_journal.c.placed_by_name,
            order_journal.c.placed_at,
            order_journal.c.total_minor,
        )
        .join(dining_sessions, dining_sessions.c.pid == order_journal.c.session_pid)
        .where(here, _unsettled)
        .order_by(order_journal.c.order_number)
    ):
        unsettled.setdefault(order.session_pid, []).append(_order_of(order))
    free = and_(
        cart_items.c.session_pid == dining_sessions.c.pid,
        cart_items.c.state == "pending",
        ~cart_items.c.removed,
    )
    return tuple(
        _table_of(row, seated.get(row.pid, []), unsettled.get(row.pid, []))
        for row in connection.execute(
            select(
                dining_sessions,
                func.coalesce(func.sum(cart_items.c.qty * cart_items.c.price_minor), 0).label(
                    "free_minor"
                ),
            )
            .outerjoin(cart_items, free)
            .where(here)
            .group_by(dining_sessions.c.pid)
            .order_by(dining_sessions.c.opened_at, dining_sessions.c.pid)
        )
    )


def _table_of(
    row: Row[*tuple[Any, ...]], seated: list[SeatedMember], unsettled: list[OrderAtTable]
) -> OpenTable:
    pending = next((order for order in unsettled if order.state != "needs_staff"), None)
    return OpenTable(
        key=SessionKey(row.restaurant_id, row.pid),
        code=row.table_code,
        label=row.table_label,
        opened_at=moment(row.opened_at),
        members=tuple(seated),
        # The lines that an order holds are in the cart until its lock ends.
        total_minor=int(row.free_minor) + (0 if pending is None else pending.total_minor),
        minor_digits=row.minor_digits,
        pending=pending,
        in_doubt=tuple(order for order in unsettled if order.state == "needs_staff"),
        join_pin=row.join_pin,
    )


def _order_of(row: Row[*tuple[Any, ...]]) -> OrderAtTable:
    return OrderAtTable(
        row.order_id, row.state, row.placed_by_name, moment(row.placed_at), row.total_minor
    )
