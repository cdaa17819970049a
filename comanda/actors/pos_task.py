"""The child task that carries one order to the POS and stays with it until its outcome is known.

It decides nothing: what it is about to do and what it has learnt go to its actor as messages, and it
goes on only when they are durable.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import trio

from .asking import ask_within
from .domain.inputs import CallAnswered, CallStarting
from .domain.order import IN_FLIGHT, NotSent, Order, Pending, PosOutcome, Unknown
from .ports import Clock, Pos
from .saving import until_saved


@dataclass(frozen=True, slots=True)
class PosTimes:
    """How long calls and pauses last, in seconds.

    `call_timeout_seconds` is specification 7.1's; it ends a call, not the order. The pauses between two
    attempts double from `pause_seconds` up to `longest_pause_seconds` (2, 4, 8, 8 …), each lengthened by
    up to `jitter` of itself so that tables do not ask in step. `repeat_seconds` is how soon a message
    that storage could not take is told again. `longest_wait_seconds` bounds a POS's own `expected_by`.
    `shortest_retry_seconds` is the least pause after a POS that is too busy, whatever it asks for.
    """

    call_timeout_seconds: float = 10.0
    pause_seconds: float = 2.0
    longest_pause_seconds: float = 8.0
    jitter: float = 0.1
    repeat_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    shortest_retry_seconds: float = 0.5


class PosTask:
    """Carries one order.

    `ask_actor` hands a message to the actor and returns its reply once durable; `weigh` takes an answer
    to an order that was settled before it came.
    """

    def __init__(
        self,
        order_id: str,
        pos: Pos,
        times: PosTimes,
        clock: Clock,
        ask_actor: Callable[[CallStarting | CallAnswered], Awaitable[object]],
        weigh: Callable[[str, PosOutcome], Awaitable[None]],
        rng: random.Random,
    ) -> None:
        self._order_id = order_id
        self._pos = pos
        self._times = times
        self._clock = clock
        self._ask_actor = ask_actor
        self._weigh = weigh
        self._rng = rng
        self._wake = trio.Event()

    def ask_now(self) -> None:
        """End the pause between two attempts. A call that is running goes on: it is joined."""
        self._wake.set()

    async def run(self) -> None:
        """Call, report, pause, and call again with the same key, until the order is settled.

        Ends also when the lock limit has handed the order to the staff. An answer to an order that was
        settled meanwhile, by a callback or by the staff, is weighed against it. When cancelled, a running
        call is given up; the next activation finds the order `sent` and treats its outcome as unknown.
        """
        pause = self._times.pause_seconds
        while True:
            order = await self._report(CallStarting(self._order_id))
            if order is None:
                return
            self._wake = trio.Event()
            outcome = await self._ask_pos(order)
            order = await self._report(CallAnswered(self._order_id, order.attempt, outcome))
            if order is None:
                weigh = partial(self._weigh, self._order_id, outcome)
                await until_saved(weigh, self._times.repeat_seconds)
                return
            if order.state not in IN_FLIGHT:
                return
            await self._pause(pause, outcome)
            pause = min(pause * 2, self._times.longest_pause_seconds)

    async def _ask_pos(self, order: Order) -> PosOutcome:
        if order.state != "sent":
            known = await self._ask(self._pos.look_up, order)
            if known is not None and not isinstance(known, Unknown):
                return known
            if order.lock_has_ended(self._clock.now()):
                return Unknown("the lock limit has passed; the staff have the order")
        while True:
            outcome = await self._ask(self._pos.submit, order)
            if not isinstance(outcome, NotSent) or outcome.retry_after_seconds is None:
                return Unknown("the POS answered nothing") if outcome is None else outcome
            pause = self._busy_pause(outcome.retry_after_seconds)
            if not self._fits_into_lock(order, pause):
                return outcome
            await trio.sleep(pause)

    async def _ask(
        self, ask: Callable[[Order], Awaitable[PosOutcome | None]], order: Order
    ) -> PosOutcome | None:
        return await ask_within(self._times.call_timeout_seconds, ask, order)

    def _busy_pause(self, asked_seconds: float) -> float:
        """As long as the POS has asked for, a little more at random, and never next to nothing."""
        pause = max(asked_seconds, self._times.shortest_retry_seconds)
        return pause * (1 + self._times.jitter * self._rng.random())

    def _fits_into_lock(self, order: Order, pause: float) -> bool:
        """Whether the pause and a whole call after it end before the lock does.

        An order that was not sent by then is handed back to the guests; once the lock has ended it
        would be in doubt though nothing of it ever arrived.
        """
        left = (order.lock_ends_at - self._clock.now()).total_seconds()
        return pause + self._times.call_timeout_seconds <= left

    async def _report(self, message: CallStarting | CallAnswered) -> Order | None:
        reply = await until_saved(partial(self._ask_actor, message), self._times.repeat_seconds)
        assert reply is None or isinstance(reply, Order)
        return reply

    async def _pause(self, pause: float, outcome: PosOutcome) -> None:
        pause *= 1 + self._times.jitter * self._rng.random()
        if isinstance(outcome, Pending) and outcome.expected_by is not None:
            pause = max(pause, self._until(outcome.expected_by))
        with trio.move_on_after(pause):
            await self._wake.wait()

    def _until(self, moment: datetime) -> float:
        left = (moment - self._clock.now()).total_seconds()
        return min(left, self._times.longest_wait_seconds)
