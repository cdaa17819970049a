"""A scriptable actor: its messages are deeds that it does, its hooks come from a house."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import trio

from comanda.runtime import Actor, Envelope, Registry, RuntimeEvent

Deed: TypeAlias = Callable[["Doer"], Awaitable[object]]
Hook: TypeAlias = Callable[["Doer"], Awaitable[object]]


async def nothing(_: Doer) -> None:
    await trio.lowlevel.checkpoint()


@dataclass
class House:
    """What the doers share: their hooks, and the journal of what happened to them."""

    journal: list[tuple[object, ...]] = field(default_factory=list)
    events: list[RuntimeEvent] = field(default_factory=list)
    on_start: Hook = nothing
    on_stop: Hook = nothing
    may_passivate: Callable[[Doer], bool] = lambda _: True
    doer: type[Doer] | None = None

    def registry(self, **settings: Any) -> Registry[str, Deed]:
        settings.setdefault("on_event", self.events.append)
        settings.setdefault("random", lambda: 0.0)
        return Registry(lambda key: (self.doer or Doer)(self, key), **settings)

    def of(self, what: str) -> list[tuple[object, ...]]:
        return [entry for entry in self.journal if entry[0] == what]

    def seen(self, kind: type[RuntimeEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Doer(Actor[Deed]):
    def __init__(self, house: House, key: Hashable) -> None:
        self.house = house
        self.key = key
        self.state: object = None

    async def on_start(self) -> None:
        self.house.journal.append(
            ("start", self.key, self.context.incarnation, trio.current_time())
        )
        await self.house.on_start(self)

    async def on_message(self, message: Deed) -> object:
        return await message(self)

    async def on_stop(self) -> None:
        self.house.journal.append(("stop", self.key))
        await self.house.on_stop(self)

    def on_end(self, error: BaseException | None) -> None:
        self.house.journal.append(("end", self.key, type(error)))

    def may_passivate(self) -> bool:
        return self.house.may_passivate(self)

    @property
    def view(self) -> object:
        return self.state


def note(what: object) -> Deed:
    """A deed that leaves a line in the journal and answers with what it was given."""

    async def deed(doer: Doer) -> object:
        doer.house.journal.append(("did", what, doer.context.incarnation))
        return what

    return deed


def adopt(state: object) -> Deed:
    async def deed(doer: Doer) -> None:
        doer.state = state

    return deed


def crash(error: BaseException | None = None) -> Deed:
    async def deed(_: Doer) -> object:
        raise error or ValueError("a bug")

    return deed


def wait_for(event: trio.Event) -> Deed:
    async def deed(_: Doer) -> str:
        await event.wait()
        return "waited"

    return deed


async def hang(_: Doer) -> object:
    await trio.sleep_forever()


class Slot:
    """A reply slot that keeps every answer it is given."""

    def __init__(self) -> None:
        self.answers: list[object] = []

    def resolve(self, value: object) -> None:
        self.answers.append(value)

    def fail(self, error: Exception) -> None:
        self.answers.append(error)

    @property
    def kind(self) -> object:
        """The one answer, errors by their class. More than one answer is a failure."""
        assert len(self.answers) == 1, self.answers
        (answer,) = self.answers
        return type(answer) if isinstance(answer, Exception) else answer


def sealed(deed: Deed) -> tuple[Envelope[Deed], Slot]:
    slot = Slot()
    return Envelope(deed, slot), slot


@asynccontextmanager
async def running(registry: Registry[str, Deed]) -> AsyncIterator[Registry[str, Deed]]:
    """Run a registry for the time of the block and stop it at the end."""
    async with trio.open_nursery() as nursery:
        await nursery.start(registry.run)
        yield registry
        await registry.stop(deadline_seconds=5)
