"""Serve an ASGI application over HTTP/1.1 and websockets on Trio, with Hypercorn made hard.

The one package that knows Hypercorn's insides. Its parsing, ASGI scopes and responses are used as
they are; what is replaced is replaced for a measured fact:

- one byte behind an upgrade request, or any exception that leaks, would end the whole process:
  every failure is contained in its connection, logged, and answered (500, or close 1011);
- permessage-deflate is negotiated whenever offered, and inflates without a bound: never offered on;
- writes are shielded without a bound, so that one stalled reader hangs the shutdown: each is
  bounded, then the connection is reset;
- no ping, no pong timeout, no bound of a request's slowness: each has a limit in `WorkerLimits`;
- a shutdown sends websockets nothing (clients see 1006) and a failed handler closes 1000: 1012
  and 1011;
- a full queue to an application that has ended blocks for ever: `Inbox` in its place;
- one read may hold ten thousand frames that say nothing, and hundreds may end in one moment: slices,
  turns that end in time, `Worker.wait_turn`;
- a connection's objects hold each other when it is gone: the circles are broken.

Each connection is one reader task, which always reads (see `MemberSocket` for the one pause), in a
nursery with the application's task. Once it is a websocket its task lends the socket to the
`SharedReader`, where the fast way fits (`fast_way_misses`). Only HTTP/1.1 and 1.0 are spoken: an
offer of h2c is ignored, HTTP/2 gets 400: what a peer gets wrong is never a 5xx.
"""

from __future__ import annotations

from comanda.http.frames import text_frame
from comanda.http.socket import MemberSocket, WorkerLimits

from .connection import Connection
from .fit import check_fit, fast_way_misses, tune_garbage_collection
from .serving import StartupError, bind, serve
from .streams import CONNECTION_EXTENSION, SOCKET_EXTENSION

__all__ = [
    "CONNECTION_EXTENSION",
    "SOCKET_EXTENSION",
    "Connection",
    "MemberSocket",
    "StartupError",
    "WorkerLimits",
    "bind",
    "check_fit",
    "fast_way_misses",
    "serve",
    "text_frame",
    "tune_garbage_collection",
]
