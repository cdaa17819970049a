"""The dummy POS of the specification (2.D): inside the process, slow on purpose, and repeatable.

The outcome is a function of the seed and the order id and is ready a delay after the first call with
the key, whoever waits for it; so the same key has the same answer, and no ledger is needed. Words at the
start of the special instructions choose the outcome, as test card numbers do for payments.
"""

import random
import re
from collections import OrderedDict
from dataclasses import dataclass, field

import trio

from comanda.actors.domain.order import Accepted, Order, PosOutcome, Rejected

MAX_KEYS = 10_000
"""Keys of which the first call's time is remembered; an older one starts anew, with the same outcome."""

VOIDED = Rejected("voided", "The order was taken back", retryable=False)

MAX_DELAY_SECONDS = 3600.0
"""The longest `pos:delay` that is heeded."""

_WORD = re.compile(r"pos:(accept|reject|hang|lost|delay=(\d{1,6}(?:\.\d{1,3})?))(?=[\s,;.]|$)")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the words at the start of the special instructions ask of the dummy POS."""

    accept: bool | None = None
    hang: bool = False
    lost: bool = False
    delay_seconds: float | None = None


def read_wishes(special_instructions: str) -> Wishes:
    """The words ``pos:accept``, ``pos:reject``, ``pos:delay=14``, ``pos:hang``, ``pos:lost``.

    They are read from the start, separated by commas; what follows them is for the kitchen. Unknown
    words end the reading and choose nothing.
    """
    accept, hang, lost, delay = None, False, False, None
    rest = special_instructions.lstrip()
    while (match := _WORD.match(rest)) is not None:
        word = match.group(1)
        if word == "accept":
            accept = True
        elif word == "reject":
            accept = False
        elif word == "hang":
            hang = True
        elif word == "lost":
            lost = True
        else:
            delay = min(float(match.group(2)), MAX_DELAY_SECONDS)
        rest = rest[match.end() :].lstrip()
        if not rest.startswith(","):
            break
        rest = rest[1:].lstrip()
    return Wishes(accept, hang, lost, delay)


def accepts(seed: int, order_id: str, success_rate: float) -> bool:
    """Whether the dummy POS takes an order that wishes for nothing: the same, whenever it is asked."""
    return random.Random(f"{seed}:{order_id}").random() < success_rate


@dataclass
class DummyPos:
    """Fulfils the POS port. Answers after `delay_seconds`, `success_rate` of the orders accepted.

    Cancellation: a cancelled call leaves the order at work; the next call with its key waits for what is
    left of the delay.
    """

    delay_seconds: float = 3.0
    success_rate: float = 0.9
    seed: int = 0
    _first_call: OrderedDict[str, float] = field(default_factory=OrderedDict, init=False)
    _voided: OrderedDict[str, None] = field(default_factory=OrderedDict, init=False)

    async def submit(self, order: Order) -> PosOutcome:
        """Take the order, or answer as before where the key is known."""
        if order.order_id in self._voided:
            await trio.lowlevel.checkpoint()
            return VOIDED
        first = order.order_id not in self._first_call
        wishes = read_wishes(order.special_instructions)
        if first:
            self._first_call[order.order_id] = trio.current_time()
            if len(self._first_call) > MAX_KEYS:
                self._first_call.popitem(last=False)
        if wishes.hang or (wishes.lost and first):
            await trio.sleep_forever()
        return await self._answer(order, wishes)

    async def look_up(self, order: Order) -> PosOutcome | None:
        """The answer for a key that was submitted, once it is ready; None for any other key."""
        if order.order_id in self._voided:
            await trio.lowlevel.checkpoint()
            return VOIDED
        if order.order_id not in self._first_call:
            await trio.lowlevel.checkpoint()
            return None
        wishes = read_wishes(order.special_instructions)
        if wishes.hang:
            await trio.sleep_forever()
        return await self._answer(order, wishes)

    async def void(self, order: Order) -> bool:
        """Take the order back: at once, and for as long as the process lives."""
        await trio.lowlevel.checkpoint()
        self._voided[order.order_id] = None
        if len(self._voided) > MAX_KEYS:
            self._voided.popitem(last=False)
        return True

    async def _answer(self, order: Order, wishes: Wishes) -> PosOutcome:
        delay = self.delay_seconds if wishes.delay_seconds is None else wishes.delay_seconds
        await trio.sleep_until(self._first_call[order.order_id] + delay)
        if order.order_id in self._voided:  # meanwhile
            return VOIDED
        if self._accepts(order.order_id, wishes):
            return Accepted(f"POS-{order.order_number}")
        return Rejected("unavailable", "POS system unavailable", retryable=True)

    def _accepts(self, order_id: str, wishes: Wishes) -> bool:
        if wishes.lost:
            return True
        if wishes.accept is not None:
            return wishes.accept
        return accepts(self.seed, order_id, self.success_rate)
