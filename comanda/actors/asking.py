"""One question to a POS: ended in time, and answered in a way that the house can use."""

import math
from collections.abc import Awaitable, Callable
from datetime import datetime

import trio

from .domain.order import Accepted, NotSent, Order, Pending, PosOutcome, Rejected, Unknown

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
    """A POS's answer as the house can use it: what is none is `Unknown`, times are aware, texts short."""
    most = MAX_POS_TEXT_CHARACTERS
    match answer:
        case None:
            return None
        case Unknown():
            return Unknown(str(answer.why)[:most], bool(answer.key_reused))
        case NotSent():
            after = answer.retry_after_seconds
            usable = isinstance(after, int | float) and math.isfinite(after) and after >= 0
            why = str(answer.why)[:most]
            return NotSent(why, float(after) if after is not None and usable else None)
        case Accepted():
            return Accepted(str(answer.reference)[:most])
        case Rejected():
            message = str(answer.message)[:most]
            return Rejected(str(answer.code)[:most], message, bool(answer.retryable))
        case Pending():
            at = answer.expected_by
            at = at if isinstance(at, datetime) and at.tzinfo is not None else None
            reference = None if answer.reference is None else str(answer.reference)[:most]
            return Pending(reference, at)
    return Unknown("the POS answered what is no outcome")  # type: ignore[unreachable]
