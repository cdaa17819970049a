"""One question to a POS: ended in time, and answered in a way that the house can use."""

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import trio

from .domain.order import Accepted, NotSent, Order, Pending, PosOutcome, Rejected, Unknown
from .domain.text import plain

MAX_POS_TEXT_CHARACTERS = 500
"""What is kept of a POS's own words, and of an adapter's: whatever is longer is cut."""


async def ask_within(
    seconds: float, ask: Callable[[Order], Awaitable[PosOutcome | None]], order: Order
) -> PosOutcome | None:
    """One call to the POS under its own scope; whatever goes wrong in it is `Unknown`.

    When cancelled from outside the call is given up; whether it arrived is not known.
    """
    with trio.move_on_after(seconds):
        try:
            return sound(await ask(order))
        except Exception as error:
            return Unknown(f"the call failed: {type(error).__name__}")
    return Unknown(f"no answer within {seconds:g} s")


def sound(answer: PosOutcome | None) -> PosOutcome | None:
    """A POS's answer as the house can use it: what is none is `Unknown`, texts are plain and short.

    A time is one that storage can give back: what it cannot read would keep its session from ever
    being loaded again.
    """
    match answer:
        case None:
            return None
        case Unknown():
            return Unknown(_text(answer.why), bool(answer.key_reused))
        case NotSent():
            after = answer.retry_after_seconds
            usable = isinstance(after, int | float) and math.isfinite(after) and after >= 0
            return NotSent(
                _text(answer.why), float(after) if after is not None and usable else None
            )
        case Accepted():
            return Accepted(_text(answer.reference))
        case Rejected():
            return Rejected(_text(answer.code), _text(answer.message), bool(answer.retryable))
        case Pending():
            reference = None if answer.reference is None else _text(answer.reference)
            return Pending(reference, _in_utc(answer.expected_by))
    return Unknown("the POS answered what is no outcome")  # type: ignore[unreachable]


def _text(said: object) -> str:
    """Words that can be kept and told: half of a surrogate pair has no UTF-8, and becomes a `?`."""
    return plain(str(said).encode(errors="replace").decode(), MAX_POS_TEXT_CHARACTERS)


def _in_utc(at: object) -> datetime | None:
    """A moment in UTC; None where it has no offset, or is beyond the calendar there: it is a hint."""
    if not isinstance(at, datetime) or at.utcoffset() is None:
        return None
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return None
