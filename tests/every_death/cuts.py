"""The ports of a house that may die.

Cancelling is not killing: `finally` still runs. So a house that dies is cut from its ports first: from
that moment nothing of it reaches storage or the POS. Only then is it cancelled.
"""

from typing import Any, Literal

import trio
from outcome import Value
from sqlalchemy import Connection

from comanda.actors.domain.order import Order, PosOutcome
from comanda.storage.groups import Call, Commit, Reserve, Work, read, settle
from comanda.storage.inline import InlineStore

from .houses import Life
from .pos import Exchange, TruthPos
from .witness import Witness


class CutStore(InlineStore):
    """The inline store behind a life: each write is a step before it and one after it.

    A reading has no effect, so a death before it is one after it. One that finds what it found last time
    (a sweep's look, most often at nothing) is no step: a death there is a death between two others.
    """

    def __init__(self, connection: Connection, life: Life, witness: Witness) -> None:
        super().__init__(connection)
        self._life = life
        self._witness = witness
        self._found: dict[str, object] = {}

    async def _write(self, work: Work) -> Any:
        await trio.lowlevel.checkpoint()
        name = _name_of(work)
        await self._life.step(f"before {name}")
        before = self._witness.position()
        (outcome,) = settle(self._connection, [work])
        if isinstance(outcome, Value):
            unit = work.unit if isinstance(work, Commit) else None
            self._witness.wrote(unit, before, loads=not self._life.is_known)
        await self._life.step(f"after {name}")
        return outcome.unwrap()

    async def _read(self, work: Call) -> Any:
        await trio.lowlevel.checkpoint()
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
