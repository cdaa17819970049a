"""Staying connected: one link after another, with pauses between them, until one ends for good."""

from collections.abc import Callable
from typing import Protocol

import trio

from comanda.actors.domain.messages import ClientSettings

from .backoff import reconnect_delay
from .facts import ConnectionLost, Happening, Reconnecting
from .link import LinkEnd, LinkOwner, run_link
from .settings import ClientLimits
from .surroundings import Surroundings

FINAL_CODES = frozenset({1008, 4401, 4404, 4410})
"""Close codes after which joining again is of no use (PROTOCOL, "Close codes")."""

SHORT_LIVES = 3
"""So many connections in a row may end young before the pauses grow."""


class ReconnectorOwner(LinkOwner, Protocol):
    """Also hears that a link has ended, or never came to be."""

    def lost(self, end: LinkEnd) -> None: ...


class Reconnector:
    """Keeps one member's websocket. `tried` is set once the first attempt has ended, well or not."""

    def __init__(
        self,
        url: str,
        token: str,
        owner: ReconnectorOwner,
        settings: ClientSettings,
        limits: ClientLimits,
        surroundings: Surroundings,
        *,
        tell: Callable[[Happening], None],
    ) -> None:
        self._url = url
        self._token = token
        self._owner = owner
        self._settings = settings
        self._limits = limits
        self._surroundings = surroundings
        self._tell = tell
        self._pausing = trio.CancelScope()
        self._gate = trio.Event()
        self._gate.set()
        self._failed = 0
        self._short_lives = 0
        self._closing_wait: float | None = None
        self._leaving = False
        self._quietly = False
        self.told_lost = False

    async def run(self) -> LinkEnd:
        """Connect again and again; how the last link ended. Cancellation says goodbye."""
        while True:
            await self._gate.wait()
            self._quietly = False
            started_at = trio.current_time()
            self._closing_wait = None
            end = await run_link(
                self._url,
                self._token,
                self._owner,
                join_timeout_seconds=self._settings.reconnect_timeout_seconds,
                limits=self._limits,
                surroundings=self._surroundings,
            )
            self._count(end, trio.current_time() - started_at)
            if end.code in FINAL_CODES or self._leaving:
                return end
            self._owner.lost(end)
            if self._quietly:
                continue
            await self._pause(end)

    def now(self) -> None:
        """The tap: the next attempt at once, and the pauses short again."""
        self._failed = 0
        self._short_lives = 0
        self._pausing.cancel()

    def hold(self, *, link_was_cut: bool) -> None:
        """No new attempt before `go_on`; a link that was cut for it ends without a word or a pause."""
        self._quietly = link_was_cut
        if self._gate.is_set():
            self._gate = trio.Event()
        self._pausing.cancel()

    def go_on(self) -> None:
        """Attempts may be made again."""
        self._gate.set()

    def leave(self) -> None:
        """The next end of a link is the last."""
        self._leaving = True

    def server_closes(self, retry_after_seconds: float) -> None:
        """The server has announced its end and when to come back."""
        self._closing_wait = retry_after_seconds

    def _count(self, end: LinkEnd, lived_seconds: float) -> None:
        if not end.joined:
            self._failed += 1
            return
        self._failed = 0
        young = lived_seconds < self._limits.stable_after_seconds
        self._short_lives = self._short_lives + 1 if young else 0

    async def _pause(self, end: LinkEnd) -> None:
        if self._failed == self._limits.tries_before_lost:
            self._tell(ConnectionLost())
        self.told_lost = True
        self._tell(Reconnecting(self._failed + 1))
        steps = max(self._failed, self._short_lives - SHORT_LIVES, 0)
        chance = self._surroundings.chance()
        delay = reconnect_delay(steps, chance, self._limits)
        asked = end.retry_after if end.retry_after is not None else self._closing_wait
        if asked is not None:
            spread = self._limits.first_retry_within_seconds * chance
            delay = max(delay, min(asked, self._limits.max_retry_after_seconds) + spread)
        with trio.CancelScope() as self._pausing:
            await self._surroundings.sleep(delay)
