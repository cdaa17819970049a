"""One dining session's life, as storage has kept it: who sat there, what was ordered, what the POS said."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, select

from comanda.actors.domain.changes import Member
from comanda.actors.domain.incident import Incident, in_words
from comanda.actors.domain.order import IN_FLIGHT, Order, PosOutcome

from .rows import incident_of, is_in_cart, line_of, moment, moment_or_none, order_of
from .tables import (
    cart_items,
    dining_sessions,
    incidents,
    members,
    order_journal,
    pos_attempts,
    restaurants,
    voids,
)

_outcome = msgspec.json.Decoder(PosOutcome)


class LineLife(Struct, frozen=True):
    """A line that the cart holds now. `added_by` is a member's id; the amount is in minor units."""

    public_id: str
    name: str
    qty: int
    price_minor: int
    note: str
    state: str
    added_by: str


class AttemptLife(Struct, frozen=True):
    """A call to the POS. Without an end it was under way when the server died, or is."""

    attempt: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    said: str | None


class VoidLife(Struct, frozen=True):
    """The POS is asked to take an order back: `voided_at` is when it has promised to."""

    wanted_at: datetime
    why: str
    tries: int
    voided_at: datetime | None
    due: bool


class OrderLife(Struct, frozen=True):
    """An order with all that is on record of it. `order` is the journal's last word."""

    order: Order
    attempts: tuple[AttemptLife, ...]
    incidents: tuple[Incident, ...]
    void: VoidLife | None


class SessionLife(Struct, frozen=True):
    """A session, the members in the order in which they came, its orders by number."""

    session_pid: str
    restaurant_id: int
    restaurant: str
    table: str
    currency: str
    minor_digits: int
    opened_at: datetime
    updated_at: datetime
    closed_reason: str | None
    closed_at: datetime | None
    forgotten_at: datetime | None
    seq: int
    activations: int
    members: tuple[Member, ...]
    cart: tuple[LineLife, ...]
    lines_removed: int
    orders: tuple[OrderLife, ...]


def life_of(connection: Connection, session_or_order: str) -> SessionLife | None:
    """The life of the session with this id, or of the one that an order of this id is of; None: neither."""
    pid = session_or_order
    of_order = select(order_journal.c.session_pid).where(order_journal.c.order_id == pid)
    pid = connection.execute(of_order).scalar() or pid
    row = connection.execute(
        select(dining_sessions, restaurants.c.name.label("restaurant"))
        .join(restaurants, restaurants.c.restaurant_id == dining_sessions.c.restaurant_id)
        .where(dining_sessions.c.pid == pid)
    ).first()
    if row is None:
        return None
    seated = select(members).where(members.c.session_pid == pid).order_by(members.c.number)
    items = list(
        connection.execute(
            select(cart_items)
            .where(cart_items.c.session_pid == pid)
            .order_by(cart_items.c.position)
        )
    )
    orders = _orders(connection, pid)
    pending = next((one.order for one in orders if one.order.state in IN_FLIGHT), None)
    return SessionLife(
        session_pid=pid,
        restaurant_id=row.restaurant_id,
        restaurant=row.restaurant,
        table=row.table_label,
        currency=row.currency,
        minor_digits=row.minor_digits,
        opened_at=moment(row.opened_at),
        updated_at=moment(row.updated_at),
        closed_reason=row.closed_reason,
        closed_at=moment_or_none(row.closed_at),
        forgotten_at=moment_or_none(row.forgotten_at),
        seq=row.seq,
        activations=row.epoch,
        members=tuple(
            Member(one.member_id, one.name, moment(one.joined_at))
            for one in connection.execute(seated)
        ),
        cart=tuple(_line(one) for one in items if is_in_cart(one, pending)),
        lines_removed=sum(one.removed for one in items),
        orders=orders,
    )


def _orders(connection: Connection, pid: str) -> tuple[OrderLife, ...]:
    mine = select(order_journal.c.order_id).where(order_journal.c.session_pid == pid)
    attempts: dict[str, list[AttemptLife]] = {}
    for row in connection.execute(
        select(pos_attempts)
        .where(pos_attempts.c.order_id.in_(mine))
        .order_by(pos_attempts.c.order_id, pos_attempts.c.attempt)
    ):
        attempts.setdefault(row.order_id, []).append(_attempt(row))
    against: dict[str, list[Incident]] = {}
    for row in connection.execute(
        select(incidents)
        .where(incidents.c.order_id.in_(mine))
        .order_by(incidents.c.opened_at, incidents.c.kind)
    ):
        against.setdefault(row.order_id, []).append(incident_of(row))
    taken_back = {
        row.order_id: VoidLife(
            moment(row.wanted_at),
            row.why,
            row.tries,
            moment_or_none(row.voided_at),
            row.next_at is not None,
        )
        for row in connection.execute(select(voids).where(voids.c.order_id.in_(mine)))
    }
    journal = (
        select(order_journal)
        .where(order_journal.c.session_pid == pid)
        .order_by(order_journal.c.order_number)
    )
    return tuple(
        OrderLife(
            order_of(row),
            tuple(attempts.get(row.order_id, ())),
            tuple(against.get(row.order_id, ())),
            taken_back.get(row.order_id),
        )
        for row in connection.execute(journal)
    )


def _attempt(row: Row[*tuple[Any, ...]]) -> AttemptLife:
    outcome = None if row.outcome is None else _outcome.decode(row.outcome)
    return AttemptLife(
        row.attempt,
        moment(row.started_at),
        moment_or_none(row.ended_at),
        None if outcome is None else str(outcome.__struct_config__.tag),
        None if outcome is None else in_words(outcome),
    )


def _line(row: Row[*tuple[Any, ...]]) -> LineLife:
    line = line_of(row)
    return LineLife(
        line.public_id, line.name, line.qty, line.price_minor, line.note, line.state, line.added_by
    )
