"""Settled orders against what the POS says of them: incidents, and orders to be taken back.

An order's outcome is final, so none of this needs the session's actor or its fence: what is compared
cannot change meanwhile.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, func, or_, select, text, tuple_, update

from comanda.actors.domain.incident import (
    Incident,
    VoidWanted,
    contradiction,
    in_words,
)
from comanda.actors.domain.inputs import StaffResolved
from comanda.actors.domain.order import UNSETTLED as UNSETTLED_STATES
from comanda.actors.domain.order import Order, PosOutcome
from comanda.actors.ports import Standing, VoidDue, Weighed

from . import bulk
from .rows import INCIDENT_OPENED, incident_row, micros, order_of
from .tables import STANDING, UNSETTLED, VOID_DUE, incidents, order_journal, restaurants, voids

NEXT_TRY_WITHIN = timedelta(minutes=10)
"""No pause between two tries to take an order back is as long: the longest is 5.5 minutes."""

_standing = text(STANDING)
_void_due = text(VOID_DUE)
_needs_staff = and_(text(UNSETTLED), order_journal.c.state == "needs_staff")

add_incidents = bulk.insert(incidents, INCIDENT_OPENED, "ON CONFLICT (order_id, kind) DO NOTHING")
add_voids = bulk.insert(
    voids,
    ("order_id", "wanted_at", "why", "tries", "next_at"),
    "ON CONFLICT (order_id) DO NOTHING",
)


# Statements stand here once: building one anew for each call costs more than running it.
_order = select(order_journal).where(order_journal.c.order_id == bindparam("order_id"))
_incident_known = select(incidents.c.closed_at).where(
    incidents.c.order_id == bindparam("order_id"), incidents.c.kind == bindparam("kind")
)
_place = (order_journal.c.lock_ends_at, order_journal.c.order_id)
_BEFORE_ALL = (-1, "")
_waiting_for_staff = (
    select(order_journal)
    .where(
        _needs_staff,
        ~order_journal.c.key_reused,
        tuple_(*_place) > tuple_(bindparam("ends"), bindparam("order_id")),
    )
    .order_by(*_place)
    .limit(bindparam("most"))
)
_voids_due = (
    select(voids.c.tries, order_journal)
    .join(order_journal, order_journal.c.order_id == voids.c.order_id)
    .where(
        _void_due, or_(voids.c.next_at <= bindparam("now"), voids.c.next_at > bindparam("beyond"))
    )
    .order_by(voids.c.next_at)
    .limit(bindparam("most"))
)
_of_each_restaurant = and_(
    # By restaurant and state, of which there is an index: the journal grows for ever.
    order_journal.c.restaurant_id.in_(select(restaurants.c.restaurant_id)),
    order_journal.c.state == "needs_staff",
)
_all_standing = select(
    *(
        select(func.count()).select_from(table).where(waits).scalar_subquery()
        for table, waits in (
            (order_journal, _of_each_restaurant),
            (incidents, _standing),
            (voids, _void_due),
        )
    )
)


def void_row(wanted: VoidWanted) -> tuple[object, ...]:
    """The row of an order to be taken back at once."""
    return (wanted.order_id, micros(wanted.at), wanted.why, 0, micros(wanted.at))


def weigh(
    connection: Connection, order_id: str, outcome: PosOutcome, now: datetime
) -> Weighed | None:
    """Compare an answer with a settled order, and put what contradicts it on record.

    An incident that stands is told each time: the first to hear of it may not have heard.
    """
    row = connection.execute(_order, {"order_id": order_id}).first()
    if row is None:
        return None
    order = order_of(row)
    if order.state in UNSETTLED_STATES:
        return Weighed(settled=False)
    kind = None if order.key_reused else contradiction(order.state, outcome)
    if kind is None:
        return Weighed(settled=True)
    known = connection.execute(_incident_known, {"order_id": order_id, "kind": kind}).first()
    if known is not None:
        return Weighed(settled=True, incident=kind if known.closed_at is None else None)
    incident = Incident(order_id, kind, order.restaurant_id, now, in_words(outcome))
    add_incidents.run(connection, [incident_row(incident)])
    if kind == "accepted_after_rejected":
        wanted = VoidWanted(order_id, now, "the table was told that it has failed")
        add_voids.run(connection, [void_row(wanted)])
    return Weighed(settled=True, incident=kind)


def close_incidents(connection: Connection, said: StaffResolved, spoken_at: datetime) -> int:
    """Close an order's standing incidents by the staff's word; how many there were.

    Not one that was opened while their word was on its way, which they did not know of.
    Nobody need take the order back any more: the staff have seen to it.
    """
    closed = connection.execute(
        update(incidents)
        .where(
            incidents.c.order_id == said.order_id,
            _standing,
            incidents.c.opened_at <= micros(spoken_at),
        )
        .values(
            closed_at=micros(spoken_at),
            closed_by=said.by,
            closed_outcome=said.outcome,
            closed_reason=said.reason,
        )
        .returning(incidents.c.kind)
    ).all()
    if closed:
        connection.execute(
            update(voids).where(voids.c.order_id == said.order_id, _void_due).values(next_at=None)
        )
    return len(closed)


def waiting_for_staff(
    connection: Connection, limit: int, after: Order | None = None
) -> tuple[Order, ...]:
    """Orders in `needs_staff` of which the POS can still say something, the oldest first.

    `after` is where an earlier answer ended; it need not wait any more.
    """
    place = _BEFORE_ALL if after is None else (micros(after.lock_ends_at), after.order_id)
    given = {"ends": place[0], "order_id": place[1], "most": limit}
    rows = connection.execute(_waiting_for_staff, given)
    return tuple(order_of(row) for row in rows)


def voids_due(connection: Connection, now: datetime, limit: int) -> tuple[VoidDue, ...]:
    """Orders that the POS is to be asked to take back now, the longest due first.

    One whose next try is further away than any pause is due, too: the clock has been put back since.
    """
    moments = {"now": micros(now), "beyond": micros(now + NEXT_TRY_WITHIN)}
    rows = connection.execute(_voids_due, {**moments, "most": limit})
    return tuple(VoidDue(order_of(row), row.tries) for row in rows)


def void_tried(
    connection: Connection,
    due: VoidDue,
    now: datetime,
    pause: timedelta | None,
    opens_incident: bool,
) -> bool:
    """Put a try to take an order back on record; `pause` until the next, None: the POS has promised.

    Whether its incident stands now: not where the staff have closed the matter meanwhile.
    """
    next_at = None if pause is None else micros(now + pause)
    tried = connection.execute(
        update(voids)
        .where(voids.c.order_id == due.order.order_id, _void_due)
        .values(
            tries=due.tries + 1,
            next_at=next_at,
            voided_at=micros(now) if pause is None else None,
        )
        .returning(voids.c.order_id)
    ).first()
    if tried is None or not opens_incident:
        return False
    detail = f"{due.tries + 1} voids without an answer"
    incident = Incident(due.order.order_id, "void_unanswered", due.order.restaurant_id, now, detail)
    add_incidents.run(connection, [incident_row(incident)])
    return True


def standing(connection: Connection) -> Standing:
    """How much waits for somebody: orders for the staff, incidents, orders to be taken back."""
    needs_staff, standing, voids = connection.execute(_all_standing).one()
    return Standing(needs_staff=needs_staff, incidents=standing, voids=voids)
