"""How a child stands: its bounds, its states, its figures."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from comanda.runtime.mailbox import DEFAULT_CAPACITY, DEFAULT_OWN_CAPACITY, MailboxStatistics


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """The bounds of one child."""

    mailbox_capacity: int = DEFAULT_CAPACITY
    own_capacity: int = DEFAULT_OWN_CAPACITY
    start_deadline_seconds: float = 10.0
    """How long `on_start` may take: loading a few rows, with a slow disk allowed for."""
    stop_deadline_seconds: float = 10.0
    """How long a passivation or a stop by the actor itself may take before force."""


class ChildState(Enum):
    """What a child is doing."""

    STARTING = "starting"
    LIVE = "live"
    RESTARTING = "restarting"
    PASSIVATING = "passivating"
    STOPPING = "stopping"
    HELD = "held"  # by the breaker
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class ChildStatistics:
    """One child at one moment."""

    key: Hashable
    state: ChildState
    incarnation: int
    restarts: int
    """Restarts after a crash since it was activated."""
    age_seconds: float
    idle_seconds: float
    """Since the last batch, or since it was last looked up."""
    mailbox: MailboxStatistics
