"""A POS that is the truth: its ledger outlives every house, and it works on whether or not one listens.

It keeps the POS contract; `Fault` says in which way an order goes wrong.
"""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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
    """What goes wrong with an order.

    `decides` is what becomes of it, `decides_after` seconds from its arrival (None: only `says` decide).
    `answers` is how a submit is answered, `answers_after` seconds later, the first `times` times; `then`
    is how the later ones are.
    `silent_for`: so long from the first call nothing has an effect or an answer.
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
    then: Literal["plainly", "lost"] = "plainly"
    says: tuple[Says, ...] = ()
    look_up: Literal["works", "down", "blind"] = "works"
    silent_for: float = 0.0
    void_failures: float = 0


@dataclass(slots=True)
class _Key:
    body: bytes
    status: Status = "undecided"
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
    """A POS. Its work runs in `nursery`, which no house's end cancels."""

    def __init__(
        self,
        fault_of: Callable[[str], Fault],
        nursery: trio.Nursery,
        call_back: Callable[[OutcomeHeard], Awaitable[object]],
        heard: Callable[[Entry], None] = lambda entry: None,
        is_dead: Callable[[str], bool] = lambda order_id: False,
    ) -> None:
        """Args:
        is_dead: whether the restaurant's POS to which the order of this key goes is dead now.
        fault_of: what goes wrong with the order of this key, which has just arrived first.
        call_back: tells whichever house lives, until it has heard.
        heard: is told of each entry of the ledger.
        """
        self.ledger: list[Entry] = []
        self.at_work = 0
        """Decisions and callbacks that are still to come."""
        self.calls: dict[str, int] = {}
        """Submits that arrived, by key."""
        self.faults: dict[str, Fault] = {}
        """What goes wrong with each order that has arrived."""
        self._fault_of = fault_of
        self._nursery = nursery
        self._call_back = call_back
        self._heard = heard
        self._is_dead = is_dead
        self._keys: dict[str, _Key] = {}
        self._silent_until: dict[str, float] = {}
        self._voids_failed: dict[str, int] = {}

    def tells_when_asked(self) -> dict[str, str]:
        """The keys of which a look-up would tell the outcome now."""
        return {
            order_id: key.status
            for order_id, key in self._keys.items()
            if key.status != "undecided" and self._fault(order_id).look_up == "works"
        }

    def has(self, order_id: str) -> str:
        """What the POS makes of a key at this moment: its status, or ``nothing``."""
        key = self._keys.get(order_id)
        return "nothing" if key is None else key.status

    def _fault(self, order_id: str) -> Fault:
        fault = self.faults.get(order_id)
        if fault is None:
            fault = self.faults[order_id] = self._fault_of(order_id)
        return fault

    def _is_silent(self, order_id: str) -> bool:
        silent = trio.current_time() < self._silent_until.get(order_id, -math.inf)
        return silent or self._is_dead(order_id)

    # --- Calls that arrive; each is synchronous, its answer comes when it comes ----------------------

    def submit(self, order: Order) -> Exchange:
        """An order arrives."""
        exchange = Exchange()
        fault = self._fault(order.order_id)
        if order.order_id not in self._silent_until:
            self._silent_until[order.order_id] = trio.current_time() + fault.silent_for
        number = self.calls[order.order_id] = self.calls.get(order.order_id, 0) + 1
        how = fault.answers if number <= fault.times else fault.then
        match how:
            case _ if self._is_silent(order.order_id):
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
                self._enter("reused", order.order_id, order.payload)
                exchange.give(Unknown("another body", key_reused=True))
            case _:
                self._take_in(order, how, exchange)
        return exchange

    def look_up(self, order: Order) -> Exchange:
        """Somebody asks for a key."""
        exchange = Exchange()
        key = self._keys.get(order.order_id)
        look_up = self._fault(order.order_id).look_up
        if self._is_silent(order.order_id):
            return exchange
        if look_up == "down":
            exchange.give(Unknown("503"))
        elif key is None or look_up == "blind":
            exchange.give(None)
        else:
            exchange.give(self._word_on(order.order_id, key))
        return exchange

    def void(self, order: Order) -> bool:
        """Somebody takes an order back."""
        failed = self._voids_failed.get(order.order_id, 0)
        if self._is_dead(order.order_id):
            return False
        if failed < self._fault(order.order_id).void_failures:
            self._voids_failed[order.order_id] = failed + 1
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
            self._begin(order.order_id, key)
        elif key.body != order.payload:
            self._enter("other body", order.order_id, order.payload)
            exchange.give(Unknown("another body", key_reused=True))
            return
        elif how == "plainly":
            exchange.give(self._word_on(order.order_id, key))
            return
        self._nursery.start_soon(self._answer, order.order_id, key, how, exchange)

    def _begin(self, order_id: str, key: _Key) -> None:
        fault = self._fault(order_id)
        if fault.decides is not None:
            if fault.decides_after:
                self.at_work += 1
                self._nursery.start_soon(self._decide_later, order_id, key, fault)
            else:
                self._decide(order_id, key, fault.decides)
        for says in fault.says:
            self.at_work += 1
            self._nursery.start_soon(self._say, order_id, key, says)

    def _decide(self, order_id: str, key: _Key, status: Literal["accepted", "rejected"]) -> None:
        if key.status == status or key.status == "voided":
            return
        if status == "accepted":
            self._enter("effect", order_id, key.body)
        else:
            self._enter("withdrawn" if key.status == "accepted" else "refused", order_id, key.body)
        key.status = status
        key.decided.set()

    async def _decide_later(self, order_id: str, key: _Key, fault: Fault) -> None:
        await trio.sleep(fault.decides_after)
        assert fault.decides is not None
        self._decide(order_id, key, fault.decides)
        self.at_work -= 1

    async def _say(self, order_id: str, key: _Key, says: Says) -> None:
        await trio.sleep(says.after_seconds)
        self._decide(order_id, key, says.status)
        outcome = ACCEPTED if says.status == "accepted" else REFUSED
        for number in range(says.times):
            await self._call_back(OutcomeHeard(order_id, outcome, f"callback {number}"))
        self.at_work -= 1

    async def _answer(self, order_id: str, key: _Key, how: str, exchange: Exchange) -> None:
        fault = self._fault(order_id)
        if how == "pending":
            await trio.sleep(fault.answers_after)
            exchange.give(Pending("POS-1", None))
            return
        await key.decided.wait()
        await trio.sleep(fault.answers_after)
        match how:
            case "lost":
                return
            case "reset":
                exchange.give(ConnectionResetError("reset by peer"))
            case "garbage" | "error after":
                exchange.give(Unknown(how))
            case _:
                exchange.give(self._word_on(order_id, key))

    def _word_on(self, order_id: str, key: _Key) -> PosOutcome:
        match key.status:
            case "undecided":
                return Pending("POS-1", None)
            case "accepted":
                return ACCEPTED
            case "voided":
                return VOIDED
            case "rejected":
                return Rejected(REFUSED.code, REFUSED.message, self._fault(order_id).retryable)

    def _enter(self, what: What, key: str, body: bytes) -> None:
        entry = Entry(trio.current_time(), what, key, body)
        self.ledger.append(entry)
        self._heard(entry)
