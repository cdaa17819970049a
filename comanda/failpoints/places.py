"""The places themselves: they count who comes by, and say what is to happen to them."""

import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence

from .text import Failpoint


class Place:
    """One place, with the failpoints set there. Reached from one thread alone.

    `outage_ends` is when its last outage ends, on the monotonic clock.
    """

    def __init__(self, failpoints: Sequence[Failpoint], fail: Callable[[], Exception]) -> None:
        """Args:
        failpoints: those of this place.
        fail: makes the exception that an error here is.
        """
        self._failpoints = failpoints
        self._fail = fail
        self._hits = 0
        self.outage_ends = float("-inf")

    def is_out(self) -> bool:
        """An outage that began here is not over yet."""
        return time.monotonic() < self.outage_ends

    async def reach(self, sleep: Callable[[float], Awaitable[object]]) -> None:
        """Somebody has come here: die, wait by `sleep`, raise, or go on.

        Cancelled while it waits, nothing else happens.
        """
        self._hits += 1
        due = [one for one in self._failpoints if self._is_due(one)]
        for one in due:
            match one.action:
                case "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "sleep":
                    await sleep(one.seconds)
                case "outage":
                    self.outage_ends = time.monotonic() + one.seconds
        if self.is_out() or any(one.action == "error" for one in due):
            raise self._fail()

    def _is_due(self, one: Failpoint) -> bool:
        return self._hits == one.hit or (one.lasting and self._hits > one.hit)
