"""What is left to the garbage collector, which in a server looks seldom (`tune_garbage_collection`)."""

import gc
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from trio.testing import wait_all_tasks_blocked

TIMES = 10
QUIET_SECONDS = 0.05


async def left_by(act: Callable[[], Awaitable[object]]) -> set[str]:
    """The types of what `act` leaves each time; what its first time makes for good does not count."""
    await act()
    await wait_all_tasks_blocked(QUIET_SECONDS)
    with _collected() as found:
        for _ in range(TIMES):
            await act()
        await wait_all_tasks_blocked(QUIET_SECONDS)
    return found


@contextmanager
def _collected() -> Iterator[set[str]]:
    """The types of what is left to the collector by the block, when it is over."""
    gc.collect()
    gc.disable()
    found: set[str] = set()
    try:
        yield found
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found |= {type(one).__name__ for one in gc.garbage}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
