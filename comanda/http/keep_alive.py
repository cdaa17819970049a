"""One task that pings every websocket which says nothing, and resets the one that does not answer.

A task for each costs each connection some kilobytes, and wakes for each ping; and whoever has just said
something needs none.
"""

from __future__ import annotations

import heapq
import itertools
import math
import weakref

import trio

from .frames import PING_FRAME
from .socket import MemberSocket, WorkerLimits

LOOKS_A_TURN = 64
"""Sockets looked at before other tasks have their turn: a ping is a write."""

GRAINS = 64
"""Pings that are due within so small a part of the shorter interval share one wake."""


class KeepAlive:
    """Watches websockets for a worker. `run` must be running.

    What is gone is forgotten when it is next due, or when twice as many as there may be are watched.
    """

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        self._grain = min(limits.ping_interval_seconds, limits.pong_timeout_seconds) / GRAINS
        self._dues: list[tuple[float, int, _Watch]] = []  # A heap.
        self._numbers = itertools.count()

    def watch(self, socket: MemberSocket) -> None:
        """Look after an open websocket from now on, until it is closed."""
        if len(self._dues) >= 2 * self._limits.max_connections:  # Half of them at least are gone.
            self._dues = [due for due in self._dues if due[2].socket() is not None]
            heapq.heapify(self._dues)
        socket.heard_at = trio.current_time()
        self._look_again(_Watch(socket), socket.heard_at + self._limits.ping_interval_seconds)

    @property
    def remembered(self) -> int:
        """Websockets that are watched, and those that are gone and not forgotten yet."""
        return len(self._dues)

    async def run(self) -> None:
        """Ping and reset until cancelled."""
        while True:
            now = trio.current_time()
            # Who comes while nobody is watched is first due an interval later.
            due = self._dues[0][0] if self._dues else now + self._limits.ping_interval_seconds
            if due <= now:
                self._take_turn(now)
                await trio.lowlevel.checkpoint()
            else:
                await trio.sleep_until(max(due, now + self._grain))

    def _take_turn(self, now: float) -> None:
        for _ in range(LOOKS_A_TURN):
            if not self._dues or self._dues[0][0] > now:
                return
            _, _, watch = heapq.heappop(self._dues)
            socket = watch.socket()
            if socket is not None and not socket.closed:
                self._look(watch, socket, now)

    def _look(self, watch: _Watch, socket: MemberSocket, now: float) -> None:
        if socket.heard_at > watch.asked_at or not socket.reading:
            watch.asked_at = math.inf
        patience = watch.asked_at + self._limits.pong_timeout_seconds
        if now >= patience:
            socket.abort()
            return
        next_ping = max(socket.heard_at, watch.pinged_at) + self._limits.ping_interval_seconds
        if now >= next_ping:
            watch.pinged_at = now
            watch.asked_at = min(watch.asked_at, now)
            socket.send_frame(PING_FRAME)
            next_ping = now + self._limits.ping_interval_seconds
            patience = watch.asked_at + self._limits.pong_timeout_seconds
        self._look_again(watch, min(next_ping, patience))

    def _look_again(self, watch: _Watch, due: float) -> None:
        heapq.heappush(self._dues, (due, next(self._numbers), watch))


class _Watch:
    """What is known of one websocket; an ended one must not be kept for it, with all its connection has."""

    __slots__ = ("asked_at", "pinged_at", "socket")

    def __init__(self, socket: MemberSocket) -> None:
        self.socket = weakref.ref(socket)
        self.pinged_at = -math.inf
        self.asked_at = math.inf
        """When the first ping was sent that nothing has come after."""
