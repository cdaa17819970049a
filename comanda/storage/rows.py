"""Between the domain's structs and the tables' rows: times, JSON, and a session put together again."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Row

from comanda.actors.domain.cart import CartLine
from comanda.actors.domain.changes import Member, Remembered
from comanda.actors.domain.incident import Incident
from comanda.actors.domain.messages import LastOrder
from comanda.actors.domain.order import Order, OrderLine, PosOutcome
from comanda.actors.domain.session import RequestMemory, Session

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_lines_decoder = msgspec.json.Decoder(tuple[OrderLine, ...])
_last_order_decoder = msgspec.json.Decoder(LastOrder)
_encoder = msgspec.json.Encoder()


def micros(moment: datetime) -> int:
    """An aware time as microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """The aware UTC time that `micros` made a number of."""
    return _EPOCH + timedelta(microseconds=micros)


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def moment_or_none(micros: int | None) -> datetime | None:
    """The time of a column that may be empty."""
    return None if micros is None else moment(micros)


def _json(value: object) -> str:
    return _encoder.encode(value).decode()


def lines_text(lines: Sequence[OrderLine]) -> str:
    """An order's lines as the journal has them."""
    return _json(lines)


def lines_of(text: str) -> tuple[OrderLine, ...]:
    """The lines that `lines_text` made a text of."""
    return _lines_decoder.decode(text)


def last_order_text(last: LastOrder | None) -> str | None:
    """A session's `last_order` as its column has it."""
    return None if last is None else _json(last)


def outcome_text(outcome: PosOutcome) -> str:
    """What a call brought, as `pos_attempts` has it."""
    return _json(outcome)


ORDER_FIXED = (
    "order_id",
    "restaurant_id",
    "order_number",
    "session_pid",
    "table_label",
    "placed_by",
    "placed_by_name",
    "placed_at",
    "lock_ends_at",
    "lines",
    "total_minor",
    "currency",
    "minor_digits",
    "special_instructions",
    "payload",
)
"""The journal's columns that no order's way changes, in the order of `order_row`."""

ORDER_MOVING = (
    "state",
    "attempt",
    "taken_by_pos",
    "expected_by",
    "settled_at",
    "pos_reference",
    "error",
    "allow_retry",
    "key_reused",
    "heard_by",
    "decided_by",
    "decided_reason",
)
"""The journal's columns that an order's way changes, in the order of `order_progress`."""


def order_row(order: Order) -> tuple[object, ...]:
    """The values of `ORDER_FIXED` and `ORDER_MOVING`."""
    return (
        order.order_id,
        order.restaurant_id,
        order.order_number,
        order.session_pid,
        order.table_label,
        order.placed_by,
        order.placed_by_name,
        micros(order.placed_at),
        micros(order.lock_ends_at),
        lines_text(order.lines),
        order.total_minor,
        order.currency,
        order.minor_digits,
        order.special_instructions,
        order.payload,
        *order_progress(order),
    )


def order_progress(order: Order) -> tuple[object, ...]:
    """The values of `ORDER_MOVING`."""
    return (
        order.state,
        order.attempt,
        order.taken_by_pos,
        _micros_or_none(order.expected_by),
        _micros_or_none(order.settled_at),
        order.pos_reference,
        order.error,
        order.allow_retry,
        order.key_reused,
        order.heard_by,
        order.decided_by,
        order.decided_reason,
    )


def order_of(row: Row[*tuple[Any, ...]]) -> Order:
    """The order that a row of the journal holds."""
    return Order(
        order_id=row.order_id,
        restaurant_id=row.restaurant_id,
        order_number=row.order_number,
        session_pid=row.session_pid,
        table_label=row.table_label,
        state=row.state,
        placed_by=row.placed_by,
        placed_by_name=row.placed_by_name,
        placed_at=moment(row.placed_at),
        lock_ends_at=moment(row.lock_ends_at),
        lines=lines_of(row.lines),
        total_minor=row.total_minor,
        currency=row.currency,
        minor_digits=row.minor_digits,
        special_instructions=row.special_instructions,
        payload=bytes(row.payload),
        attempt=row.attempt,
        taken_by_pos=row.taken_by_pos,
        expected_by=moment_or_none(row.expected_by),
        settled_at=moment_or_none(row.settled_at),
        pos_reference=row.pos_reference,
        error=row.error,
        allow_retry=row.allow_retry,
        key_reused=row.key_reused,
        heard_by=row.heard_by,
        decided_by=row.decided_by,
        decided_reason=row.decided_reason,
    )


def incident_row(incident: Incident) -> tuple[object, ...]:
    """A standing incident's values of `INCIDENT_OPENED`."""
    return (
        incident.order_id,
        incident.kind,
        incident.restaurant_id,
        micros(incident.opened_at),
        incident.detail,
    )


INCIDENT_OPENED = ("order_id", "kind", "restaurant_id", "opened_at", "detail")
"""The columns of an incident when it is opened."""


def incident_of(row: Row[*tuple[Any, ...]]) -> Incident:
    """The incident that a row holds."""
    return Incident(
        row.order_id,
        row.kind,
        row.restaurant_id,
        moment(row.opened_at),
        row.detail,
        moment_or_none(row.closed_at),
        row.closed_by,
        row.closed_outcome,
        row.closed_reason,
    )


def line_of(row: Row[*tuple[Any, ...]]) -> CartLine:
    """The cart line that a row holds."""
    return CartLine(
        public_id=row.public_id,
        position=row.position,
        menu_item_id=row.menu_item_id,
        name=row.name,
        price_minor=row.price_minor,
        qty=row.qty,
        note=row.note,
        state=row.state,
        available=row.available,
        added_by=row.added_by,
    )


def is_in_cart(item: Row[*tuple[Any, ...]], pending: Order | None) -> bool:
    """Whether a line is of the cart: free, or held by `pending`, the order that has the lock.

    The lines of confirmed orders and of orders in doubt have left it.
    """
    if item.state == "pending":
        return not item.removed
    return item.state == "locked" and pending is not None and item.order_id == pending.order_id


def session_of(
    row: Row[*tuple[Any, ...]],
    members: Iterable[Row[*tuple[Any, ...]]],
    items: Iterable[Row[*tuple[Any, ...]]],
    orders: Sequence[Order],
    requests: Iterable[Row[*tuple[Any, ...]]],
) -> Session:
    """A session out of its rows.

    Args:
        row: its row of `dining_sessions`.
        members: its members, by `number`.
        items: every cart line it ever had, by `position`.
        orders: those without an outcome, by number.
        requests: what is remembered for its members, by `number`.
    """
    pending = next((order for order in orders if order.state != "needs_staff"), None)
    lines: dict[str, CartLine] = {}
    retired = []
    for item in items:
        if is_in_cart(item, pending):
            lines[item.public_id] = line_of(item)
        else:
            retired.append(item.public_id)
    return Session(
        pid=row.pid,
        restaurant_id=row.restaurant_id,
        table_code=row.table_code,
        table_label=row.table_label,
        currency=row.currency,
        minor_digits=row.minor_digits,
        opened_at=moment(row.opened_at),
        updated_at=moment(row.updated_at),
        seq=row.seq,
        closed_reason=row.closed_reason,
        members={
            member.member_id: Member(member.member_id, member.name, moment(member.joined_at))
            for member in members
        },
        lines=lines,
        retired=frozenset(retired),
        next_position=row.next_position,
        pending=pending,
        in_doubt={order.order_id: order for order in orders if order.state == "needs_staff"},
        last_order=None if row.last_order is None else _last_order_decoder.decode(row.last_order),
        requests=_memories(requests),
        join_pin=row.join_pin,
    )


def _memories(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[str, RequestMemory]:
    known: dict[str, list[Remembered]] = {}
    for row in rows:
        known.setdefault(row.member_id, []).append(
            Remembered(row.member_id, row.request_id, row.number, bytes(row.fingerprint), row.seq)
        )
    return {
        member_id: RequestMemory.of(kept, kept[-1].number + 1) for member_id, kept in known.items()
    }
