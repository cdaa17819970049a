"""Every bound of the storage room, with its reason."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds on queues, groups and waits."""

    queued_max: int = 4096
    """Works that wait for the database thread; one more hears `StorageUnavailable` at once. At the
    slowest commits that are worth serving (1,000/s) that is four seconds of work."""

    group_max: int = 256
    """Units in one transaction. Beyond this the fsync is long paid for, and a group only keeps its
    first waiter waiting."""

    call_weight: int = 16
    """What an activation, or any call that is not a unit, counts for in a group: it takes a few
    statements of its own."""

    crowd_min: int = 64
    """Works within a quarter of a second from which they come as a crowd. A quiet house's never do: an
    order's three commits follow one another and must not wait."""

    crowd_interval_seconds: float = 0.008
    """From one group's begin to the next one's in a crowd: at most 125 flushes a second, each for
    all who came meanwhile. A group costs as much as some 20 of its units. Only commits wait: whatever else
    there is, an activation most of all, takes those along who do."""

    wait_seconds: float = 4.0
    """How long a caller waits for its answer. An activation waits twice, and must have heard before
    its own deadline that it is storage that is slow."""

    busy_seconds: float = 1.5
    """How long SQLite waits for another process's lock before it gives up. A unit may pay it twice, in
    the group before its own and in its own, and must then hear that nothing was written: twice this
    stays well under `wait_seconds`, after which the unit's outcome is not known."""

    close_seconds: float = 10.0
    """How long closing waits for what is queued."""
