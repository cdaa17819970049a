"""`SqlStore`: the store over two SQLite connections, served from the database thread."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import trio
from outcome import Error, Maybe
from sqlalchemy import URL, Engine

from comanda.actors.ports import CommitUnknown, StorageUnavailable
from comanda.actors.tally import StorageFigures

from .engines import is_in_memory, sync_engine
from .groups import Call, Commit, Work, is_outage, read, settle
from .lane import DatabaseThread, Lane
from .limits import StoreLimits
from .opening import DatabaseUnusable, open_database
from .port import PortMethods
from .threads import ConnectionThread

MakeEngine = Callable[[URL, StoreLimits], Engine]

__all__ = ["DatabaseUnusable", "SqlStore", "StoreLimits", "open_store"]


@asynccontextmanager
async def open_store(
    url: str, limits: StoreLimits | None = None, *, make_engine: MakeEngine = sync_engine
) -> AsyncIterator["SqlStore"]:
    """The store of the database at `url`, opened and migrated; closed at the end of the block.

    Closing finishes what is queued, within `close_seconds`, whether or not it is cancelled.

    Args:
        make_engine: makes the engine that connects.

    Raises:
        DatabaseUnusable: it cannot be used as it is; the exception says why in a sentence.
    """
    limits = limits or StoreLimits()
    parsed = await trio.to_thread.run_sync(partial(open_database, url, limits))
    if is_in_memory(parsed):
        raise DatabaseUnusable("A database in memory has no place here; name a file.")
    store = SqlStore(parsed, limits, make_engine)
    try:
        yield store
    finally:
        await store.aclose()


class SqlStore(PortMethods):
    """Two lanes to the database thread: one writes, group by group, one reads beside it.

    A reading has a connection of its own: it sees only what is durable, and a long one does not keep
    the commits waiting. Make it with `open_store`.
    """

    def __init__(self, url: URL, limits: StoreLimits, make_engine: MakeEngine) -> None:
        self._limits = limits
        self._database = _Database(url, limits, make_engine)
        self._writes: Lane[Work] = Lane(
            self._database.settle,
            queued_max=limits.queued_max,
            batch_weight_max=limits.group_max,
            wait_seconds=limits.wait_seconds,
            crowd_min=limits.crowd_min,
            crowd_interval_seconds=limits.crowd_interval_seconds,
        )
        self._reads: Lane[Call] = Lane(
            self._database.read,
            queued_max=limits.queued_max,
            batch_weight_max=1,
            wait_seconds=limits.wait_seconds,
        )
        self._thread = DatabaseThread(self._run, self._break_off)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Works that wait for the database thread."""
        return self._writes.waiting + self._reads.waiting

    def figures(self) -> StorageFigures:
        """What the lane that writes has done so far, and what waits in both."""
        writes = self._writes
        sizes = tuple(writes.sizes)
        return StorageFigures(sizes, writes.works, writes.busy_seconds, self.waiting)

    @property
    def groups(self) -> int:
        """Groups written so far."""
        return self._writes.batches

    async def aclose(self) -> None:
        """Take no more, finish what is queued, end the thread; bounded, and not to be cancelled."""
        self._writes.close()
        self._reads.close()
        if not await self._thread.wait_ended(self._limits.close_seconds):
            self._break_off("storage did not close in time")

    async def _write(self, work: Work) -> Any:
        if isinstance(work, Commit):
            return await self._writes.do(work)
        try:
            return await self._writes.do(work, self._limits.call_weight, at_once=True)
        except CommitUnknown as error:
            # All of these may be done twice, so it is enough to know that the answer is missing.
            raise StorageUnavailable(str(error)) from error

    async def _read(self, work: Call) -> Any:
        try:
            return await self._reads.do(work)
        except CommitUnknown as error:
            raise StorageUnavailable(str(error)) from error

    def _break_off(self, why: str) -> None:
        self._writes.break_off(why)
        self._reads.break_off(why)

    async def _run(self) -> None:
        """What the database thread does."""
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._writes.serve_all())
                lanes.create_task(self._reads.serve_all())
        finally:
            await self._database.close()


class _Database:
    """The engine and its two connections, opened when they are needed. Lives in the database thread."""

    def __init__(self, url: URL, limits: StoreLimits, make_engine: MakeEngine) -> None:
        self._engine = make_engine(url, limits)
        self._connections: dict[bool, ConnectionThread] = {}

    async def settle(self, works: Sequence[Work]) -> list[Maybe[Any]]:
        """A group, on the connection that writes."""
        try:
            connection = await self._connection(reading=False)
        except Exception as error:
            return _not_connected(works, error)
        return await connection.run(settle, works)

    async def read(self, works: Sequence[Call]) -> list[Maybe[Any]]:
        """Readings, on the connection that reads."""
        try:
            connection = await self._connection(reading=True)
        except Exception as error:
            return _not_connected(works, error)
        return [await connection.run(read, work) for work in works]

    async def close(self) -> None:
        """Close everything."""
        for connection in self._connections.values():
            await connection.close()

    async def _connection(self, *, reading: bool) -> ConnectionThread:
        connection = self._connections.get(reading)
        if connection is not None and connection.invalidated:
            await self._connections.pop(reading).close()
            connection = None
        if connection is None:
            connection = ConnectionThread(self._engine, reading=reading)
            await connection.open()
            self._connections[reading] = connection
        return connection


def _not_connected(works: Sequence[object], error: Exception) -> list[Maybe[Any]]:
    if not is_outage(error):
        raise error
    refusal = f"the database cannot be reached: {error}"
    return [Error(StorageUnavailable(refusal)) for _ in works]
