"""How many orders are on their way to a POS at this moment, so that a server that ends can wait."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio


class Carrying:
    """Counts the orders that are being carried."""

    def __init__(self) -> None:
        self._count = 0
        self._none = trio.lowlevel.ParkingLot()

    @property
    def count(self) -> int:
        """Orders whose outcome is being asked for now."""
        return self._count

    @contextmanager
    def one(self) -> Iterator[None]:
        """One order is carried for the block."""
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.unpark_all()

    async def wait_none(self) -> None:
        """Return when no order is being carried. A checkpoint; cancelling changes nothing."""
        await trio.lowlevel.checkpoint()
        while self._count:
            await self._none.park()
