"""How often, and how soon, a child that crashed is started again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Restart intensity, backoff and quarantine, in OTP's sense but counted per child."""

    intensity: int = 3
    """Restarts allowed within the window; one crash more is quarantine. OTP's usual figure."""
    window_seconds: float = 60.0
    """How long a restart counts: long enough that backoff does not hide a crash loop."""
    backoff_start_seconds: float = 0.1
    """Before the first restart: a guest hardly notices."""
    backoff_factor: float = 4.0
    """Each further restart within the window waits this many times longer."""
    backoff_max_seconds: float = 5.0
    """The longest wait, jitter left aside; a guest's ask does not last longer."""
    jitter: float = 0.25
    """Up to this share is added at random, so that equal crashes do not restart in step."""
    quarantine_seconds: float = 60.0
    """How long the child rests; as the window, so that it begins with a clean count."""

    def __post_init__(self) -> None:
        if self.intensity < 0:
            raise ValueError("The restart intensity is zero or more.")
        if self.backoff_factor < 1 or self.jitter < 0:
            raise ValueError("Backoff never shrinks, jitter is never negative.")
        if (
            min(
                self.window_seconds,
                self.backoff_start_seconds,
                self.backoff_max_seconds,
                self.quarantine_seconds,
            )
            < 0
        ):
            raise ValueError("Times are zero or more seconds.")

    def backoff_seconds(self, restarts: int, random: float) -> float:
        """How long to wait before a restart.

        Args:
            restarts: how many restarts the window holds, this one included, at least 1.
            random: a number from 0 up to 1.
        """
        # The exponent is bounded so that no intensity, however large, overflows a float.
        factor = self.backoff_factor ** min(restarts - 1, 64)
        delay = min(self.backoff_start_seconds * factor, self.backoff_max_seconds)
        return delay * (1.0 + self.jitter * random)


class RestartWindow:
    """The recent restarts of one child: at most `intensity` moments, pruned as time goes on."""

    __slots__ = ("_policy", "_restarts")

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._restarts: deque[float] = deque()

    def add_restart(self, now: float) -> bool:
        """Count a restart at this moment. False, and nothing counted, if it is one too many.

        Args:
            now: the clock, in seconds; never earlier than in the call before.
        """
        self._prune(now)
        if len(self._restarts) >= self._policy.intensity:
            return False
        self._restarts.append(now)
        return True

    def count(self, now: float) -> int:
        """How many restarts lie within the window."""
        self._prune(now)
        return len(self._restarts)

    def _prune(self, now: float) -> None:
        restarts, window_seconds = self._restarts, self._policy.window_seconds
        while restarts and now - restarts[0] >= window_seconds:
            restarts.popleft()
