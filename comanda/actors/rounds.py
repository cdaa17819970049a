"""Looking again and again, and errands side by side: of these is made what the house does unasked."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from comanda.logs import get_log
from comanda.runtime import RuntimeRefusal

from .ports import CommitUnknown, NoSuchSession, StaleEpoch, StorageUnavailable

log = get_log("comanda.rounds")

_TO_BE_TRIED_AGAIN = (
    RuntimeRefusal,
    NoSuchSession,
    StorageUnavailable,
    CommitUnknown,
    StaleEpoch,
)
"""What is nobody's fault: the next round finds whatever is still to be done."""


class Errand(NamedTuple):
    """An errand's name: what it is, and of whom. Of the same name there is one at a time."""

    what: str
    session: str
    order: str | None = None


class Rounds:
    """Rounds and errands in one nursery, which bounds their lives.

    At most `most` errands run at once, and of each name one: no errand holds up another, and what finds
    no place is found again by the next round.
    """

    def __init__(self, nursery: trio.Nursery, most: int) -> None:
        self._nursery = nursery
        self._most = most
        self._under_way: set[Errand] = set()

    def every(self, seconds: float, look: Callable[[], Awaitable[None]]) -> None:
        """Look now, and then each time so many seconds after the last look has ended."""
        self._nursery.start_soon(self._look_again, seconds, look)

    def send(self, name: Errand, errand: Callable[[], Awaitable[None]]) -> bool:
        """Run an errand by the side, unless the same is under way already.

        False: too many are, and it is not run.
        """
        if name in self._under_way:
            return True
        if len(self._under_way) >= self._most:
            return False
        self._under_way.add(name)
        self._nursery.start_soon(self._run, name, errand)
        return True

    async def _look_again(self, seconds: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await look()
            except StorageUnavailable:
                log.warning("storage did not answer to a sweep; it will look again")
            except Exception:
                # A sweep that ends would leave locks without a watch: worse than one more try.
                log.exception("a sweep failed; it will look again")
            await trio.sleep(seconds)

    async def _run(self, name: Errand, errand: Callable[[], Awaitable[None]]) -> None:
        try:
            await errand()
        except _TO_BE_TRIED_AGAIN as error:
            log.warning(
                "errand not done; it will be tried again",
                **name._asdict(),
                error=type(error).__name__,
            )
        except Exception:
            log.exception("errand failed; it will be tried again", **name._asdict())
        finally:
            self._under_way.discard(name)
