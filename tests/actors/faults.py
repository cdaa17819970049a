"""What goes wrong under a house and in it: storage that writes nothing, a message nobody can decide upon."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection

from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import Context, Decision, Input, Refusal
from comanda.actors.domain.messages import AddItem
from comanda.actors.domain.session import Session
from comanda.actors.house import House
from comanda.actors.ports import StorageUnavailable, Unit
from comanda.storage.inline import InlineStore, open_inline

from .table import RESTAURANT, ScriptedPos, open_house


class FaultyStore(InlineStore):
    """The inline store, whose next commits fail as told: by an exception before the write, or after it.

    While `full` none is written.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.before: list[Exception | None] = []
        self.after: list[Exception | None] = []
        self.full = False

    async def commit(self, unit: Unit) -> None:
        fault = self.before.pop(0) if self.before else None
        if self.full or fault is not None:
            raise fault or StorageUnavailable("the disk is full")
        await super().commit(unit)
        fault = self.after.pop(0) if self.after else None
        if fault is not None:
            raise fault


@asynccontextmanager
async def open_faulty_house(
    pos: ScriptedPos | None = None, kind: type[FaultyStore] = FaultyStore
) -> AsyncIterator[tuple[House, FaultyStore]]:
    """A running house and its store, which can be told to fail; stopped at the end."""
    with open_inline() as inline:
        store = kind(inline._connection)
        await store.install((RESTAURANT,), "menu")
        async with open_house(pos, store=store) as house:
            yield house, store


def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no actor can decide upon a line whose note is "poison"."""

    def poisoned(session: Session, said: Input, context: Context) -> Decision | Refusal:
        command = getattr(said, "command", None)
        if isinstance(command, AddItem) and command.note == "poison":
            raise ZeroDivisionError
        return decide(session, said, context)

    monkeypatch.setattr("comanda.actors.dining_session.decide", poisoned)
