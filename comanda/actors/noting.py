"""What the operator is told of a table: each step of an order and the session's end, counted and logged.

Called once it is durable. Ids alone: no name, no note, nobody's words.
"""

from collections.abc import Iterable
from typing import Any

from comanda.logs import get_log

from .domain.inputs import ByMember, Decision
from .domain.messages import PlaceOrder
from .domain.order import Order
from .domain.session import Session
from .ports import SessionKey
from .tally import Tally

log = get_log("comanda.session")

_DOUBTFUL = frozenset({"unknown", "needs_staff"})
"""States that somebody should look at."""


def note(
    tally: Tally, key: SessionKey, before: Session, decided: Iterable[tuple[object, object]]
) -> None:
    """Note what decisions have made of a session's orders, and whether it has ended.

    Args:
        before: the session before the first of them.
        decided: each message and what was decided upon it, in order; what is no `Decision` is passed by.
    """
    states = {order.order_id: order.state for order in before.in_doubt.values()}
    if before.pending is not None:
        states[before.pending.order_id] = before.pending.state
    closed = before.closed_reason is not None
    for message, decision in decided:
        if not isinstance(decision, Decision):
            continue
        for order in decision.changes.orders.values():
            if states.get(order.order_id) != order.state:
                states[order.order_id] = order.state
                _note_order(tally, key, order, message, decision.session)
        if not closed and decision.session.closed_reason is not None:
            closed = True
            log.info(
                "session closed",
                session=key.pid,
                restaurant=key.restaurant_id,
                by=type(message).__name__,
            )


def _note_order(
    tally: Tally, key: SessionKey, order: Order, message: object, after: Session
) -> None:
    tally.order_states[order.state] += 1
    taken = tally.order_seconds.get(order.state)
    ids: dict[str, Any] = {"session": key.pid, "order": order.order_id, "member": order.placed_by}
    if isinstance(message, ByMember) and isinstance(message.command, PlaceOrder):
        ids["request"] = message.command.request_id
    if taken is not None:
        seconds = ((order.settled_at or after.updated_at) - order.placed_at).total_seconds()
        taken.observe(max(0.0, seconds))  # a clock may have been put back
        ids["seconds"] = round(seconds, 3)
    tell = log.warning if order.state in _DOUBTFUL else log.info
    tell(f"order {order.state}", **ids, attempt=order.attempt, by=type(message).__name__)
