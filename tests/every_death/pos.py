"""A POS that is the truth: its ledger outlives every house, and it works on whether or not one listens.

It keeps the POS contract; `Fault` says in which way its first order goes wrong.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import trio

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.order import (
    Accepted,
    NotSent,
    Order,
    Pending,
    PosOutcome,
    Rejected,
    Unknown,
)
from comanda.actors.house import House

from .houses import Houses
from .ledger import Entry, What

Status = Literal["undecided", "accepted", "rejected", "voided"]

ACCEPTED = Accepted("POS-1")
REFUSED = Rejected("no_capacity", "POS system unavailable", retryable=True)
VOIDED = Rejected("voided", "The order was taken back", retryable=False)


class Says(NamedTuple):
    """So long after the order has arrived the POS decides thus, and calls back, so many times."""

    after_seconds: float
    status: Literal["accepted", "rejected"]
    times: int = 1


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the first order; any other is accepted at once.

    `decides` is what becomes of it, `decides_after` seconds from its arrival (None: only `says` decide).
    `answers` is how a submit is answered, `answers_after` seconds later, the first `times` times.
    `silent_for`: so long from the first call no submit has an effect or an answer.
    `void_failures`: so many voids are not answered, and not heeded.
    """

    name: str
    decides: Literal["accepted", "rejected"] | None = "accepted"
    decides_after: float = 0.0
    retryable: bool = True
    answers: Literal[
        "plainly",
        "pending",
        "lost",
        "reset",
        "garbage",
        "error after",
        "error before",
        "busy",
        "not sent",
        "hang",
        "key reused",
    ] = "plainly"
    answers_after: float = 0.0
    times: float = 1
    says: tuple[Says, ...] = ()
    look_up: Literal["works", "down", "blind"] = "works"
    silent_for: float = 0.0
    void_failures: float = 0


@dataclass(slots=True)
class _Key:
    body: bytes
    status: Status = "undecided"
    answer: PosOutcome = ACCEPTED
    decided: trio.Event = field(default_factory=trio.Event)


class Exchange:
    """One call on its way: what the POS will have answered, if ever."""

    def __init__(self) -> None:
        self._answered = trio.Event()
        self._answer: PosOutcome | Exception | None = None

    def give(self, answer: PosOutcome | Exception | None) -> None:
        self._answer = answer
        self._answered.set()

    async def answer(self) -> PosOutcome | Exception | None:
        await self._answered.wait()
        return self._answer


class TruthPos:
    """The POS with this fault. Its work runs in `nursery`, which no house's end cancels."""

    def __init__(self, fault: Fault, nursery: trio.Nursery, houses: Houses) -> None:
        self.fault = fault
        self.ledger: list[Entry] = []
        self.at_work = 0
        """Decisions and callbacks that are still to come."""
        self.calls: dict[str, int] = {}
        """Submits that arrived, by key."""
        self._nursery = nursery
        self._houses = houses
        self._keys: dict[str, _Key] = {}
        self._first: str | None = None
        self._silent_until = -math.inf
        self._voids_failed = 0

    def tells_when_asked(self) -> dict[str, str]:
        """The keys of which a look-up would tell the outcome now."""
        if self.fault.look_up != "works":
            return {}
        return {
            order_id: key.status
            for order_id, key in self._keys.items()
            if key.status != "undecided"
        }

    # --- Calls that arrive; each is synchronous, its answer comes when it comes ----------------------

    def submit(self, order: Order) -> Exchange:
        """An order arrives."""
        exchange = Exchange()
        if self._first is None:
            self._first = order.order_id
            self._silent_until = trio.current_time() + self.fault.silent_for
        number = self.calls[order.order_id] = self.calls.get(order.order_id, 0) + 1
        faulty = order.order_id == self._first and number <= self.fault.times
        how = self.fault.answers if faulty else "plainly"
        match how:
            case _ if trio.current_time() < self._silent_until:
                return exchange
            case "hang":
                return exchange
            case "busy":
                exchange.give(NotSent("429", retry_after_seconds=4.0))
            case "not sent":
                exchange.give(NotSent("connection refused"))
            case "error before":
                exchange.give(Unknown("503"))
            case "key reused":
                exchange.give(Unknown("another body", key_reused=True))
            case _:
                self._take_in(order, how, exchange)
        return exchange

    def look_up(self, order: Order) -> Exchange:
        """Somebody asks for a key."""
        exchange = Exchange()
        key = self._keys.get(order.order_id)
        if trio.current_time() < self._silent_until:
            return exchange
        if self.fault.look_up == "down":
            exchange.give(Unknown("503"))
        elif key is None or self.fault.look_up == "blind":
            exchange.give(None)
        else:
            exchange.give(self._word_on(key))
        return exchange

    def void(self, order: Order) -> bool:
        """Somebody takes an order back."""
        if self._voids_failed < self.fault.void_failures:
            self._voids_failed += 1
            return False
        key = self._keys.setdefault(order.order_id, _Key(order.payload))
        if key.status == "accepted":
            self._enter("voided", order.order_id, key.body)
        key.status = "voided"
        key.decided.set()
        return True

    # --- What it does with them ---------------------------------------------------------------------

    def _take_in(self, order: Order, how: str, exchange: Exchange) -> None:
        key = self._keys.get(order.order_id)
        if key is None:
            key = self._keys[order.order_id] = _Key(order.payload)
            self._begin(order, key)
        elif key.body != order.payload:
            self._enter("other body", order.order_id, order.payload)
            exchange.give(Unknown("another body", key_reused=True))
            return
        elif how == "plainly":
            exchange.give(self._word_on(key))
            return
        self._nursery.start_soon(self._answer, key, how, exchange)

    def _begin(self, order: Order, key: _Key) -> None:
        if order.order_id != self._first:
            self._decide(order.order_id, key, "accepted")
            return
        if self.fault.decides is not None:
            if self.fault.decides_after:
                self.at_work += 1
                self._nursery.start_soon(self._decide_later, order.order_id, key)
            else:
                self._decide(order.order_id, key, self.fault.decides)
        for says in self.fault.says:
            self.at_work += 1
            self._nursery.start_soon(self._call_back, order.order_id, key, says)

    def _decide(self, order_id: str, key: _Key, status: Literal["accepted", "rejected"]) -> None:
        if key.status == status or key.status == "voided":
            return
        if status == "accepted":
            self._enter("effect", order_id, key.body)
        else:
            self._enter("withdrawn" if key.status == "accepted" else "refused", order_id, key.body)
        key.status = status
        refused = Rejected(REFUSED.code, REFUSED.message, self.fault.retryable)
        key.answer = ACCEPTED if status == "accepted" else refused
        key.decided.set()

    async def _decide_later(self, order_id: str, key: _Key) -> None:
        await trio.sleep(self.fault.decides_after)
        assert self.fault.decides is not None
        self._decide(order_id, key, self.fault.decides)
        self.at_work -= 1

    async def _call_back(self, order_id: str, key: _Key, says: Says) -> None:
        await trio.sleep(says.after_seconds)
        self._decide(order_id, key, says.status)
        outcome = ACCEPTED if says.status == "accepted" else REFUSED
        for number in range(says.times):
            said = OutcomeHeard(order_id, outcome, f"callback {number}")
            await self._houses.ask(partial(House.hear_pos, said=said))
        self.at_work -= 1

    async def _answer(self, key: _Key, how: str, exchange: Exchange) -> None:
        if how == "pending":
            await trio.sleep(self.fault.answers_after)
            exchange.give(Pending("POS-1", None))
            return
        await key.decided.wait()
        await trio.sleep(self.fault.answers_after)
        match how:
            case "lost":
                return
            case "reset":
                exchange.give(ConnectionResetError("reset by peer"))
            case "garbage" | "error after":
                exchange.give(Unknown(how))
            case _:
                exchange.give(self._word_on(key))

    def _word_on(self, key: _Key) -> PosOutcome:
        if key.status == "undecided":
            return Pending("POS-1", None)
        return VOIDED if key.status == "voided" else key.answer

    def _enter(
        self,
        what: What,
        key: str,
        body: bytes,
    ) -> None:
        self.ledger.append(Entry(trio.current_time(), what, key, body))
