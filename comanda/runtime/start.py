"""The way up to a working actor, and what is said to those who wait in vain."""

from __future__ import annotations

from collections.abc import Callable

import trio

from comanda.runtime.errors import Outage


class Start:
    """The way up to a working actor, shared by all who wait for it."""

    def __init__(self) -> None:
        self.waiting = 0
        self._settled = trio.Event()
        self._refuse: Callable[[], Exception] | None = None

    def succeed(self) -> None:
        """The actor takes messages."""
        self._settled.set()

    def fail(self, refuse: Callable[[], Exception]) -> None:
        """It does not; each who waits raises an error of their own making."""
        if not self._settled.is_set():
            self._refuse = refuse
            self._settled.set()

    async def wait(self) -> None:
        """Wait for the outcome. A caller that is cancelled leaves; the start goes on."""
        self.waiting += 1
        try:
            await self._settled.wait()
        finally:
            self.waiting -= 1
        if self._refuse is not None:
            raise self._refuse()


def is_outage(error: Exception) -> bool:
    """Whether the ground was gone, among whatever else went wrong on the way down."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(Outage) is not None
    return isinstance(error, Outage)


def refuse_for_outage() -> Exception:
    """Make the answer for those who come while the breaker is open."""
    return Outage("The ground that actors stand on is gone; nothing is activated meanwhile.")


def raiser(error: Exception) -> Callable[[], Exception]:
    """Give the same error to many, each time without the frames of the last who raised it."""
    traceback = error.__traceback__
    return lambda: error.with_traceback(traceback)
