"""Orders as members and staff read them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text

from comanda.actors.domain.messages import (
    IncidentRecord,
    OrderRecord,
    OrderStateName,
    StaffOrder,
)
from comanda.actors.domain.order import Order, OrderLine
from comanda.actors.ports import OrderPage, SessionKey

from .rows import incident_of, moment, order_of
from .tables import STANDING, incidents, order_journal, order_lines, orders

_standing = text(STANDING)

PAGE_MAX = 200
"""Orders on one page at the most, whatever is asked for: a page is one answer over HTTP."""


# Statements stand here once: building one anew for each call costs more than running it.
_lines_of_session = (
    select(order_lines)
    .join(orders, orders.c.order_id == order_lines.c.order_id)
    .where(orders.c.session_pid == bindparam("pid"))
    .order_by(order_lines.c.order_id, order_lines.c.number)
)
_orders_of_session = (
    select(orders)
    .where(orders.c.session_pid == bindparam("pid"))
    .order_by(orders.c.order_number.desc())
)
_whose = select(
    order_journal.c.restaurant_id, order_journal.c.session_pid, order_journal.c.state
).where(order_journal.c.order_id == bindparam("order_id"))
_order = select(order_journal).where(order_journal.c.order_id == bindparam("order_id"))
_incidents_of = (
    select(incidents)
    .where(incidents.c.order_id.in_(bindparam("order_ids", expanding=True)))
    .order_by(incidents.c.opened_at, incidents.c.kind)
)


def confirmed_orders(connection: Connection, pid: str) -> tuple[OrderRecord, ...]:
    """A session's history: its confirmed orders, newest first."""
    lines: dict[str, list[OrderLine]] = {}
    for row in connection.execute(_lines_of_session, {"pid": pid}):
        lines.setdefault(row.order_id, []).append(_line_of(row))
    return tuple(
        _confirmed_of(row, lines[row.order_id]).as_record()
        for row in connection.execute(_orders_of_session, {"pid": pid})
    )


def find_order(connection: Connection, order_id: str) -> tuple[SessionKey, OrderStateName] | None:
    """The order's session and its state; None where there is none."""
    row = connection.execute(_whose, {"order_id": order_id}).first()
    return None if row is None else (SessionKey(row.restaurant_id, row.session_pid), row.state)


def orders_page(
    connection: Connection,
    restaurant_id: int,
    states: Sequence[OrderStateName],
    cursor: str | None,
    limit: int,
    *,
    with_incidents: bool = False,
) -> OrderPage:
    """A restaurant's orders in the given states (none given: all), newest first.

    `with_incidents`: only those of which an incident stands.

    Raises:
        ValueError: `cursor` is none that a page gave.
    """
    limit = max(1, min(limit, PAGE_MAX))
    query = select(order_journal).order_by(order_journal.c.order_number.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(order_journal.c.order_number < _number_in(cursor))
    if with_incidents:
        # By the incidents' own index, which is short: the journal grows for ever.
        query = query.where(
            order_journal.c.order_id.in_(
                select(incidents.c.order_id).where(
                    incidents.c.restaurant_id == restaurant_id, _standing
                )
            )
        )
    else:
        query = query.where(order_journal.c.restaurant_id == restaurant_id)
    # One question for each state, which has its index: of several at once the journal is walked through.
    one_by_one = [query.where(order_journal.c.state == state) for state in sorted(set(states))]
    found = [order_of(row) for one in one_by_one or [query] for row in connection.execute(one)]
    found.sort(key=lambda order: order.order_number, reverse=True)
    more = len(found) > limit
    return OrderPage(
        _for_staff(connection, found[:limit]),
        _cursor_after(found[limit - 1].order_number) if more else None,
    )


def staff_order(connection: Connection, order_id: str) -> StaffOrder | None:
    """One order as the staff read it; None where there is none."""
    row = connection.execute(_order, {"order_id": order_id}).first()
    return None if row is None else _for_staff(connection, [order_of(row)])[0]


def _for_staff(connection: Connection, found: Sequence[Order]) -> tuple[StaffOrder, ...]:
    against: dict[str, list[IncidentRecord]] = {}
    for row in connection.execute(_incidents_of, {"order_ids": [o.order_id for o in found]}):
        against.setdefault(row.order_id, []).append(incident_of(row).as_record())
    return tuple(order.as_staff_order(tuple(against.get(order.order_id, ()))) for order in found)


def _cursor_after(order_number: int) -> str:
    return urlsafe_b64encode(b"n%d" % order_number).decode().rstrip("=")


def _number_in(cursor: str) -> int:
    sentence = "the cursor is none that a page of orders gave"
    if len(cursor) > 40:
        raise ValueError(sentence)
    try:
        plain = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:
        raise ValueError(sentence) from None
    if not (plain.startswith("n") and plain[1:].isdecimal() and len(plain) < 20):
        raise ValueError(sentence)
    return int(plain[1:])


def _line_of(row: Row[*tuple[Any, ...]]) -> OrderLine:
    return OrderLine(
        public_id=row.public_id,
        menu_item_id=row.menu_item_id,
        name=row.name,
        qty=row.qty,
        price_minor=row.price_minor,
        note=row.note,
        added_by=row.added_by,
        added_by_name=row.added_by_name,
    )


def _confirmed_of(row: Row[*tuple[Any, ...]], lines: Sequence[OrderLine]) -> Order:
    return Order(
        order_id=row.order_id,
        restaurant_id=row.restaurant_id,
        order_number=row.order_number,
        session_pid=row.session_pid,
        table_label=row.table_label,
        state="confirmed",
        placed_by=row.placed_by,
        placed_by_name=row.placed_by_name,
        placed_at=moment(row.placed_at),
        lock_ends_at=moment(row.placed_at),
        lines=tuple(lines),
        total_minor=row.total_minor,
        currency=row.currency,
        minor_digits=row.minor_digits,
        special_instructions=row.special_instructions,
        payload=b"",
        settled_at=moment(row.confirmed_at),
        pos_reference=row.pos_reference,
    )
