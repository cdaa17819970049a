"""Guests are forgotten: names, notes and instructions go, what was eaten and what it cost stays."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import Connection, and_, bindparam, delete, exists, select, text, update

from comanda.actors.ports import Forgotten, SessionKey

from .rows import lines_of, lines_text, micros
from .rules import A_GUEST
from .tables import (
    REMEMBERED,
    UNSETTLED,
    cart_items,
    dining_sessions,
    members,
    order_journal,
    order_lines,
    orders,
    requests,
)

_unsettled = and_(order_journal.c.session_pid == dining_sessions.c.pid, text(UNSETTLED))
_due = (
    select(dining_sessions.c.pid)
    .where(
        text(REMEMBERED),
        dining_sessions.c.closed_at < bindparam("before"),
        ~exists().where(_unsettled),
    )
    .order_by(dining_sessions.c.closed_at)
    .limit(bindparam("most"))
)
_one = select(
    dining_sessions.c.closed_reason,
    dining_sessions.c.forgotten_at,
    exists().where(_unsettled).label("unsettled"),
).where(
    dining_sessions.c.pid == bindparam("pid"),
    dining_sessions.c.restaurant_id == bindparam("restaurant_id"),
)

_nameless_order = (
    update(order_journal)
    .where(order_journal.c.order_id == bindparam("of_order"))
    .values(
        placed_by_name=A_GUEST,
        special_instructions="",
        lines=bindparam("nameless"),
        payload=b"",
    )
)


def to_forget(connection: Connection, before: datetime, limit: int) -> Sequence[str]:
    """Sessions that were closed before `before` whose guests can be forgotten, the longest closed first."""
    return connection.execute(_due, {"before": micros(before), "most": limit}).scalars().all()


def forget_closed(connection: Connection, before: datetime, now: datetime, limit: int) -> int:
    """Forget the guests of sessions closed before `before`, the longest closed first; of how many.

    At most `limit` of them. One with an order that has no outcome yet is left for a later time.
    """
    pids = to_forget(connection, before, limit)
    if pids:
        _forget(connection, pids, now)
    return len(pids)


def forget_session(connection: Connection, key: SessionKey, now: datetime) -> Forgotten:
    """Forget the guests of one session, where it is closed and its orders have their outcomes."""
    row = connection.execute(_one, key._asdict()).first()
    if row is None:
        return "unknown"
    if row.closed_reason is None:
        return "open"
    if row.unsettled:
        return "unsettled"
    if row.forgotten_at is None:
        _forget(connection, [key.pid], now)
    return "forgotten"


def _forget(connection: Connection, pids: Sequence[str], now: datetime) -> None:
    """The sessions' own rows first: the rules let go of a name where its session is forgotten alone."""
    connection.execute(
        update(dining_sessions)
        .where(dining_sessions.c.pid.in_(pids))
        .values(forgotten_at=micros(now), last_order=None)
    )
    connection.execute(update(members).where(members.c.session_pid.in_(pids)).values(name=A_GUEST))
    connection.execute(
        update(cart_items)
        .where(cart_items.c.session_pid.in_(pids), cart_items.c.note != "")
        .values(note="")
    )
    connection.execute(delete(requests).where(requests.c.session_pid.in_(pids)))
    connection.execute(
        update(orders)
        .where(orders.c.session_pid.in_(pids))
        .values(placed_by_name=A_GUEST, special_instructions="")
    )
    _forget_orders(connection, pids)


def _forget_orders(connection: Connection, pids: Sequence[str]) -> None:
    """In the journal, whose payload is not needed once an order has its outcome, and in its lines."""
    theirs = order_journal.c.session_pid.in_(pids)
    placed = connection.execute(
        select(order_journal.c.order_id, order_journal.c.lines).where(theirs)
    ).all()
    if not placed:
        return
    connection.execute(
        _nameless_order,
        [{"of_order": row.order_id, "nameless": _nameless(row.lines)} for row in placed],
    )
    connection.execute(
        update(order_lines)
        .where(order_lines.c.order_id.in_(select(order_journal.c.order_id).where(theirs)))
        .values(note="", added_by_name=A_GUEST)
    )


def _nameless(lines: str) -> str:
    """An order's lines, as the journal has them, without words of a guest's."""
    return lines_text(
        tuple(replace(line, note="", added_by_name=A_GUEST) for line in lines_of(lines))
    )
