"""I3, I4, I5, I7, I12: orders, in storage and at the POS."""

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from comanda.actors.domain.messages import CartSnapshot, CartUnlocked, OrderConfirmed, OrderFailed
from comanda.actors.domain.order import PosBody
from comanda.pos.simulator.entries import Effect

from ..evidence import Evidence, Violation
from ..outages import outages
from ..plan import DOUBT_SLACK_SECONDS
from ..samples import IN_FLIGHT, OrderRow
from ..state import MINOR_DIGITS

_read_body = msgspec.json.Decoder(PosBody).decode


def came_to(effects: list[Effect], now: float) -> str:
    """What a key came to at the POS by `now`; one that is pending settles by itself at its time."""
    last = effects[-1]
    due = last.due_at is not None and last.due_at <= datetime.fromtimestamp(now, UTC)
    return last.becomes if last.kind == "pending" and due else last.kind


def effects_once(evidence: Evidence) -> Iterator[Violation]:
    """I3: a key has one effect at the POS, an item stands in one accepted order."""
    accepted: Counter[tuple[str, str]] = Counter()
    for key, effects in evidence.effects.items():
        count = sum(not effect.settles for effect in effects)
        if count > 1:
            yield Violation("I3", f"the POS has {count} effects for {key}")
        order = evidence.at_rest.orders.get(key)
        if order is None:
            yield Violation("I3", f"the POS has an effect for {key}, which is no order")
        elif key not in evidence.at_rest.incidents and came_to(effects, time.time()) == "accepted":
            accepted.update((order.session, public_id) for public_id, _, _ in order.lines)
    for order_id, lines in evidence.at_rest.confirmed.items():
        order = evidence.at_rest.orders[order_id]
        if {public_id for public_id, _, _ in lines} != {one for one, _, _ in order.lines}:
            yield Violation("I3", f"{order_id} was confirmed with other lines than were ordered")
    for (session, public_id), count in accepted.items():
        if count > 1:
            yield Violation("I3", f"line {public_id} of {session} was accepted in {count} orders")


def pos_and_items_agree(evidence: Evidence) -> Iterator[Violation]:
    """I4: at rest an item is ordered if and only if the POS has it.

    Or the record says why not: staff decided otherwise, or the POS has contradicted itself.
    """
    for order in evidence.at_rest.orders.values():
        effects = evidence.effects.get(order.order_id)
        at_pos = "nothing" if effects is None else came_to(effects, time.time())
        on_record = order.decided_by is not None or order.order_id in evidence.at_rest.incidents
        if not on_record and (order.state == "confirmed") != (at_pos == "accepted"):
            yield Violation("I4", f"{order.order_id} is {order.state}; the POS has {at_pos}")
        sha256 = hashlib.sha256(order.payload).hexdigest()
        if effects is not None and any(one.sha256 not in ("", sha256) for one in effects):
            yield Violation("I4", f"the POS has {order.order_id} with another payload")
        yield from _lines_follow(evidence, order)


def _lines_follow(evidence: Evidence, order: OrderRow) -> Iterator[Violation]:
    for public_id, _, _ in order.lines:
        line = evidence.at_rest.lines[order.session, public_id]
        ordered = line.state == "ordered" and line.order_id == order.order_id
        if ordered != (order.state == "confirmed"):
            yield Violation(
                "I4", f"{order.order_id} is {order.state}; its line {public_id} is {line.state}"
            )


def staff_are_told(evidence: Evidence) -> Iterator[Violation]:
    """I5: an order is not in doubt beyond the lock limit without the staff being told."""
    released: dict[str, float] = {}
    for heard in evidence.heard:
        told = heard.told
        if isinstance(told, OrderConfirmed | OrderFailed | CartUnlocked):
            at = told.timestamp.timestamp()
            released[told.order_id] = min(at, released.get(told.order_id, at))
        elif isinstance(told, CartSnapshot):
            for doubt in told.orders_in_doubt:
                released.setdefault(doubt.order_id, heard.at)
    away = outages(evidence.done)
    for order in evidence.at_rest.orders.values():
        if order.state in IN_FLIGHT:
            yield Violation("I5", f"{order.order_id} is {order.state} at the end: nobody is told")
        at = released.get(order.order_id, order.lock_ends_at)
        late = (
            at
            - order.lock_ends_at
            - sum(max(0.0, min(at, to) - max(order.lock_ends_at, since)) for since, to in away)
        )
        if late > DOUBT_SLACK_SECONDS:
            yield Violation("I5", f"the lock of {order.order_id} ended {late:.1f} s late")


def one_in_flight(evidence: Evidence) -> Iterator[Violation]:
    """I7: a session has at most one order in `prepared`, `sent` or `unknown`."""
    for sample in evidence.samples:
        flying = Counter(one.session for one in sample.orders.values() if one.state in IN_FLIGHT)
        for session, count in flying.items():
            if count > 1:
                yield Violation("I7", f"{session} had {count} orders in flight at once")


def totals_add_up(evidence: Evidence) -> Iterator[Violation]:
    """I12: an order's total is the sum of its lines, in the journal, the history and its payload."""
    for order in evidence.at_rest.orders.values():
        total = sum(qty * price for _, qty, price in order.lines)
        body = _read_body(order.payload)
        sums = {
            "journal": order.total_minor,
            "payload": body.total.scaleb(MINOR_DIGITS),
            "payload's lines": sum(one.line_total.scaleb(MINOR_DIGITS) for one in body.lines),
        }
        if order.order_id in evidence.at_rest.confirmed:
            lines = evidence.at_rest.confirmed[order.order_id]
            sums["history"] = evidence.at_rest.confirmed_totals[order.order_id]
            sums["history's lines"] = sum(qty * price for _, qty, price in lines)
        for where, found in sums.items():
            if found != total:
                yield Violation("I12", f"{order.order_id}: its lines cost {total}, {where} {found}")
