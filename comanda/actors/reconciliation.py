"""Orders beyond their call: answers that come unasked or late, voids, and what the staff still wait for.

An unsettled order is its session's: the answer goes to the actor. A settled one is final and needs no
actor: what contradicts it is put on record as an incident and, where the POS may cook what the table was
told has failed, the POS is asked to take it back until it promises.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import trio
from msgspec.structs import replace

from comanda.logs import get_log
from comanda.runtime import Registry

from .asking import ask_within, sound
from .domain.incident import SENTENCES
from .domain.inputs import OutcomeHeard
from .domain.messages import IncidentKind
from .domain.order import UNSETTLED, Accepted, Order, PosOutcome, Rejected
from .ports import Clock, Pos, SessionKey, Standing, Store, VoidDue
from .rounds import Errand, Rounds
from .saving import until_saved
from .sayings import Message

log = get_log("comanda.orders")

HEAR_TRIES = 2
"""An order may be settled between finding it and telling its session: then it is found again."""

MAX_DOUBLINGS = 16
"""Pauses double so often at most before their own bound cuts them: 2 ** 16 seconds is above any."""


@dataclass(frozen=True, slots=True)
class ReconciliationLimits:
    """How often the POS is asked about orders that nobody at a table waits for. Times are in seconds.

    `staff_orders_seconds`: between two looks at orders that wait for the staff; each is looked up at the
    POS after a quarter of its age in this state (`share_of_age`), at least `shortest_pause_seconds`, at
    most `longest_pause_seconds` after the last time. `voids_seconds`: between two looks at orders to be
    taken back; the pauses of one order double from `void_pause_seconds` to `longest_pause_seconds`.
    After `void_tries` without an answer the staff are told. `repeat_seconds` is how soon storage is told
    again what it could not take. `most`: orders that one look takes; the next goes on after them, so that
    none waits behind those that nobody ever settles.
    """

    staff_orders_seconds: float = 5.0
    shortest_pause_seconds: float = 5.0
    longest_pause_seconds: float = 300.0
    share_of_age: float = 0.25
    voids_seconds: float = 1.0
    void_pause_seconds: float = 2.0
    void_tries: int = 5
    repeat_seconds: float = 0.5
    most: int = 200

    def last_due(self, age_seconds: float) -> float:
        """The age at which an order that is now so old was last to be looked up; 0: not yet."""
        due, pause = 0.0, self.shortest_pause_seconds
        while pause < self.longest_pause_seconds and due + pause <= age_seconds:
            due += pause
            pause = max(self.shortest_pause_seconds, self.share_of_age * due)
        if pause >= self.longest_pause_seconds:
            due += (age_seconds - due) // self.longest_pause_seconds * self.longest_pause_seconds
        return due


@dataclass(slots=True)
class _Lap:
    """One way through all orders that wait for the staff, which may take several looks.

    What became due after `since` and until `until`, when the lap began, is looked up in it: nothing need
    be kept of any order. `seen_to` is where the next look goes on.
    """

    since: datetime
    until: datetime
    seen_to: Order | None = None
    ended: bool = False


def log_incident(session_pid: str, order_id: str, kind: IncidentKind) -> None:
    """Tell the operator of an incident that is on record."""
    log.error("incident", session=session_pid, order=order_id, kind=kind, means=SENTENCES[kind])


async def weigh_late_answer(
    store: Store, clock: Clock, session_pid: str, order_id: str, outcome: PosOutcome
) -> None:
    """Hold an answer against an order that was settled before it came. Raises `StorageUnavailable`."""
    weighed = await store.weigh(order_id, outcome, clock.now())
    if weighed is not None and weighed.incident is not None:
        log_incident(session_pid, order_id, weighed.incident)


class Reconciliation:
    """One house's. `run` it in a nursery; `hear` may be called while it runs."""

    def __init__(
        self,
        store: Store,
        pos: Pos,
        registry: Registry[SessionKey, Message],
        clock: Clock,
        rng: random.Random,
        *,
        limits: ReconciliationLimits,
        call_timeout_seconds: float,
        ask_timeout_seconds: float,
    ) -> None:
        """Args:
        call_timeout_seconds: ends one call to the POS.
        ask_timeout_seconds: how long a session may take to settle its order.
        """
        self._store = store
        self._pos = pos
        self._registry = registry
        self._clock = clock
        self._rng = rng
        self._limits = limits
        self._call_timeout_seconds = call_timeout_seconds
        self._ask_timeout_seconds = ask_timeout_seconds
        self._lap = _Lap(clock.now(), clock.now())
        self.standing = Standing(0, 0, 0)
        """What waited for somebody at the last look."""

    async def run(self) -> None:
        """Ask and void until cancelled."""
        async with trio.open_nursery() as nursery:
            self._rounds = Rounds(nursery, self._limits.most)
            self._rounds.every(self._limits.staff_orders_seconds, self._look_at_staff_orders)
            self._rounds.every(self._limits.voids_seconds, self._look_at_voids)

    async def hear(self, said: OutcomeHeard) -> bool:
        """Take what the POS says unasked; its effect is durable when this returns.

        False: no such order. Said twice it has its effect once. A caller that is cancelled does not know
        whether it had it. Raises `StorageUnavailable` and `RuntimeRefusal`: then it may be said again.
        """
        said = replace(said, outcome=sound(said.outcome))
        for _ in range(HEAR_TRIES):
            found = await self._store.find_order(said.order_id)
            if found is None:
                return False
            key, state = found
            if state not in UNSETTLED:
                await weigh_late_answer(
                    self._store, self._clock, key.pid, said.order_id, said.outcome
                )
                return True
            reply = await self._registry.ask(key, said, timeout_seconds=self._ask_timeout_seconds)
            if isinstance(reply, Order):
                return True
        return True  # of an order that the POS cannot speak of yet, or not any more

    # --- Orders that wait for the staff -------------------------------------------------------

    async def _look_at_staff_orders(self) -> None:
        self.standing = await self._store.standing()
        if self._lap.ended:
            self._lap = _Lap(self._lap.until, self._clock.now())
        lap, most = self._lap, self._limits.most
        orders = (
            await self._store.waiting_for_staff(most, lap.seen_to)
            if self.standing.needs_staff
            else ()
        )
        for order in orders:
            if self._is_due(order, lap) and not self._rounds.send(
                Errand("look up", order.session_pid, order.order_id), partial(self._look_up, order)
            ):
                return  # no room for it now: the next look begins with it
            lap.seen_to = order
        lap.ended = len(orders) < most

    def _is_due(self, order: Order, lap: _Lap) -> bool:
        age = (lap.until - order.lock_ends_at).total_seconds()
        age_before = (lap.since - order.lock_ends_at).total_seconds()
        return age > 0 and self._limits.last_due(age) > max(0.0, age_before)

    async def _look_up(self, order: Order) -> None:
        outcome = await ask_within(self._call_timeout_seconds, self._pos.look_up, order)
        if isinstance(outcome, Accepted | Rejected):
            await self.hear(OutcomeHeard(order.order_id, outcome, "look-up"))

    # --- Orders to be taken back --------------------------------------------------------------

    async def _look_at_voids(self) -> None:
        for due in await self._store.voids_due(self._clock.now(), self._limits.most):
            name = Errand("take back", due.order.session_pid, due.order.order_id)
            self._rounds.send(name, partial(self._void, due))

    async def _void(self, due: VoidDue) -> None:
        promised = await self._ask_to_void(due.order)
        pause = None if promised else timedelta(seconds=self._void_pause(due.tries))
        opens = not promised and due.tries + 1 == self._limits.void_tries
        opened = await until_saved(
            lambda: self._store.void_tried(due, self._clock.now(), pause, opens_incident=opens),
            self._limits.repeat_seconds,
        )
        if opened:
            log_incident(due.order.session_pid, due.order.order_id, "void_unanswered")

    async def _ask_to_void(self, order: Order) -> bool:
        with trio.move_on_after(self._call_timeout_seconds):
            try:
                return await self._pos.void(order) is True
            except Exception as error:
                log.warning(
                    "void failed",
                    session=order.session_pid,
                    order=order.order_id,
                    error=type(error).__name__,
                )
        return False

    def _void_pause(self, tries: int) -> float:
        pause = self._limits.void_pause_seconds * 2.0 ** min(tries, MAX_DOUBLINGS)
        return min(pause, self._limits.longest_pause_seconds) * (1 + 0.1 * self._rng.random())
