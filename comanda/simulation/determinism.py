"""One seed, one run: Trio's scheduler, its clock and all chance are bound to the seed here.

Trio has no public way to fix the order in which it runs tasks. It has a private one, made for property
tests, and this is the only module that touches it.
"""

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from math import inf
from typing import Any, TypeVar

import trio

T = TypeVar("T")

STARTS_AT = datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
"""What the wall clock shows when Trio's virtual one is at 0."""


class TrioHasChanged(RuntimeError):
    """This Trio cannot be scheduled by a seed; the text says what is missing."""


@contextmanager
def scheduled_by(seed: int) -> Iterator[None]:
    """Within the block `trio.run` schedules its tasks in an order that the seed alone decides.

    Raises:
        TrioHasChanged: Trio's own switches for that are not where they were.
    """
    core: Any = trio._core._run
    switch = getattr(core, "_ALLOW_DETERMINISTIC_SCHEDULING", None)
    dice = getattr(core, "_r", None)
    if not isinstance(switch, bool) or not isinstance(dice, random.Random):
        raise TrioHasChanged(
            f"Trio {trio.__version__} has no _ALLOW_DETERMINISTIC_SCHEDULING or no _r in "
            "trio._core._run any more: a seed cannot decide what runs when"
        )
    was = dice.getstate()
    core._ALLOW_DETERMINISTIC_SCHEDULING = True
    dice.seed(seed)
    try:
        yield
    finally:
        core._ALLOW_DETERMINISTIC_SCHEDULING = switch
        dice.setstate(was)


class JumpingClock(trio.abc.Clock):
    """Time that stands still while a task can run, and then jumps to the next deadline.

    Trio asks how long it may sleep only when nothing can run: that is the moment. Trio's own `MockClock`
    does the same with a further round of the scheduler for each jump.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        """Nothing to be done."""

    def current_time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Jump to `deadline`; where there is none, sleep for ever, as any clock would."""
        if deadline == inf:
            return inf
        self._now = max(self._now, deadline)
        return 0.0


def run_by_seed(seed: int, main: Callable[[], Awaitable[T]]) -> T:
    """`trio.run(main)` on virtual time, which jumps ahead whenever all tasks wait.

    No thread may work in it: the clock would jump meanwhile.
    """
    with scheduled_by(seed):
        return trio.run(main, clock=JumpingClock())


class VirtualClock:
    """Wall-clock time that goes with Trio's, unless somebody puts it ahead or back."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Now, aware, in UTC."""
        return STARTS_AT + timedelta(seconds=trio.current_time()) + self._ahead

    def jump(self, seconds: float) -> None:
        """Put it ahead by so much, or back."""
        self._ahead += timedelta(seconds=seconds)


class CountedIds:
    """Ids that count up: ``member_1``, ``item_1``, ``session_1``."""

    def __init__(self) -> None:
        self._members = count(1)
        self._items = count(1)
        self._sessions = count(1)

    def member_id(self) -> str:
        """The next member's id."""
        return f"member_{next(self._members)}"

    def public_id(self) -> str:
        """The next line's id."""
        return f"item_{next(self._items)}"

    def session_pid(self) -> str:
        """The next dining session's id."""
        return f"session_{next(self._sessions)}"


def dice_for(seed: int, what: object) -> random.Random:
    """Chance for one purpose: the same seed and purpose give the same numbers in every process."""
    return random.Random(f"{seed}: {what}")
