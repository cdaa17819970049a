"""`decide`: one input upon one state. Synchronous and pure; refusals are values, bugs raise."""

from hashlib import blake2b
from hmac import compare_digest

from msgspec.structs import replace

from .changes import Changes, Member, Remembered
from .editing import edit, follow_menu
from .inputs import (
    Admit,
    Admitted,
    ByMember,
    CallAnswered,
    CallStarting,
    CloseSession,
    Context,
    Decision,
    FollowMenu,
    Input,
    Interrupted,
    LockEnded,
    OutcomeHeard,
    Refusal,
    StaffResolved,
    refuse,
)
from .messages import (
    Ack,
    CartCommand,
    JoinedMember,
    MemberJoined,
    PlaceOrder,
    ResolveNow,
    SessionClosed,
    encode,
)
from .placing import place_order
from .session import MAX_MEMBERS, NO_REQUESTS, Session
from .settling import (
    call_answered,
    call_starting,
    interrupted,
    lock_ended,
    outcome_heard,
    staff_resolved,
)

ALREADY_PROCESSED = "Order already being processed"
"""Specification 5.3, word for word."""


def decide(session: Session, said: Input, context: Context) -> Decision | Refusal:
    """What follows from `said` in `session`'s state.

    Nothing is changed: the next state is in the decision, to be adopted once it is durable.

    Raises:
        IllegalTransition: a bug; an input asked a state to move where its table does not lead.
    """
    match said:
        case ByMember():
            return _by_member(session, said, context)
        case CallStarting():
            return call_starting(session, said, context)
        case CallAnswered():
            return call_answered(session, said, context)
        case OutcomeHeard():
            return outcome_heard(session, said, context)
        case LockEnded():
            return lock_ended(session, said, context)
        case StaffResolved():
            return staff_resolved(session, said, context)
        case Interrupted():
            return interrupted(session, context)
        case FollowMenu():
            return follow_menu(session, context)
        case Admit():
            return _admit(session, said, context)
        case CloseSession():
            return _close(session, said, context)


def _by_member(session: Session, said: ByMember, context: Context) -> Decision | Refusal:
    command = said.command
    request_id = command.request_id
    fingerprint = b""
    if request_id is not None:
        fingerprint = blake2b(encode(command), digest_size=16).digest()
        known = session.requests.get(said.member_id, NO_REQUESTS).find(request_id)
        if known is not None:
            if known.fingerprint != fingerprint:
                return refuse(
                    "request_id_reused", "This request_id was used for another command before"
                )
            return Decision(session, (), Changes(), Ack(request_id, known.seq))
    if session.closed_reason is not None:
        return refuse("session_closed", "This table's session is closed")
    decision = _command(session, said.member_id, command, context)
    if request_id is None or isinstance(decision, Refusal):
        return decision
    return _remember(decision, said.member_id, request_id, fingerprint)


def _remember(decision: Decision, member_id: str, request_id: str, fingerprint: bytes) -> Decision:
    session = decision.session
    memory = session.requests.get(member_id, NO_REQUESTS)
    remembered = Remembered(member_id, request_id, memory.count, fingerprint, session.seq)
    decision.changes.requests.append(remembered)
    return replace(
        decision,
        session=replace(
            session, requests={**session.requests, member_id: memory.with_one(remembered)}
        ),
        reply=Ack(request_id, session.seq),
    )


def _command(
    session: Session, member_id: str, command: CartCommand, context: Context
) -> Decision | Refusal:
    if isinstance(command, ResolveNow):
        in_flight = session.pending is not None
        return Decision(session, (), Changes(), ask_now=in_flight, show_snapshot=not in_flight)
    if session.pending is not None:
        return refuse("cart_locked", ALREADY_PROCESSED)
    if isinstance(command, PlaceOrder):
        return place_order(session, member_id, command, context)
    return edit(session, member_id, command, context)


def _admit(session: Session, said: Admit, context: Context) -> Decision | Refusal:
    if session.closed_reason is not None:
        return refuse("session_closed", "This table's session is closed")
    if len(session.members) >= MAX_MEMBERS:
        return refuse("too_busy", f"A table seats at most {MAX_MEMBERS} members")
    unproved = _unproved(session, said)
    if unproved is not None:
        return unproved
    member = Member(context.ids.member_id(), said.name, context.now)
    after = replace(
        session,
        seq=session.seq + 1,
        updated_at=context.now,
        members={**session.members, member.member_id: member},
    )
    changes = Changes()
    changes.members.append(member)
    joined = MemberJoined(after.seq, JoinedMember(member.member_id, member.name), context.now)
    admitted = Admitted(member.member_id, session.join_pin)
    return Decision(after, (joined,), changes, reply=admitted)


def _unproved(session: Session, said: Admit) -> Refusal | None:
    """The refusal of somebody who does not know the PIN. The first of a table is who is told it."""
    if session.join_pin is None or not session.members:
        return None
    if said.pin is None:
        return refuse("pin_required", "Somebody sits here already: ask them for the table's PIN")
    if not compare_digest(said.pin.encode(), session.join_pin.encode()):
        return refuse("pin_wrong", "This is not the table's PIN; ask who sits there")
    return None


def _close(session: Session, said: CloseSession, context: Context) -> Decision:
    if session.closed_reason is not None:
        return Decision(session, (), Changes())
    after = replace(
        session,
        seq=session.seq + 1,
        updated_at=context.now,
        closed_reason=said.reason,
        join_pin=None,
    )
    return Decision(after, (SessionClosed(after.seq, said.reason, context.now),), Changes())
