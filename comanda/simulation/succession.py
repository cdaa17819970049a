"""The houses of an evening, one after another: how each is put together, lives, dies and is followed."""

from collections.abc import Awaitable, Callable
from itertools import count

import trio

from comanda.actors.domain.messages import Told
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import SessionKey, StaleEpoch, StorageUnavailable
from comanda.actors.reconciliation import ReconciliationLimits
from comanda.actors.sweeps import SweepLimits
from comanda.http.auth import MemberTokens, StaffTokens
from comanda.http.front import Front
from comanda.http.metrics import Metrics
from comanda.http.wire import frame
from comanda.runtime import ActorStopped, Outage
from comanda.runtime.events import ActorFailed, ActorQuarantined, OutageEnded, RuntimeEvent

from .cuts import CutPos, CutStore
from .determinism import CountedIds, VirtualClock, dice_for
from .evening import Crash, How, Plan
from .gateway import Gateway
from .guests import SERVER, SILENCE_SECONDS
from .lives import Houses, Life
from .logbook import Logbook
from .moments import is_moment
from .poison import Poison
from .pos import TruthPos
from .pos_faults import Kind, kind_of
from .shelf import Shelf
from .storage_troubles import StorageTroubles
from .witness import Witness

LIMITS = HouseLimits(
    idle_seconds=15.0,
    sweeps=SweepLimits(locks_seconds=3.0, unsettled_seconds=10.0, claims_seconds=10.0),
    reconciliation=ReconciliationLimits(staff_orders_seconds=10.0, voids_seconds=6.0),
)
"""Sweeps a little rarer than the defaults, since what they do not find is most of an evening's work; and
a session leaves memory sooner, so that within an evening some do."""

PAUSE_SECONDS = 9.0
"""From a house's stall until it goes on, under its successor; and again until that one ends."""

GRACE_SECONDS = 4.0
"""So long a house that is asked to end waits for orders on their way: the default of `drain_grace`."""

STOP_SECONDS = 10.0
"""So long its sessions then have to end: the default of `stop_deadline`."""

CHANGE_SECONDS: dict[How, float] = {
    "killed": 30.0,
    "power": 30.0,
    "paused": 3 * PAUSE_SECONDS,
    "drained": GRACE_SECONDS + STOP_SECONDS + 15.0,
    "two": 120.0,
}
"""So long an order may be disturbed by how a house ends: until the next one serves, and has taken the order
up. Where two take the tables from one another, their sessions may rest in quarantine after that."""

LATE_SECONDS = 1.0
"""A house that is asked to end may take so much longer than the two together."""

START_AGAIN_SECONDS = 1.0
"""From a start that storage did not answer to, until the next."""

_TOLD = ("seq", "order_id", "stage", "code")
"""What a line of the trace tells of a message, besides its type."""


class Succession:
    """Opens a house, has it die as the plan says, and opens the next."""

    def __init__(
        self,
        plan: Plan,
        shelf: Shelf,
        ids: CountedIds,
        clock: VirtualClock,
        troubles: StorageTroubles,
        witness: Witness,
        logbook: Logbook,
    ) -> None:
        self.houses = Houses[Gateway]()
        self._plan = plan
        self._shelf = shelf
        self._ids = ids
        self._clock = clock
        self._troubles = troubles
        self._witness = witness
        self._logbook = logbook
        self._gateways: dict[Life, Gateway] = {}
        self._connections = count(1)
        self._live: dict[How, Callable[[Life, TruthPos], Awaitable[None]]] = {
            "killed": self._live_until_killed,
            "power": self._live_until_killed,
            "paused": self._stall,
            "drained": self._live_until_drained,
            "two": self._serve_beside_another,
        }
        self._fates: dict[How, Callable[[Life], None]] = {
            "killed": Life.die,
            "power": self._lose_power,
            "paused": Life.die,
            "drained": Life.be_asked_to_end,
            "two": self._freeze,
        }
        self._opened = count(1)
        self._deaths_ended = False
        self.late: list[str] = []
        """Houses that did not end in time when they were asked to."""
        self.outages: list[tuple[float, float]] = []
        """From when until when a house's breaker was open."""
        self.crashes: list[str] = []
        """Sessions that have crashed of anything but poison, storage and a fence."""

    async def live_and_die(self, pos: TruthPos, nursery: trio.Nursery) -> None:
        """One house after the other; the last one lives in `nursery` until that is cancelled."""
        for crash in self._plan.crashes:
            life = self._new_life(crash, pos)
            nursery.start_soon(self._live[crash.how], life, pos)
            await life.fate_came.wait()
            self._logbook.met(crash.how)
            began = trio.current_time()
            lasts = crash.restart_after_seconds + CHANGE_SECONDS[crash.how]
            self._witness.disturbed(began, began + lasts)
            if crash.how == "drained":
                await life.died.wait()
            await trio.sleep(crash.restart_after_seconds)
        nursery.start_soon(self._open, self._new_life(None, pos), pos)

    def end_deaths(self) -> None:
        """Who lives now stays alive."""
        self._deaths_ended = True

    def _new_life(self, crash: Crash | None, pos: TruthPos) -> Life:
        def kind_of_order(order_id: str) -> Kind:
            fault = pos.faults.get(order_id)
            return kind_of("none" if fault is None else fault.name)

        def counts(name: str) -> bool:
            if crash is None or self._deaths_ended:
                return False
            if crash.moment is not None:
                return is_moment(crash.moment, name, kind_of_order)
            return not crash.of_orders or "ORD-" in name

        return Life(
            None if crash is None else crash.step,
            counts=counts,
            heard=self._logbook.notes_of(f"house {next(self._opened)}"),
            fate=None if crash is None else self._fates[crash.how],
        )

    def _lose_power(self, life: Life) -> None:
        life.lose_power()
        self._shelf.lose_power()
        self._logbook.wait_on_record(SILENCE_SECONDS)

    def _freeze(self, life: Life) -> None:
        life.freeze()
        there = self._gateways.get(life)
        if there is not None:
            there.freeze(frozen=True)

    async def _live_until_killed(self, life: Life, pos: TruthPos) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open, life, pos)
            await life.died.wait()
            nursery.cancel_scope.cancel()
            life.be_gone()

    async def _stall(self, life: Life, pos: TruthPos) -> None:
        """It is alive all the while, and goes on under its successor."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open, life, pos)
            await life.died.wait()
            await trio.sleep(PAUSE_SECONDS)
            life.wake()
            self.houses.goes_on()
            await trio.sleep(PAUSE_SECONDS)
            nursery.cancel_scope.cancel()
            life.be_gone()

    async def _serve_beside_another(self, life: Life, pos: TruthPos) -> None:
        """It freezes, goes on with its connections under its successor, and is killed at last."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open, life, pos)
            await life.fate_came.wait()
            await trio.sleep(PAUSE_SECONDS)
            life.thaw()
            self.houses.goes_on()
            if life in self._gateways:
                self._gateways[life].freeze(frozen=False)
            await trio.sleep(PAUSE_SECONDS)
            life.die()
            nursery.cancel_scope.cancel()
            life.be_gone()

    async def _live_until_drained(self, life: Life, pos: TruthPos) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open, life, pos)
            await life.fate_came.wait()
            asked_at = trio.current_time()
            if life in self._gateways:
                await self._gateways[life].front.drain(
                    deadline_seconds=STOP_SECONDS, grace_seconds=GRACE_SECONDS
                )
            took = trio.current_time() - asked_at
            if took > GRACE_SECONDS + STOP_SECONDS + LATE_SECONDS:
                self.late.append(f"a house took {took:.1f} s to end, asked at {asked_at:.1f} s")
            life.has_ended()
            nursery.cancel_scope.cancel()
            life.be_gone()

    async def _open(self, life: Life, pos: TruthPos) -> None:
        """Run a house for this life; one that cannot start is started again, as a process would be."""
        while not await self._serve(life, pos):
            self._logbook.note("a house cannot start: storage does not answer")
            await trio.sleep(START_AGAIN_SECONDS)

    async def _serve(self, life: Life, pos: TruthPos) -> bool:
        front = self._front(life, pos)
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(front.house.run)
            except StorageUnavailable:
                return False
            gateway = Gateway(
                front, life, nursery, self._told, self._closed, lambda: next(self._connections)
            )
            nursery.start_soon(gateway.keep_alive.run)
            self._gateways[life] = gateway
            if not (life.cut or life.fate_came.is_set()):
                life.has_opened()
                self.houses.open(gateway, life)
        return True

    def _front(self, life: Life, pos: TruthPos) -> Front:
        house = House(
            store=CutStore(
                self._shelf.connection,
                life,
                self._witness,
                compares=self._troubles.compares,
                written=self._shelf.written,
                trouble=self._troubles.of,
            ),
            pos=CutPos(pos, life),
            clock=self._clock,
            ids=self._ids,
            new_pid=self._ids.session_pid,
            frame=frame,
            limits=LIMITS,
            rng=dice_for(self._plan.seed, f"house {self.houses.count}"),
            on_event=self._happened,
        )
        return Front(
            house=house,
            members=MemberTokens([b"a key that signs this evening's tokens"]),
            staff=StaffTokens((), house.book),
            metrics=Metrics(house),
            public_url=SERVER,
        )

    def _closed(self, pid: str, connection: int, code: int) -> None:
        self._witness.closed(pid, connection, code)
        self._logbook.note(f"connection {connection} is closed {code}")

    def _happened(self, event: RuntimeEvent) -> None:
        """The runtime tells what happens to its actors."""
        match event:
            case ActorFailed(key=SessionKey(pid=pid), error=error, restart_in_seconds=restart_in):
                self._logbook.note(f"{pid} crashes: {type(error).__name__}")
                self._witness.crashed(pid)
                if not is_foreseen(error, restarts=restart_in is not None):
                    self.crashes.append(f"{pid} crashed: {type(error).__name__}: {error}")
            case ActorQuarantined(key=SessionKey(pid=pid), seconds=seconds):
                self._logbook.note(f"{pid} is in quarantine")
                self._logbook.wait_on_record(seconds)
            case OutageEnded(seconds=seconds):
                self.outages.append((trio.current_time() - seconds, trio.current_time()))

    def _told(self, pid: str, connection: int, told: Told) -> None:
        self._witness.told(pid, connection, told)
        words = [str(told.__struct_config__.tag)]
        words += [
            str(getattr(told, name)) for name in _TOLD if getattr(told, name, None) is not None
        ]
        self._logbook.note(f"connection {connection} hears {' '.join(words)}")


def is_foreseen(error: BaseException, *, restarts: bool) -> bool:
    """Whether a session may crash of this: poison, storage or a fence.

    Its orders' tasks then find nobody to report to, and say so in the same group. Whoever is fenced off
    ends with those alone; one that is fenced off while it starts is restored, as after any crash.
    """
    if isinstance(error, ActorStopped):
        return not restarts
    if isinstance(error, BaseExceptionGroup):
        others = [one for one in error.exceptions if not isinstance(one, ActorStopped)]
        return all(is_foreseen(one, restarts=restarts) for one in others or error.exceptions)
    return isinstance(error, Poison | Outage | StaleEpoch)
