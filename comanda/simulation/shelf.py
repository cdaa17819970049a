"""The database of an evening, which outlives its houses."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
from sqlalchemy import Connection

from comanda.storage import engines
from comanda.storage.inline import InlineStore, open_inline

from .restaurants import RESTAURANTS

FULL = 2
"""From this value of SQLite's `synchronous` on a commit in WAL mode is on the disk when it returns."""

UNSYNCED_MOST = 3
"""So many of the last commits are gone with the power where SQLite does not sync each."""


class Shelf:
    """A database that outlives every house, put back to its beginning for each evening.

    What a commit has written stays when a house dies. When the power is lost it stays if it was synced,
    and that is what the connection's own `synchronous` says: the server's setting is taken at its word.
    """

    def __init__(self, inline: InlineStore) -> None:
        self.connection: Connection = inline._connection
        pooled: Any = inline._connection.connection
        self._raw = pooled.dbapi_connection
        self._beginning: bytes = self._raw.serialize()
        self._syncs = True
        self._unsynced: deque[bytes] = deque(maxlen=UNSYNCED_MOST + 1)

    def clear(self) -> None:
        """As at the beginning: the menus, nobody there, and the settings that a server gives SQLite."""
        self._raw.deserialize(self._beginning)
        engines.set_pragmas(self._raw)
        ((synchronous,),) = self._raw.execute("PRAGMA synchronous").fetchall()
        self._syncs = synchronous >= FULL
        self._unsynced.clear()

    def written(self) -> None:
        """A commit has returned."""
        if not self._syncs:
            self._unsynced.append(self._raw.serialize())

    def lose_power(self) -> None:
        """What was not synced is gone."""
        if self._unsynced:
            self._raw.deserialize(self._unsynced[0])
            self._unsynced.clear()


@contextmanager
def open_shelf() -> Iterator[Shelf]:
    """A shelf with the restaurants and their menus in it."""
    with open_inline() as inline:
        trio.run(inline.install, RESTAURANTS, "menu")
        yield Shelf(inline)
