"""`InlineStore`: the same storage functions on a plain engine, in the caller's own task.

For virtual time and simulation, where no thread may be: the clock would jump while it works.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
from sqlalchemy import Connection, make_url

from .engines import is_in_memory, sync_engine
from .groups import Call, Work, read, settle
from .limits import StoreLimits
from .opening import make_ready, open_database
from .port import PortMethods

__all__ = ["InlineStore", "open_inline"]


@contextmanager
def open_inline(
    url: str = "sqlite://", limits: StoreLimits | None = None
) -> Iterator["InlineStore"]:
    """An inline store of the database at `url`, in memory by default; closed after the block.

    Raises:
        DatabaseUnusable: it cannot be used as it is.
    """
    limits = limits or StoreLimits()
    in_memory = is_in_memory(make_url(url))
    engine = sync_engine(url if in_memory else open_database(url, limits), limits)
    try:
        with engine.connect() as connection:
            if in_memory:
                make_ready(connection)
            yield InlineStore(connection)
    finally:
        engine.dispose()


class InlineStore(PortMethods):
    """Every work is a transaction of its own, done at once between two checkpoints.

    A caller cancelled before it has written nothing; after that the answer is always given.
    """

    def __init__(self, connection: Connection) -> None:
        """Args:
        connection: one with Comanda's schema; the caller closes it.
        """
        self._connection = connection

    async def _write(self, work: Work) -> Any:
        await trio.lowlevel.checkpoint()
        outcome = settle(self._connection, [work])[0]
        await trio.lowlevel.cancel_shielded_checkpoint()
        return outcome.unwrap()

    async def _read(self, work: Call) -> Any:
        await trio.lowlevel.checkpoint()
        outcome = read(self._connection, work)
        await trio.lowlevel.cancel_shielded_checkpoint()
        return outcome.unwrap()
