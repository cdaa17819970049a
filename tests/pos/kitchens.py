"""The points of sale that fulfil the port, opened for tests, and what their kitchens got."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import trio
import trio.testing

from comanda.actors.domain.order import Order
from comanda.actors.ports import Pos
from comanda.pos.dummy import DummyPos
from comanda.pos.simulator.entries import Effect
from comanda.pos.simulator.outcomes import Habits
from comanda.pos.webhook import open_webhook_pos
from comanda.simulation import ledger as truth
from comanda.simulation.cuts import CutPos
from comanda.simulation.lives import Life
from comanda.simulation.pos import Fault, TruthPos

from .simulator.helpers import Caller, a_simulator

VIRTUAL_WORK_SECONDS = 3.0
REAL_WORK_SECONDS = 0.5
"""How long a slow kitchen takes: time for a second call to come while the first is at work."""


@dataclass(frozen=True)
class Kitchen:
    """A POS, and what has become of the orders under a key, by its own books.

    `got` are the hashes of the bodies that had an effect, one for each; `cooks` is whether the order is
    to be eaten at the end. `until_at_work` returns once a slow kitchen has got hold of an order.
    """

    pos: Pos
    until_at_work: Callable[[Order], Awaitable[None]]
    got: Callable[[str], list[str]]
    cooks: Callable[[str], bool]


class OpenKitchen(Protocol):
    """Opens a kitchen that accepts or refuses every order, at once or after its work."""

    def __call__(
        self, folder: Path, *, slow: bool = False, refuses: bool = False
    ) -> AbstractAsyncContextManager[Kitchen]: ...


@dataclass(frozen=True)
class Implementation:
    """One fulfilment of the port. `keeps_books`: it can tell what its kitchen got."""

    name: str
    open: OpenKitchen
    virtual_time: bool
    keeps_books: bool


def hash_of(body: bytes) -> str:
    """A body as the books name it."""
    return hashlib.sha256(body).hexdigest()


async def until_all_wait(order: Order) -> None:
    """In virtual time a call has arrived when nobody can go on."""
    await trio.testing.wait_all_tasks_blocked()


@asynccontextmanager
async def open_dummy(
    folder: Path, *, slow: bool = False, refuses: bool = False
) -> AsyncIterator[Kitchen]:
    """The dummy POS, which has no kitchen."""
    await trio.lowlevel.checkpoint()
    pos = DummyPos(VIRTUAL_WORK_SECONDS if slow else 0, success_rate=0 if refuses else 1)
    yield Kitchen(pos, until_all_wait, lambda key: [], lambda key: False)


async def _no_callback(said: object) -> None:
    raise AssertionError("this POS calls nobody back")


@asynccontextmanager
async def open_truth(
    folder: Path, *, slow: bool = False, refuses: bool = False
) -> AsyncIterator[Kitchen]:
    """The fake with a ledger, as a house that never dies sees it."""
    async with trio.open_nursery() as nursery:
        fault = Fault(
            "none",
            decides="rejected" if refuses else "accepted",
            decides_after=VIRTUAL_WORK_SECONDS if slow else 0,
        )
        pos = TruthPos(lambda key: fault, nursery, _no_callback)

        def got(key: str) -> list[str]:
            return [
                hash_of(one.body) for one in pos.ledger if one.key == key and one.what == "effect"
            ]

        def cooks(key: str) -> bool:
            return key in truth.cooked(pos.ledger)

        yield Kitchen(CutPos(pos, Life(None)), until_all_wait, got, cooks)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_webhook(
    folder: Path, *, slow: bool = False, refuses: bool = False
) -> AsyncIterator[Kitchen]:
    """The POS over HTTP: the adapter, real sockets, and the simulator with its ledger in `folder`."""
    habits = Habits(REAL_WORK_SECONDS if slow else 0, accept_rate=0 if refuses else 1)
    async with (
        a_simulator(folder / "ledger.jsonl", habits) as caller,
        open_webhook_pos(str(caller.http.base_url)) as pos,
    ):
        yield Kitchen(
            pos, partial(_until_found, caller), partial(_got, caller), partial(_cooks, caller)
        )


async def _until_found(caller: Caller, order: Order) -> None:
    while await caller.status(order.order_id) == "not_found":
        await trio.lowlevel.checkpoint()


def _effects(caller: Caller, key: str) -> list[Effect]:
    return [line for line in caller.lines() if isinstance(line, Effect) and line.key == key]


def _got(caller: Caller, key: str) -> list[str]:
    return [one.sha256 for one in _effects(caller, key) if one.kind == "accepted"]


def _cooks(caller: Caller, key: str) -> bool:
    return [one.kind for one in _effects(caller, key)][-1:] == ["accepted"]


IMPLEMENTATIONS = (
    Implementation("dummy", open_dummy, virtual_time=True, keeps_books=False),
    Implementation("webhook", open_webhook, virtual_time=False, keeps_books=True),
    Implementation("truth", open_truth, virtual_time=True, keeps_books=True),
)
