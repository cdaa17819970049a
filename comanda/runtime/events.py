"""What happened in the runtime, for the product to log and to count.

The runtime itself does no logging: it hands these to the `on_event` hook, synchronously and
at the moment they happen. The hook must be quick; what it raises is dropped and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class ActorStarted:
    """`on_start` is through; messages are taken."""

    key: Hashable
    incarnation: int
    """1 for the first, counted on with each restart."""


@dataclass(frozen=True, slots=True)
class ActorEnded:
    """An incarnation ended as it was asked to, or refused to start."""

    key: Hashable
    incarnation: int
    reason: Literal["passivated", "stopped", "refused", "forced"]
    """`forced`: the stop deadline passed and it was cancelled."""


@dataclass(frozen=True, slots=True)
class ActorFailed:
    """An incarnation crashed."""

    key: Hashable
    incarnation: int
    error: BaseException
    restart_in_seconds: float | None
    """None if it is not restarted: it was ending, or it went into quarantine."""


@dataclass(frozen=True, slots=True)
class ActorQuarantined:
    """A child crashed more often than its restart intensity allows."""

    key: Hashable
    seconds: float


@dataclass(frozen=True, slots=True)
class QuarantineEnded:
    """The child may be activated again."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class ActorOverstayed:
    """An actor shields itself against the force that ends it; the stop waits for it."""

    key: Hashable


@dataclass(frozen=True, slots=True)
class HookFailed:
    """Something that must not raise did: `on_end`, `view`, `may_passivate` or a reply slot."""

    key: Hashable
    hook: str
    error: Exception


@dataclass(frozen=True, slots=True)
class OutageBegan:
    """The breaker opened: nothing is activated or restarted until a probe succeeds."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class ProbeFailed:
    """The ground is still gone."""

    error: Exception
    next_in_seconds: float


@dataclass(frozen=True, slots=True)
class OutageEnded:
    """The breaker closed."""

    seconds: float
    """How long it was open."""


RuntimeEvent: TypeAlias = (
    ActorStarted
    | ActorEnded
    | ActorFailed
    | ActorQuarantined
    | QuarantineEnded
    | ActorOverstayed
    | HookFailed
    | OutageBegan
    | ProbeFailed
    | OutageEnded
)

OnEvent: TypeAlias = Callable[[RuntimeEvent], None]
