"""One run: a table has its dinner, its house dies once, and another one takes over.

Everything is on virtual time and scheduled alike every time, so that a run can be repeated.
"""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import trio
from sqlalchemy import Connection

from comanda.actors.domain.inputs import OutcomeHeard
from comanda.actors.domain.messages import AddItem, RemoveItem, UpdateItem
from comanda.actors.house import House, HouseLimits
from comanda.actors.pos_task import PosTimes
from comanda.actors.reconciliation import ReconciliationLimits
from comanda.actors.sweeps import SweepLimits
from comanda.simulation.cuts import CutPos, CutStore
from comanda.simulation.determinism import CountedIds, VirtualClock, run_by_seed
from comanda.simulation.lives import Houses, Life
from comanda.simulation.pos import Fault, TruthPos
from comanda.simulation.witness import Evidence, Witness
from comanda.storage.inline import InlineStore, open_inline
from tests.actors.table import LASSI, MARGHERITA, RESTAURANT, as_line

from .members import Member

Death = Literal["killed", "paused"]
"""`paused`: it is not killed but stalls, and goes on when another house owns the table already."""

RESTART_SECONDS = 2.0
"""From a death to the next house."""

PAUSE_SECONDS = 9.0
"""From the next house's start until a paused one goes on; and again until that one ends."""

RUN_SECONDS = 300.0
"""The longest run of all takes 150 s of virtual time; one that takes longer is stuck."""

REST_SECONDS = 60.0
"""So long at most until all is quiet: a void's five tries, a staff order's look-ups."""

LIMITS = HouseLimits(
    sweeps=SweepLimits(locks_seconds=2.0),
    reconciliation=ReconciliationLimits(voids_seconds=4.0),
)
"""Sweeps a little rarer than the defaults: what they do not find is most of a run's work."""


class Shelf:
    """A database that outlives every house, put back to its beginning for each run."""

    def __init__(self, inline: InlineStore) -> None:
        self.connection: Connection = inline._connection
        self._raw: sqlite3.Connection = inline._connection.connection.dbapi_connection  # type: ignore[assignment]
        self._beginning = self._raw.serialize()

    def clear(self) -> None:
        """As at the beginning: the menu, and nobody there."""
        self._raw.deserialize(self._beginning)


@contextmanager
def open_shelf() -> Iterator[Shelf]:
    """A shelf with the restaurant's menu in it."""
    with open_inline() as inline:
        trio.run(inline.install, (RESTAURANT,), "menu")
        yield Shelf(inline)


@dataclass(frozen=True, slots=True)
class Run:
    """What a run has left: its evidence, and the steps of the first house."""

    evidence: Evidence
    steps: list[str]


def play(shelf: Shelf, fault: Fault, dies_at: int | None = None, death: Death = "killed") -> Run:
    """Have dinner with this fault of the POS; the first house dies at this step of its life."""
    shelf.clear()
    world = _World(shelf, fault, dies_at, death)
    run_by_seed(0, world.run)
    return Run(world.evidence, world.first.steps)


class _World:
    def __init__(self, shelf: Shelf, fault: Fault, dies_at: int | None, death: Death) -> None:
        self.first = Life(dies_at)
        self.witness = Witness(shelf.connection)
        self._connection = shelf.connection
        self._fault = fault
        self._death = death
        self._houses = Houses[House]()
        self._ids = CountedIds()
        self._ana = Member("Ana", self._houses, self.witness)
        self._ben = Member("Ben", self._houses, self.witness)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            self._pos = TruthPos(self._fault_of, nursery, self._call_back)
            nursery.start_soon(self._live_and_die, nursery)
            with trio.move_on_after(RUN_SECONDS) as patience:
                await self._dine(nursery)
            self.witness.close(self._pos.ledger, self._pos.tells_when_asked())
            self.evidence = next(iter(self.witness.sessions.values()), Evidence())
            if patience.cancelled_caught:
                self.evidence.stuck = f"the dinner has not ended within {RUN_SECONDS:g} s"
            self.evidence.starts = self._houses.began
            nursery.cancel_scope.cancel()

    def _fault_of(self, order_id: str) -> Fault:
        """The run's fault has the first order that arrives; any other is accepted at once."""
        return self._fault if not self._pos.faults else Fault("none")

    async def _call_back(self, said: OutcomeHeard) -> None:
        await self._houses.ask(partial(House.hear_pos, said=said))

    # --- The houses -----------------------------------------------------------------------------------

    async def _live_and_die(self, nursery: trio.Nursery) -> None:
        if self._death == "killed":
            async with trio.open_nursery() as life:
                life.start_soon(self._open, self.first)
                await self.first.died.wait()
                life.cancel_scope.cancel()
            await trio.sleep(RESTART_SECONDS)
            nursery.start_soon(self._open, Life(None))
            return
        async with trio.open_nursery() as life:
            life.start_soon(self._open, self.first)
            await self.first.died.wait()
            await trio.sleep(RESTART_SECONDS)
            nursery.start_soon(self._open, Life(None))
            await trio.sleep(PAUSE_SECONDS)
            self.first.wake()
            await trio.sleep(PAUSE_SECONDS)
            life.cancel_scope.cancel()

    async def _open(self, life: Life) -> None:
        house = House(
            store=CutStore(
                self._connection, life, self.witness, compares=lambda: not life.is_known
            ),
            pos=CutPos(self._pos, life),
            clock=VirtualClock(),
            ids=self._ids,
            new_pid=self._ids.session_pid,
            frame=as_line,
            pos_times=PosTimes(jitter=0),
            limits=LIMITS,
            rng=random.Random(0),
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(house.run)
            if not life.cut:
                self._houses.open(house, life)

    # --- The dinner -----------------------------------------------------------------------------------

    async def _dine(self, nursery: trio.Nursery) -> None:
        ana, ben = self._ana, self._ben
        for member in (ana, ben):
            await member.arrive()
            nursery.start_soon(member.stay)
        await ana.do(AddItem(MARGHERITA, 1, "a"))
        await ben.do(AddItem(LASSI, 2, "b"))
        await ana.do(UpdateItem(ana.find("a"), qty=2))
        await ben.do(AddItem(LASSI, 1, "c"))
        await ben.do(RemoveItem(ben.find("c")))
        await ben.place_order()
        await ana.do(AddItem(LASSI, 1, "while locked"))
        await ana.until(lambda: not ana.store.cart_locked)
        first = ana.store.last_order
        await ana.do(AddItem(LASSI, 1, "d"))
        if first is None or first.status == "failed":
            await ana.place_order()
            await ana.until(lambda: not ana.store.cart_locked)
        await self._rest()
        for member in (ana, ben):
            await member.repeat_all()
        for member in (ana, ben):
            assert member.key is not None
            await member.is_at(self.witness.position_of(member.key.pid).seq)

    async def _rest(self) -> None:
        """Until nothing is due, and then a little more."""
        with trio.move_on_after(REST_SECONDS):
            while not self._is_quiet():  # noqa: ASYNC110 - storage and the POS tell nobody
                await trio.sleep(1)
        await trio.sleep(3)

    def _is_quiet(self) -> bool:
        known = self._pos.tells_when_asked()
        waits = any(order_id in known for order_id in self.witness.waiting_for_staff())
        return self.witness.quiet() and not self._pos.at_work and not waits
