"""The database of an evening, and the restaurants that are in it from the beginning."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
from sqlalchemy import Connection

from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.storage.inline import InlineStore, open_inline

from .guests import DISHES

RESTAURANT_ID = 7
MENU = Menu(
    RESTAURANT_ID,
    "INR",
    2,
    {
        DISHES[0]: MenuItem(DISHES[0], "Pizza", "Margherita", "", 62500, True),
        DISHES[1]: MenuItem(DISHES[1], "Drinks", "Lassi", "", 9000, True),
        DISHES[2]: MenuItem(DISHES[2], "Sweets", "Kulfi", "", 12050, True),
    },
)
RESTAURANT = Restaurant(
    RESTAURANT_ID,
    "Trattoria",
    MENU,
    tuple(Table(f"table-{n}", f"T{n}", RESTAURANT_ID) for n in range(8)),
)


class Shelf:
    """A database that outlives every house, put back to its beginning for each evening.

    What a commit has written stays when a house dies. Loss of power, where an unsynced commit would be
    gone, is not simulated yet; here is its place.
    """

    def __init__(self, inline: InlineStore) -> None:
        self.connection: Connection = inline._connection
        pooled: Any = inline._connection.connection
        self._raw = pooled.dbapi_connection
        self._beginning: bytes = self._raw.serialize()

    def clear(self) -> None:
        """As at the beginning: the menu, and nobody there."""
        self._raw.deserialize(self._beginning)


@contextmanager
def open_shelf() -> Iterator[Shelf]:
    """A shelf with the restaurant's menu in it."""
    with open_inline() as inline:
        trio.run(inline.install, (RESTAURANT,), "menu")
        yield Shelf(inline)
