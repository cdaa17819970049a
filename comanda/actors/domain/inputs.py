"""What a session decides upon: a member's command, or something the house tells it."""

from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from .changes import Changes
from .menu import Menu
from .messages import CartCommand, Event, RefusalCode, Rejection
from .order import Order, PosOutcome
from .session import Session


class ByMember(Struct, frozen=True):
    """A member's command."""

    member_id: str
    command: CartCommand


class Admit(Struct, frozen=True):
    """Somebody sits down, saying the session's join PIN where they know one.

    The reply is an `Admitted`.
    """

    name: str
    pin: str | None = None


class Admitted(Struct, frozen=True):
    """Who has just sat down, and the PIN with which others may; None where they need none."""

    member_id: str
    join_pin: str | None


class FollowMenu(Struct, frozen=True):
    """The restaurant's menu may have changed: pending lines follow it."""


class CallStarting(Struct, frozen=True):
    """The POS is about to be called for this order (T2). The reply is the order, None if not wanted."""

    order_id: str


class CallAnswered(Struct, frozen=True):
    """What a call brought (T3). The reply is the order as it then stands, None if it was settled before."""

    order_id: str
    attempt: int
    outcome: PosOutcome


class OutcomeHeard(Struct, frozen=True):
    """What the POS says of an order otherwise than by answering its call. `by` says how it came.

    The reply is the order as it then stands, None if it was settled before.
    """

    order_id: str
    outcome: PosOutcome
    by: str


class Interrupted(Struct, frozen=True):
    """A new activation has taken over: a call that was under way has an unknown outcome."""


class LockEnded(Struct, frozen=True):
    """The order's lock limit has passed."""

    order_id: str


class StaffResolved(Struct, frozen=True):
    """The staff have settled an order that was left to them. The reply is the order.

    `by` says whose staff, `reason` why, in their words; `pos_reference` where they have one.
    """

    order_id: str
    outcome: Literal["confirmed", "rejected"]
    pos_reference: str | None
    reason: str
    by: str


class CloseSession(Struct, frozen=True):
    """The party has left."""

    reason: str


Input = (
    ByMember
    | Admit
    | FollowMenu
    | CallStarting
    | CallAnswered
    | OutcomeHeard
    | Interrupted
    | LockEnded
    | StaffResolved
    | CloseSession
)


class Ids(Protocol):
    """Where new ids come from; random in the house, counted in tests."""

    def member_id(self) -> str: ...
    def public_id(self) -> str: ...


class Context(Struct, frozen=True):
    """What a decision may know besides the state: the time, the menu, ids, limits.

    `order_number` is one reserved beforehand, without which no order can be placed.
    """

    now: datetime
    menu: Menu
    ids: Ids
    lock_limit_seconds: float
    order_number: int | None = None


class Decision(Struct, frozen=True):
    """The outcome of one input: the next state and what follows from it once it is durable.

    `reply` answers the input's sender. `start`: carry this order to the POS. `ask_now`: ask the POS for
    the order in flight. `show_snapshot`: the sender gets a fresh snapshot besides the reply.
    """

    session: Session
    events: tuple[Event, ...]
    changes: Changes
    reply: object = None
    start: Order | None = None
    ask_now: bool = False
    show_snapshot: bool = False


class Refusal(Struct, frozen=True):
    """A legitimate no to an input; the state stays as it is."""

    rejection: Rejection
    show_snapshot: bool = False


def refuse(code: RefusalCode, message: str, *, show_snapshot: bool = False) -> Refusal:
    """The refusal with this code and this sentence."""
    return Refusal(Rejection(code, message), show_snapshot)
