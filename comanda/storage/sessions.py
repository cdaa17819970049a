"""Dining sessions: opened, found, claimed and loaded, and found again by the sweeps."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, exists, or_, select, text, update

from comanda.actors.domain.menu import Table
from comanda.actors.domain.order import CLOCK_SLACK
from comanda.actors.domain.session import Session
from comanda.actors.ports import Loaded, NoSuchSession, Overdue, SessionKey

from . import bulk
from .rows import micros, order_of, session_of
from .tables import (
    IN_FLIGHT,
    OPEN,
    UNSETTLED,
    cart_items,
    dining_sessions,
    members,
    order_journal,
    requests,
    restaurants,
)

_open = text(OPEN)
_in_flight = text(IN_FLIGHT)
_unsettled = text(UNSETTLED)
_insert_unless_open = bulk.insert(
    dining_sessions,
    (
        "pid",
        "restaurant_id",
        "table_code",
        "table_label",
        "currency",
        "minor_digits",
        "opened_at",
        "updated_at",
        "epoch",
        "seq",
        "next_position",
        "join_pin",
    ),
    "ON CONFLICT DO NOTHING",  # somebody else may have opened the table since it was looked at
)


# Statements stand here once: building one anew for each call costs more than running it.
_find_open = select(dining_sessions.c.restaurant_id, dining_sessions.c.pid).where(
    dining_sessions.c.restaurant_id == bindparam("restaurant_id"),
    dining_sessions.c.table_code == bindparam("table_code"),
    _open,
)
_money_of_restaurant = select(restaurants.c.currency, restaurants.c.minor_digits).where(
    restaurants.c.restaurant_id == bindparam("restaurant_id")
)
_find = select(dining_sessions.c.restaurant_id, dining_sessions.c.closed_reason).where(
    dining_sessions.c.pid == bindparam("pid")
)
_claim = (
    update(dining_sessions)
    .where(
        dining_sessions.c.pid == bindparam("of_pid"),
        dining_sessions.c.restaurant_id == bindparam("of_restaurant"),
    )
    .values(epoch=dining_sessions.c.epoch + 1)
    .returning(*dining_sessions.c)
)
_members = (
    select(members).where(members.c.session_pid == bindparam("pid")).order_by(members.c.number)
)
_lines = (
    select(cart_items)
    .where(cart_items.c.session_pid == bindparam("pid"))
    .order_by(cart_items.c.position)
)
_unsettled_orders = (
    select(order_journal)
    .where(order_journal.c.session_pid == bindparam("pid"), _unsettled)
    .order_by(order_journal.c.order_number)
)
_remembered = (
    select(requests)
    .where(requests.c.session_pid == bindparam("pid"))
    .order_by(requests.c.member_id, requests.c.number)
)
_position = select(dining_sessions.c.epoch, dining_sessions.c.seq).where(
    dining_sessions.c.pid == bindparam("pid")
)
_with_order_in_flight = (
    select(order_journal.c.restaurant_id, order_journal.c.session_pid)
    .where(_in_flight)
    .order_by(order_journal.c.session_pid)
)
_claimed_since = bulk.Bulk(
    ("pid", "epoch"),
    (dining_sessions.c.pid, dining_sessions.c.epoch),
    "SELECT given.pid FROM given JOIN dining_sessions ON dining_sessions.pid = given.pid"
    " WHERE dining_sessions.epoch <> given.epoch",
)
_overdue = (
    select(order_journal.c.restaurant_id, order_journal.c.session_pid, order_journal.c.order_id)
    .where(
        _in_flight,
        or_(
            order_journal.c.lock_ends_at < bindparam("now"),
            order_journal.c.placed_at > bindparam("now_and_slack"),
        ),
    )
    .order_by(order_journal.c.lock_ends_at)
    .limit(bindparam("most"))
)
_idle = (
    select(dining_sessions.c.restaurant_id, dining_sessions.c.pid)
    .where(
        _open,
        dining_sessions.c.opened_at < bindparam("before"),
        dining_sessions.c.updated_at < bindparam("before"),
        ~exists().where(and_(order_journal.c.session_pid == dining_sessions.c.pid, _in_flight)),
    )
    .order_by(dining_sessions.c.opened_at)
    .limit(bindparam("most"))
)


def find_open_session(connection: Connection, table: Table) -> SessionKey | None:
    """The table's open session."""
    row = connection.execute(
        _find_open, {"restaurant_id": table.restaurant_id, "table_code": table.code}
    ).first()
    return None if row is None else SessionKey(row.restaurant_id, row.pid)


def open_session(
    connection: Connection, table: Table, pid: str, now: datetime, join_pin: str | None = None
) -> SessionKey:
    """The table's open session; `pid` names a new one where none is open, joined with `join_pin`.

    Raises:
        LookupError: storage has no such restaurant.
    """
    there = find_open_session(connection, table)
    if there is not None:
        return there
    restaurant = connection.execute(
        _money_of_restaurant, {"restaurant_id": table.restaurant_id}
    ).first()
    if restaurant is None:
        raise LookupError(f"there is no restaurant {table.restaurant_id}")
    _insert_unless_open.run(
        connection,
        [
            (
                pid,
                table.restaurant_id,
                table.code,
                table.label,
                restaurant.currency,
                restaurant.minor_digits,
                micros(now),
                micros(now),
                0,
                0,
                0,
                join_pin,
            )
        ],
    )
    opened = find_open_session(connection, table)
    if opened is None:
        raise LookupError(f"a dining session {pid} is there already, elsewhere")
    return opened


def find_session(connection: Connection, pid: str) -> tuple[SessionKey, bool] | None:
    """The session's key and whether it is open; None where there is none."""
    row = connection.execute(_find, {"pid": pid}).first()
    return None if row is None else (SessionKey(row.restaurant_id, pid), row.closed_reason is None)


def activate(connection: Connection, key: SessionKey) -> Loaded:
    """Claim the session's next epoch and load it.

    Raises:
        NoSuchSession: there is none of this restaurant with this pid.
    """
    row = connection.execute(
        _claim, {"of_pid": key.pid, "of_restaurant": key.restaurant_id}
    ).first()
    if row is None:
        raise NoSuchSession(key.pid)
    of_session = {"pid": key.pid}
    session = session_of(
        row,
        connection.execute(_members, of_session),
        connection.execute(_lines, of_session),
        [order_of(order) for order in connection.execute(_unsettled_orders, of_session)],
        connection.execute(_remembered, of_session),
    )
    return Loaded(session, row.epoch)


def seq_of(connection: Connection, session: Session) -> tuple[int, int] | None:
    """The epoch and seq that storage has for a session now."""
    row = connection.execute(_position, {"pid": session.pid}).first()
    return None if row is None else (row.epoch, row.seq)


def unsettled_sessions(connection: Connection) -> tuple[SessionKey, ...]:
    """Sessions with an order in `prepared`, `sent` or `unknown`."""
    rows = connection.execute(_with_order_in_flight)
    return tuple(SessionKey(row.restaurant_id, row.session_pid) for row in rows)


def claimed_since(
    connection: Connection, claims: Sequence[tuple[SessionKey, int]]
) -> tuple[SessionKey, ...]:
    """Those of `claims` whose epoch is not the last one that was claimed of their session."""
    keys = {key.pid: key for key, _ in claims}
    rows = _claimed_since.run(connection, [(key.pid, epoch) for key, epoch in claims])
    return tuple(keys[row[0]] for row in rows)


def overdue_orders(connection: Connection, now: datetime, limit: int) -> tuple[Overdue, ...]:
    """Orders in flight whose lock limit is before `now`, oldest first; as `Order.lock_has_ended`."""
    moments = {"now": micros(now), "now_and_slack": micros(now + CLOCK_SLACK)}
    rows = connection.execute(_overdue, {**moments, "most": limit})
    return tuple(
        Overdue(SessionKey(row.restaurant_id, row.session_pid), row.order_id) for row in rows
    )


def idle_sessions(connection: Connection, before: datetime, limit: int) -> tuple[SessionKey, ...]:
    """Open sessions unchanged since `before` that have no order in flight, the oldest first.

    An index on `updated_at` would be rewritten by every commit; sessions opened since `before` are
    passed over by `opened_at` instead, and the rest are few: tables with somebody at them.
    """
    rows = connection.execute(_idle, {"before": micros(before), "most": limit})
    return tuple(SessionKey(row.restaurant_id, row.pid) for row in rows)
