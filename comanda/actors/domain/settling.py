"""An order after the lock: each call to the POS, each answer, and the end of the lock.

A timeout is no failure. Only a refusal bound to the order's key, or proof that it was never sent, gives
the lines back to the cart.
"""

from msgspec.structs import replace

from .changes import AttemptEnded, AttemptStarted, Changes, LineMove
from .editing import follow_menu
from .incident import Incident, VoidWanted, in_words
from .inputs import (
    CallAnswered,
    CallStarting,
    Context,
    Decision,
    LockEnded,
    OutcomeHeard,
    Refusal,
    StaffResolved,
    refuse,
)
from .messages import (
    CartUnlocked,
    Event,
    LastOrder,
    OrderConfirmed,
    OrderFailed,
    OrderProcessing,
    Stage,
)
from .order import (
    IN_FLIGHT,
    Accepted,
    NotSent,
    Order,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)
from .session import Session

TOO_LATE = "The order was not sent in time"

REJECTED_BY_STAFF = "The staff have cancelled this order"
"""What guests read; the staff's own reason stays in the journal."""

PROCESSING_MESSAGES: dict[Stage, str] = {
    "sent": "Your order is being processed...",
    "unknown": "No answer from the kitchen yet. We keep asking; please do not order again.",
    "pending": "The kitchen has your order and is about to accept it.",
    "needs_staff": "We could not confirm your order. The staff have been told.",
}


def call_starting(session: Session, said: CallStarting, context: Context) -> Decision:
    """T2: the order is `sent` and the attempt on record before the POS hears of it.

    The reply is the order, or None when nobody need be called for it any more. One that was prepared
    but not sent before its lock limit is not sent late: it fails.
    """
    order = session.pending
    if order is None or order.order_id != said.order_id or order.state not in IN_FLIGHT:
        return Decision(session, (), Changes())
    if order.key_reused:  # whatever the POS would say is of another order: the staff will settle it
        return Decision(session, (), Changes())
    if order.state == "prepared" and order.lock_has_ended(context.now):
        failed = _fail(session, order, TOO_LATE, True, Changes(), context)
        return replace(failed, reply=None)
    attempt = order.attempt + 1
    if order.state == "prepared":
        order.check_move("sent")
        order = replace(order, state="sent", attempt=attempt)
    else:
        order = replace(order, attempt=attempt)
    changes = Changes()
    changes.attempts.append(AttemptStarted(order.order_id, attempt, context.now))
    decision = _told_stage(session, order, changes, context)
    return replace(decision, reply=order)


def interrupted(session: Session, context: Context) -> Decision:
    """A new activation finds an order `sent`: whether it arrived is not known."""
    order = session.pending
    if order is None or order.state != "sent":
        return Decision(session, (), Changes())
    order.check_move("unknown")
    changes = Changes()
    why = Unknown("the server stopped during the call")
    changes.attempts.append(AttemptEnded(order.order_id, order.attempt, context.now, why))
    return _told_stage(session, replace(order, state="unknown"), changes, context)


def call_answered(session: Session, said: CallAnswered, context: Context) -> Decision:
    """T3: what a call has brought, from `sent`, `unknown` or `needs_staff`.

    The reply is the order as it then stands; None where it was settled before, by whomever.
    """
    changes = Changes()
    ended = AttemptEnded(said.order_id, said.attempt, context.now, said.outcome)
    changes.attempts.append(ended)
    order = _unsettled(session, said.order_id)
    if order is None or order.state == "prepared" or order.key_reused:
        return Decision(session, (), changes)
    outcome = said.outcome
    if isinstance(outcome, NotSent) and (order.state != "sent" or order.attempt > 1):
        outcome = Unknown(outcome.why)  # an earlier attempt may have arrived
    return _settle(session, order, outcome, changes, context)


def outcome_heard(session: Session, said: OutcomeHeard, context: Context) -> Decision:
    """What the POS has said unasked, or to a later question: as good as the answer to a call.

    An order that was never sent, or whose key the POS uses for another one, is none of those that the
    POS can speak of.
    """
    order = _unsettled(session, said.order_id)
    if order is None or order.state == "prepared" or order.key_reused:
        return Decision(session, (), Changes())
    order = replace(order, heard_by=said.by)
    return _settle(session, order, said.outcome, Changes(), context)


def lock_ended(session: Session, said: LockEnded, context: Context) -> Decision:
    """The lock limit: the cart opens; an order in doubt goes to the staff, its lines with it."""
    order = session.pending
    if order is None or order.order_id != said.order_id or not order.lock_has_ended(context.now):
        return Decision(session, (), Changes())
    if order.state == "prepared":
        return _fail(session, order, TOO_LATE, True, Changes(), context)
    changes = Changes()
    if order.state == "sent":
        order.check_move("unknown")
        order = replace(order, state="unknown")
        why = Unknown("no answer before the lock limit")
        changes.attempts.append(AttemptEnded(order.order_id, order.attempt, context.now, why))
    order.check_move("needs_staff")
    order = replace(order, state="needs_staff")
    changes.orders[order.order_id] = order
    after = replace(
        session,
        seq=session.seq + 2,
        updated_at=context.now,
        lines={},
        retired=session.retired | set(session.lines),
        pending=None,
        in_doubt={**session.in_doubt, order.order_id: order},
        last_order=None,
    )
    unlocked = CartUnlocked(
        after.seq,
        order.order_id,
        "The cart is open again. Your last order is still being settled by the staff.",
        context.now,
    )
    events = (_processing(order, after.seq - 1, context), unlocked)
    return Decision(after, events, changes, reply=order)


def staff_resolved(session: Session, said: StaffResolved, context: Context) -> Decision | Refusal:
    """The staff say how an order in `needs_staff` has ended; no call to the POS is on record for it.

    Refused for any other order: one in flight is still asked for, a settled one is final.
    """
    order = session.in_doubt.get(said.order_id)
    if order is None:
        return refuse("conflict", "This order does not wait for the staff")
    order = replace(
        order,
        pos_reference=said.pos_reference or order.pos_reference,
        decided_by=said.by,
        decided_reason=said.reason,
    )
    if said.outcome == "confirmed":
        return _confirm(session, order, order.pos_reference, Changes(), context)
    changes = Changes()
    if not order.key_reused:  # else it is another order that would be taken back
        # The POS may have it, or get it late: it must not cook what the table was told has failed.
        changes.voids.append(VoidWanted(order.order_id, context.now, "the staff have cancelled it"))
    return _fail(session, order, REJECTED_BY_STAFF, False, changes, context)


def _unsettled(session: Session, order_id: str) -> Order | None:
    order = session.pending
    if order is not None and order.order_id == order_id:
        return order
    return session.in_doubt.get(order_id)


def _settle(
    session: Session, order: Order, outcome: PosOutcome, changes: Changes, context: Context
) -> Decision:
    match outcome:
        case Accepted():
            return _confirm(session, order, outcome.reference, changes, context)
        case Rejected():
            return _fail(session, order, outcome.message, outcome.retryable, changes, context)
        case NotSent():
            return _fail(session, order, outcome.why, True, changes, context)
        case Pending() | Unknown():
            return _in_doubt(session, order, outcome, changes, context)


def _in_doubt(
    session: Session, order: Order, outcome: Pending | Unknown, changes: Changes, context: Context
) -> Decision:
    before = order
    if order.state == "sent":
        order.check_move("unknown")
        order = replace(order, state="unknown")
    if isinstance(outcome, Unknown) and outcome.key_reused:
        order = replace(order, key_reused=True)
        changes.incidents.append(
            Incident(
                order.order_id,
                "key_reused",
                order.restaurant_id,
                context.now,
                in_words(outcome),
            )
        )
    if isinstance(outcome, Pending):
        order = replace(
            order,
            taken_by_pos=True,
            expected_by=outcome.expected_by,
            pos_reference=outcome.reference or order.pos_reference,
        )
    if order.state == "needs_staff":
        changes.orders[order.order_id] = order
        after = replace(session, in_doubt={**session.in_doubt, order.order_id: order})
        return Decision(after, (), changes, reply=order)
    if order.stage == before.stage:
        changes.orders[order.order_id] = order
        return Decision(replace(session, pending=order), (), changes, reply=order)
    return replace(_told_stage(session, order, changes, context), reply=order)


def _confirm(
    session: Session, order: Order, reference: str | None, changes: Changes, context: Context
) -> Decision:
    order.check_move("confirmed")
    order = replace(
        order,
        state="confirmed",
        settled_at=context.now,
        pos_reference=reference or order.pos_reference,
        error=None,
    )
    changes.orders[order.order_id] = order
    changes.moves += [LineMove(line.public_id, "ordered", order.order_id) for line in order.lines]
    after = replace(session, seq=session.seq + 1, updated_at=context.now)
    if order.order_id in session.in_doubt:
        after = replace(after, in_doubt=_without(session.in_doubt, order.order_id))
    else:
        for line in session.lines.values():
            line.moved_to("ordered")
        after = replace(
            after,
            lines={},
            retired=session.retired | set(session.lines),
            pending=None,
            last_order=LastOrder(
                order.order_id,
                "confirmed",
                None,
                False,
                order.placed_by,
                0,
                order.special_instructions,
            ),
        )
    event = OrderConfirmed(
        after.seq,
        order.order_id,
        "Order placed successfully!",
        order.as_record(),
        context.now,
    )
    return Decision(after, (event,), changes, reply=order)


def _fail(
    session: Session,
    order: Order,
    error: str,
    allow_retry: bool,
    changes: Changes,
    context: Context,
) -> Decision:
    order.check_move("rejected")
    late = order.order_id in session.in_doubt
    allow_retry = allow_retry and not late and session.closed_reason is None
    order = replace(
        order, state="rejected", settled_at=context.now, error=error, allow_retry=allow_retry
    )
    changes.orders[order.order_id] = order
    changes.moves += [LineMove(line.public_id, "pending", None) for line in order.lines]
    after = replace(session, seq=session.seq + 1, updated_at=context.now)
    if late:
        # Another round's cart is open: the lines must not come back into it.
        changes.removed.update((line.public_id, None) for line in order.lines)
        after = replace(after, in_doubt=_without(session.in_doubt, order.order_id))
    else:
        last = session.last_order
        tries = 1 + (last.tries if last is not None and last.status == "failed" else 0)
        after = replace(
            after,
            lines={key: line.moved_to("pending") for key, line in session.lines.items()},
            pending=None,
            last_order=LastOrder(
                order.order_id,
                "failed",
                error,
                allow_retry,
                order.placed_by,
                tries,
                order.special_instructions,
            ),
        )
    failed = OrderFailed(
        after.seq,
        order.order_id,
        error,
        "Order failed. Please try again." if allow_retry else "Order failed.",
        allow_retry,
        context.now,
        order.special_instructions,
    )
    events: tuple[Event, ...] = (failed,)
    if not late:
        # What the menu has changed while the lines were locked reaches them now.
        following = follow_menu(after, context)
        after = following.session
        events += following.events
        changes.add(following.changes)
    return Decision(after, events, changes, reply=order)


def _told_stage(session: Session, order: Order, changes: Changes, context: Context) -> Decision:
    """The order in flight has moved on; everybody hears at which stage it is."""
    changes.orders[order.order_id] = order
    after = replace(session, seq=session.seq + 1, updated_at=context.now, pending=order)
    return Decision(after, (_processing(order, after.seq, context),), changes)


def _processing(order: Order, seq: int, context: Context) -> OrderProcessing:
    return OrderProcessing(
        seq,
        order.order_id,
        order.stage,
        order.attempt,
        order.lock_ends_at,
        PROCESSING_MESSAGES[order.stage],
        context.now,
    )


def _without(orders: dict[str, Order], order_id: str) -> dict[str, Order]:
    return {key: order for key, order in orders.items() if key != order_id}
