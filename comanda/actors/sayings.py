"""What is said to a dining session besides the domain's inputs, what it answers, and what it shows."""

from msgspec import Struct

from comanda.runtime import Envelope

from .audience import Seat
from .domain.inputs import Decision, Input, Refusal
from .domain.messages import CartSnapshot, Told
from .domain.session import Session
from .ports import Outlet


class Sit(Struct, frozen=True):
    """A connection of a member joins: the snapshot and the registration in one step.

    The reply is a `Seated`, or a `Rejection` for somebody who may not sit here.
    """

    member_id: str
    outlet: Outlet


class Seated(Struct, frozen=True):
    """A connection's place; the snapshot has gone to its outlet already."""

    seat: Seat


class MenuChanged(Struct, frozen=True):
    """The restaurant's menu has changed. It only wakes: every batch begins by following the menu."""


class Drain(Struct, frozen=True):
    """The server goes down: members are told and let go, an order on its way is still carried."""


class PresenceChanged(Struct, frozen=True):
    """A member's last connection has gone; the actor tells itself."""


class CheckClaim(Struct, frozen=True):
    """Somebody else may have claimed the session: a commit tells, even of nothing."""


Message = Input | Sit | MenuChanged | Drain | PresenceChanged | CheckClaim

Outcomes = list[tuple[Envelope[Message], Decision | Refusal | None]]
"""A batch with what was decided upon each message; None for what is no part of the session's state."""

Answer = tuple[Told, ...]
"""The reply to a `ByMember`: what goes to the sender alone, in this order."""


class View(Struct, frozen=True):
    """The last adopted state, for readers that pass no mailbox."""

    session: Session
    online: frozenset[str]

    def snapshot(self) -> CartSnapshot:
        """The cart snapshot of the protocol."""
        return self.session.snapshot(self.online)
