"""What must not be passed over in silence: a POS whose word stands against what the table was told."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from .messages import IncidentKind, IncidentRecord, OrderStateName
from .order import Accepted, PosOutcome, Rejected, Unknown

SENTENCES: Final[dict[IncidentKind, str]] = {
    "accepted_after_rejected": "The POS has accepted an order that the table was told has failed",
    "refused_after_confirmed": "The POS has refused an order that the table was told is confirmed",
    "void_unanswered": "The POS does not answer that this order was taken back",
    "key_reused": "The POS has another order under this order's id",
}
"""What staff read of each kind."""


class Incident(Struct, frozen=True):
    """A contradiction on record. It stands until the staff close it; of a kind an order has one."""

    order_id: str
    kind: IncidentKind
    restaurant_id: int
    opened_at: datetime
    detail: str
    closed_at: datetime | None = None
    closed_by: str | None = None
    closed_outcome: str | None = None
    closed_reason: str | None = None

    def as_record(self) -> IncidentRecord:
        """The incident as the staff read it."""
        return IncidentRecord(
            kind=self.kind,
            message=SENTENCES[self.kind],
            detail=self.detail,
            opened_at=self.opened_at,
            closed_at=self.closed_at,
            closed_by=self.closed_by,
            closed_outcome=self.closed_outcome,
            closed_reason=self.closed_reason,
        )


class VoidWanted(Struct, frozen=True):
    """The POS is to take an order back, since the table was told that it has failed."""

    order_id: str
    at: datetime
    why: str


def contradiction(state: OrderStateName, outcome: PosOutcome) -> IncidentKind | None:
    """How an answer contradicts a settled order; None where it does not.

    `Pending` and a plain `Unknown` say nothing yet, `NotSent` is only of the call itself.
    """
    match outcome:
        case Accepted() if state == "rejected":
            return "accepted_after_rejected"
        case Rejected() if state == "confirmed":
            return "refused_after_confirmed"
        case Unknown(key_reused=True):
            return "key_reused"
    return None


def in_words(outcome: PosOutcome) -> str:
    """What the POS has said, for the staff to read."""
    match outcome:
        case Accepted():
            return f"accepted as {outcome.reference}"
        case Rejected():
            return f"{outcome.message} ({outcome.code})"
        case Unknown():
            return outcome.why
    return type(outcome).__name__
