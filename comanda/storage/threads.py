"""A SQLite connection in a thread of its own, which does a whole function at a time.

aiosqlite gives the thread, SQLAlchemy the connection in it. Its own adapter over aiosqlite goes to the
thread and back four times for each statement; a group of units crosses once this way, and both threads
of a busy process get the interpreter as often less.
"""

import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar, TypeVarTuple, Unpack, cast

import aiosqlite
from sqlalchemy import Connection, Engine

from .engines import READING

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class ConnectionThread:
    """One connection and its thread. Made, used and closed in the asyncio loop of the lanes."""

    def __init__(self, engine: Engine, *, reading: bool) -> None:
        """Args:
        engine: connects; its pool must not keep what is closed.
        reading: whether the connection's transactions leave the writer's lock alone.
        """
        self._engine = engine
        self._reading = reading
        self._connection: Connection | None = None
        self._thread = _Thread(self._connect)

    @property
    def invalidated(self) -> bool:
        """Whether the connection was parted with and not opened again."""
        return self._connection is not None and self._connection.invalidated

    async def open(self) -> None:
        """Start the thread and connect.

        Raises:
            sqlalchemy.exc.DBAPIError: the database cannot be reached.
        """
        await self._thread

    async def run(self, function: Callable[[Connection, Unpack[Ts]], T], *given: *Ts) -> T:
        """Call `function` with the connection and `given`, in the thread; what it returns or raises.

        A cancelled wait does not end the call.
        """
        assert self._connection is not None
        return await self._thread.run(function, self._connection, *given)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        if self._connection is not None:
            try:
                await self._thread.run(self._connection.close)
            finally:
                await self._thread.close()

    def _connect(self) -> sqlite3.Connection:
        """In the thread."""
        options = {READING: self._reading}
        self._connection = self._engine.connect().execution_options(**options)
        return cast(sqlite3.Connection, self._connection.connection.dbapi_connection)


class _Thread(aiosqlite.Connection):
    """aiosqlite's thread, for a function of any kind."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connect, iter_chunk_size=1)
        self._thread.daemon = True  # A disk that hangs must not keep the process from ending.

    def run(self, function: Callable[[Unpack[Ts]], T], *given: *Ts) -> Awaitable[T]:
        """Call `function` in the thread."""
        called: Awaitable[T] = self._execute(function, *given)  # type: ignore[no-untyped-call]
        return called
