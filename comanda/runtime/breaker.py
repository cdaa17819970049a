"""One breaker for all children: it holds activations and restarts while the ground is gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from comanda.runtime.events import OnEvent, OutageBegan, OutageEnded, ProbeFailed


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """How the ground is probed while it is gone."""

    probe_timeout_seconds: float = 5.0
    """How long one probe may take: an answer later than that is no sound ground."""
    backoff_start_seconds: float = 0.5
    """Before the first probe: short outages (a locked file, a failover) are over by then."""
    backoff_factor: float = 2.0
    """Each further probe waits this many times longer."""
    backoff_max_seconds: float = 10.0
    """The longest wait between probes, so that guests wait little once the ground is back."""
    spread_seconds: float = 1.0
    """Held children restart at random within this time, so that they do not rush together."""


async def _no_probe() -> None:
    """Stands in where no probe is given: the next actor to start finds out."""
    await trio.lowlevel.checkpoint()


class Breaker:
    """Open from the first Outage until a probe succeeds.

    An outage that comes back soon after it ended goes on with the backoff where it was, so a
    probe that succeeds wrongly does not make the children hammer broken ground.
    """

    def __init__(
        self,
        probe: Callable[[], Awaitable[None]] | None,
        on_event: OnEvent,
        policy: BreakerPolicy | None = None,
    ) -> None:
        """Make a closed breaker.

        Args:
            probe: returns if the ground is there, raises if it is not; bounded in time by
                the policy. Without one the breaker closes by itself after the backoff.
            on_event: is told when an outage begins and ends and when a probe fails.
            policy: times of the probes.
        """
        self.policy = policy or BreakerPolicy()
        self._probe = probe or _no_probe
        self._on_event = on_event
        self._opened = trio.Event()
        self._closed = trio.Event()
        self._closed.set()
        self._opened_at = 0.0
        self._closed_at = float("-inf")
        self._delay_seconds = self.policy.backoff_start_seconds

    @property
    def is_open(self) -> bool:
        """True while nothing may be activated or restarted."""
        return self._opened.is_set()

    def open(self, error: BaseException) -> None:
        """Open it, unless it is open. Synchronous."""
        if self._opened.is_set():
            return
        self._opened_at = trio.current_time()
        if self._opened_at - self._closed_at > self.policy.backoff_max_seconds:
            self._delay_seconds = self.policy.backoff_start_seconds
        self._closed = trio.Event()
        self._opened.set()
        self._on_event(OutageBegan(error))

    async def wait_closed(self) -> None:
        """Wait until it is closed. Cancellation changes nothing."""
        await self._closed.wait()

    async def run(self) -> None:
        """Probe whenever it is open, until cancelled."""
        while True:
            await self._opened.wait()
            await trio.sleep(self._delay_seconds)
            self._delay_seconds = min(
                self._delay_seconds * self.policy.backoff_factor, self.policy.backoff_max_seconds
            )
            try:
                with trio.fail_after(self.policy.probe_timeout_seconds):
                    await self._probe()
            except Exception as error:
                self._on_event(ProbeFailed(error, self._delay_seconds))
            else:
                self._close()

    def _close(self) -> None:
        self._closed_at = trio.current_time()
        self._opened = trio.Event()
        self._closed.set()
        self._on_event(OutageEnded(self._closed_at - self._opened_at))
