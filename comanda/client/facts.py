"""What the client itself has to tell, beside the server's words."""

from msgspec import Struct

from comanda.actors.domain.messages import (
    CartSnapshot,
    Error,
    Event,
    MenuUpdated,
    Presence,
    ServerClosing,
)


class SeqGap(Struct, frozen=True):
    """An event is missing: `expected` should have come, `got` came. The client joins again."""

    expected: int
    got: int


class Reconnecting(Struct, frozen=True):
    """Specification 8.2: "Connection lost. Reconnecting...". `attempt` counts from 1."""

    attempt: int
    message: str = "Connection lost. Reconnecting..."


class Reconnected(Struct, frozen=True):
    """Joined again; the snapshot that came with it has just been told."""


class ConnectionLost(Struct, frozen=True):
    """Several attempts have failed. The client goes on, more slowly; `reconnect_now` is the tap."""

    message: str = "The connection could not be restored. Tap to reconnect."


class OrderTimedOut(Struct, frozen=True):
    """No outcome within the order timeout. The order goes on; `resolve_now` may be offered.

    `order_id` is None where not even the lock was heard of yet.
    """

    order_id: str | None
    message: str = "No answer from the kitchen yet. Tap to ask again."


class RetryScheduled(Struct, frozen=True):
    """The failed order will be placed again by itself; `attempt` is 1, 2 or 3."""

    after_seconds: float
    attempt: int


class RetryCancelled(Struct, frozen=True):
    """The automatic retry has ended without an order."""

    reason: str


class Ended(Struct, frozen=True):
    """This membership is over for good; nothing follows. See `TableClosed`."""

    code: int
    reason: str


Fact = (
    SeqGap
    | Reconnecting
    | Reconnected
    | ConnectionLost
    | OrderTimedOut
    | RetryScheduled
    | RetryCancelled
    | Ended
)

Happening = Event | CartSnapshot | Presence | MenuUpdated | ServerClosing | Error | Fact
"""All that `events()` tells: the server's events and snapshots, refusals that answer no command, facts."""
