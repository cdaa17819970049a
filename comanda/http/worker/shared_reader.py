"""One task that reads every websocket which has something, and heads that come in pieces, instead of a task
for each.

A task that waits for one socket costs two turns of Trio's scheduler, a change of its registrations with
the kernel and a read in vain for each message: a third of what an edit costs on its way in. So
connections lend their sockets to a reader they share; whatever is not plain (a close frame, a violation,
the end, a flood, a head that is whole) is given back to the connection's own task.

A turn is bounded in sockets, in frames of each (by who takes them) and in time, so that many who send at
once keep no other task waiting; whom it did not come to is served first in the next one.
"""

from __future__ import annotations

import contextlib
import select
import socket as stdlib_socket
from collections import deque
from collections.abc import Callable
from time import perf_counter

import trio

from comanda.http.socket import CHUNK_BYTES

SOCKETS_A_TURN = 64
"""Sockets read before other tasks have their turn."""

TURN_SECONDS = 0.003
"""The same in time, since one message may cost a hundred times what another does. An edit waits for some
five turns of Trio's on its way, so that the worst flood adds 15 ms; a turn costs 0.05 ms besides."""

Take = Callable[[bytes], bool]
"""Gets what was read, b"" at the peer's end; False: the socket's owner goes on by itself."""


class SharedReader:
    """Reads lent sockets. `run` must be running; everything else is synchronous but `lend`."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._lent: dict[int, _Lent] = {}
        self._ready: deque[tuple[int, int]] = deque()  # Named by the kernel, and not served yet.
        self._buffer = bytearray(CHUNK_BYTES)

    async def run(self) -> None:
        """Read until cancelled."""
        try:
            while True:
                if self._ready:
                    await trio.lowlevel.checkpoint()
                else:
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                    # The kernel names those first that it did not name the last time.
                    self._ready.extend(self._epoll.poll(0, SOCKETS_A_TURN))
                self._take_turn()
        finally:
            self._epoll.close()

    def _take_turn(self) -> None:
        end = perf_counter() + TURN_SECONDS
        while self._ready:
            descriptor, _ = self._ready.popleft()
            lent = self._lent.get(descriptor)
            if lent is not None:  # Else it was given back meanwhile.
                self._read(lent)
                if perf_counter() >= end:
                    return

    async def lend(self, sock: stdlib_socket.socket, take: Take) -> None:
        """Have `sock` read, and `take` given what comes, until `take` returns False.

        Returns too when `give_back` is called. Cancelled, the socket is its owner's again.

        Raises:
            Exception: what `take` raised.
        """
        descriptor = sock.fileno()
        lent = _Lent(sock, take)
        self._lent[descriptor] = lent
        self._epoll.register(descriptor, select.EPOLLIN)
        try:
            await lent.returned.wait()
        finally:
            self._end(descriptor, lent)
        if lent.failure is not None:
            raise lent.failure

    def give_back(self, sock: stdlib_socket.socket) -> None:
        """Read `sock` no more: it is about to be closed, and its number may soon be another's."""
        lent = self._lent.get(sock.fileno())
        if lent is not None and lent.sock is sock:
            self._end(sock.fileno(), lent)

    def _read(self, lent: _Lent) -> None:
        try:
            count = lent.sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            count = 0  # Reset: for its owner the same as the end.
        try:
            if lent.take(bytes(memoryview(self._buffer)[:count])):
                return
        except Exception as error:
            lent.failure = error
        self._end(lent.sock.fileno(), lent)

    def _end(self, descriptor: int, lent: _Lent) -> None:
        lent.returned.set()
        if self._lent.get(descriptor) is lent:
            del self._lent[descriptor]
            with contextlib.suppress(OSError, ValueError):  # Closed, one or the other.
                self._epoll.unregister(descriptor)


class _Lent:
    __slots__ = ("failure", "returned", "sock", "take")

    def __init__(self, sock: stdlib_socket.socket, take: Take) -> None:
        self.sock = sock
        self.take = take
        self.returned = trio.Event()
        self.failure: Exception | None = None
