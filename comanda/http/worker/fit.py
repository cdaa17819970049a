"""Whether the installed Hypercorn is the one that this worker knows, and the garbage collector's tuning."""

from __future__ import annotations

import gc
import importlib.metadata
import inspect
import select
import socket
from collections.abc import Callable
from typing import Any

import trio
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.lifespan import Lifespan
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from wsproto.frame_protocol import FrameDecoder

_NAMES_USED: tuple[tuple[object, tuple[str, ...]], ...] = (
    (TCPServer, ("protocol_send", "run")),
    (TaskGroup, ("spawn_app",)),
    (
        H11Protocol,
        (
            "_check_protocol",
            "_close_stream",
            "_create_stream",
            "_handle_events",
            "_send_error_response",
            "_send_h11_event",
            "stream_send",
        ),
    ),
    (WSStream, ("_accept", "app_send", "handle")),
    (HTTPStream, ("app_send", "handle")),
    (Lifespan, ("handle_lifespan", "wait_for_shutdown", "wait_for_startup")),
    (Config, ("h11_max_incomplete_size", "logger_class", "shutdown_timeout", "startup_timeout")),
)
_PARAMETERS_USED: tuple[tuple[Callable[..., Any], str], ...] = (
    (TCPServer, "app config context state stream"),
    (H11Protocol, "app config context task_group connection_state ssl client server send"),
    (WSStream, "app config context task_group ssl client server send stream_id"),
    (HTTPStream, "app config context task_group ssl client server send stream_id"),
    (TaskGroup.spawn_app, "self app config scope send"),
    (Lifespan, "app config state"),
)


def check_fit() -> None:
    """Raise RuntimeError, in a sentence, when Hypercorn (or what it builds on) is another one."""
    wrong = [
        f"{getattr(owner, '__name__', owner)}.{name}"
        for owner, names in _NAMES_USED
        for name in names
        if not hasattr(owner, name)
    ]
    decoder = FrameDecoder(client=False)
    wrong += [
        f"wsproto's FrameDecoder.{name}"
        for name in ("buffer", "header", "payload_consumed", "process_buffer", "receive_bytes")
        if not hasattr(decoder, name)
    ]
    for function, expected in _PARAMETERS_USED:
        if list(inspect.signature(function).parameters) != expected.split():
            wrong.append(f"the parameters of {function.__qualname__}")
    if wrong:
        version = importlib.metadata.version("hypercorn")
        raise RuntimeError(
            f"Comanda's worker does not fit Hypercorn {version} and what it builds on; missing or "
            f"changed: {', '.join(wrong)}. Install the versions that pyproject.toml allows."
        )


def fast_way_misses() -> str | None:
    """What the fast way needs and does not find here; None when it fits. Called within Trio.

    The fast way hands frames to the kernel at once and reads all websockets in one task. Without it
    both go through Trio's streams, a task for each connection: the same, at about twice the cost.
    """
    if not hasattr(select, "epoll"):
        return "this system has no epoll"
    with trio.socket.socket() as probe:
        if not isinstance(getattr(probe, "_sock", None), socket.socket):
            return "this Trio keeps its sockets elsewhere than in socket._sock"
    return None


def tune_garbage_collection() -> None:
    """Collect rarely, and never what exists now. To be called once, when all is imported.

    Cyclic collection costs a third of the deliveries at the default thresholds, since every
    connection's objects are looked through again and again.
    """
    gc.collect()
    gc.set_threshold(50_000, 50, 100)
    gc.freeze()
