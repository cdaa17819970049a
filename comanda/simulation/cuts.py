"""The ports of a house that may die.

Cancelling is not killing: `finally` still runs. So a house that dies is cut from its ports first: from
that moment nothing of it reaches storage or the POS. Only then is it cancelled.
"""

from collections.abc import Callable
from typing import Any, Literal

import trio
from outcome import Value
from sqlalchemy import Connection

from comanda.actors.domain.order import Order, PosOutcome
from comanda.actors.ports import CommitUnknown, StorageUnavailable
from comanda.storage.groups import Call, Commit, Reserve, Work, read, settle
from comanda.storage.inline import InlineStore

from .lives import Life
from .pos import Exchange, TruthPos
from .witness import Witness

Trouble = Literal["refused", "lost", "written"]
"""How storage fails: it says that nothing was written, or nobody knows whether something was."""


class CutStore(InlineStore):
    """The inline store behind a life: each write is a step before it and one after it.

    A reading has no effect, so a death before it is one after it. One that finds what it found last time
    (a sweep's look, most often at nothing) is no step: a death there is a death between two others.
    """

    def __init__(
        self,
        connection: Connection,
        life: Life,
        witness: Witness,
        *,
        compares: Callable[[], bool],
        written: Callable[[], None] = lambda: None,
        trouble: Callable[[Work], Trouble | None] = lambda work: None,
    ) -> None:
        """Args:
        compares: whether the session is loaded after this commit and compared with memory.
        written: is called after each commit that storage took.
        trouble: how storage fails this time, if it does.
        """
        super().__init__(connection)
        self._life = life
        self._witness = witness
        self._compares = compares
        self._written = written
        self._trouble = trouble
        self._found: dict[str, object] = {}

    async def _write(self, work: Work) -> Any:
        await trio.lowlevel.checkpoint()
        name = _name_of(work)
        await self._life.step(f"before {name}")
        trouble = None if self._life.cut else self._trouble(work)
        if trouble == "refused":
            raise StorageUnavailable("simulated: nothing was written")
        if trouble == "lost":
            raise CommitUnknown("simulated: not written, and nobody knows")
        unit = work.unit if isinstance(work, Commit) else None
        before = self._witness.position(unit)
        (outcome,) = settle(self._connection, [work])
        if isinstance(outcome, Value):
            self._written()
            self._witness.wrote(unit, before, loads=self._compares(), by=self._life)
        else:
            self._witness.refused(unit, outcome.error, by=self._life)
        await self._life.step(f"after {name}")
        if trouble == "written":
            raise CommitUnknown("simulated: written, and nobody knows")
        return outcome.unwrap()

    async def _read(self, work: Call) -> Any:
        await trio.lowlevel.checkpoint()
        if not self._life.cut and self._trouble(work) is not None:
            raise StorageUnavailable("simulated: storage does not answer")
        outcome = read(self._connection, work)
        answer = outcome.unwrap()
        name = _name_of(work)
        if self._life.cut or answer != self._found.get(name, ()):
            self._found[name] = answer
            await self._life.step(name)
        return answer


def _name_of(work: Work) -> str:
    match work:
        case Commit():
            unit = work.unit
            orders = ", ".join(f"{o.order_id} {o.state}" for o in unit.changes.orders.values())
            return f"commit of seq {unit.after.seq}" + (f" ({orders})" if orders else "")
        case Reserve():
            return "reserve_order_number"
        case Call():
            name: str = getattr(work.function, "__qualname__", repr(work.function))
            return name.removeprefix("PortMethods.").removesuffix(".<locals>.<lambda>")


class CutPos:
    """The POS behind a life: each call is a step before it leaves, when it has arrived, when answered."""

    def __init__(self, pos: TruthPos, life: Life) -> None:
        self._pos = pos
        self._life = life

    async def submit(self, order: Order) -> PosOutcome:
        outcome = await self._call("submit", order)
        assert outcome is not None
        return outcome

    async def look_up(self, order: Order) -> PosOutcome | None:
        return await self._call("look_up", order)

    async def _call(self, name: Literal["submit", "look_up"], order: Order) -> PosOutcome | None:
        await trio.lowlevel.checkpoint()
        await self._life.step(f"{name} {order.order_id} leaves")
        exchange: Exchange = getattr(self._pos, name)(order)
        await self._life.step(f"{name} {order.order_id} has arrived")
        answer = await exchange.answer()
        await self._life.step(f"{name} {order.order_id} is answered")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def void(self, order: Order) -> bool:
        await trio.lowlevel.checkpoint()
        await self._life.step(f"void {order.order_id} leaves")
        promised: bool = self._pos.void(order)
        await self._life.step(f"void {order.order_id} is answered")
        return promised
