"""What a house counts of itself, for operators to read. Plain numbers: to count costs next to nothing."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from comanda.runtime import ActorFailed, ActorQuarantined, OutageBegan, RuntimeEvent

from .domain.messages import OrderStateName

LATENCY_BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""In seconds: from one quick commit to the longest that anybody waits for an answer."""

POS_BOUNDS: Final = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 300.0)
"""In seconds: from a POS that answers at once to an order that the staff settle after a while."""

OUTCOMES: Final[tuple[OrderStateName, ...]] = ("confirmed", "rejected", "needs_staff")
"""States in which a table hears what has become of its order."""


class Histogram:
    """How often something took so long. Not thread-safe: the thread that counts is the one that reads.

    `counts` has one place more than `bounds`, for what was beyond the last; each place counts what
    was at most its bound and more than the one before.
    """

    __slots__ = ("bounds", "counts", "seconds_total")

    def __init__(self, bounds: Sequence[float] = LATENCY_BOUNDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.seconds_total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one that took so long."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds_total += seconds


class StorageFigures(Struct, frozen=True):
    """What storage has counted, at one moment.

    `group_sizes[n]` counts the transactions of at least 2^(n-1) and less than 2^n works, a work being
    a session's unit, a reserved number, an activation or another call that writes. `works_total` is how
    many works these were, `busy_seconds_total` how long they took. `waiting` works wait now.
    """

    group_sizes: tuple[int, ...]
    works_total: int
    busy_seconds_total: float
    waiting: int


class Tally:
    """One house's. `order_states` counts orders that came into a state, `pos_calls` calls by outcome."""

    def __init__(self) -> None:
        self.order_states: Counter[OrderStateName] = Counter()
        self.order_seconds = {outcome: Histogram(POS_BOUNDS) for outcome in OUTCOMES}
        self.pos_calls: Counter[tuple[str, str]] = Counter()
        self.pos_seconds = {call: Histogram(POS_BOUNDS) for call in ("submit", "look_up", "void")}
        self.restarts = 0
        self.quarantines = 0
        self.outages = 0

    def take(self, event: RuntimeEvent) -> None:
        """Count what has happened to an actor."""
        match event:
            case ActorFailed(restart_in_seconds=seconds) if seconds is not None:
                self.restarts += 1
            case ActorQuarantined():
                self.quarantines += 1
            case OutageBegan():
                self.outages += 1
