"""What the clients and the driver write down: JSON lines in one file, in the order of happening.

A command is on disk (fsync) before it is sent, and what was acknowledged before anything follows from it.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct


class Opened(Struct, frozen=True, tag="opened"):
    """A connection has joined: `life` is the server's that it speaks to."""

    at: float
    connection: int
    member: str
    session: str
    life: int


class Sent(Struct, frozen=True, tag="sent"):
    """A command is about to be sent. `again`: under a `request_id` that was sent before."""

    at: float
    connection: int
    request_id: str
    again: bool
    frame: msgspec.Raw


class Told(Struct, frozen=True, tag="told"):
    """A frame has come. `state` and `cart` are the digests of the member's state after it.

    None for what is no part of the session's state.
    """

    at: float
    connection: int
    frame: msgspec.Raw
    state: str | None = None
    cart: str | None = None


class Ended(Struct, frozen=True, tag="ended"):
    """A connection is over, or nobody reads it any more."""

    at: float
    connection: int
    why: str


ENDED = "ended"
"""The word for a server that was asked to end, where it is gone without a kill."""


class Done(Struct, frozen=True, tag="done"):
    """What the driver did. `life` is that of the server at that moment."""

    at: float
    what: Literal[
        "cycle", "ready", "gone", "stopped", "continued", "pos", "members", "quiet", "settled"
    ]
    life: int
    detail: str = ""


Line = Opened | Sent | Told | Ended | Done

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


class Journal:
    """The open file, and the two counters that its lines speak of."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._connections = 0
        self.life = 0
        """Which start of the server it is; 0 before the first."""
        self.acks = 0
        """Acknowledgements by the server's present life."""
        self.orders = 0
        """Orders that were acknowledged, over all lives."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def new_life(self) -> None:
        """The server is about to be started."""
        self.life += 1
        self.acks = 0

    def new_connection(self) -> int:
        """A number that no other connection has."""
        self._connections += 1
        return self._connections

    def write(self, line: Line, *, sync: bool = False) -> None:
        """Append `line`; with `sync` it, and all before it, are on disk when this returns."""
        data = _encode(line) + b"\n"
        while data:
            data = data[os.write(self._file, data) :]
        if sync:
            os.fsync(self._file)

    def done(
        self,
        what: Literal[
            "cycle", "ready", "gone", "stopped", "continued", "pos", "members", "quiet", "settled"
        ],
        detail: str = "",
    ) -> None:
        """Write down what the driver did just now."""
        self.write(Done(time.time(), what, self.life, detail))


def read_journal(path: Path) -> Iterator[Line]:
    """The lines of a journal, whole ones only."""
    with path.open("rb") as file:
        for text in file:
            if text.endswith(b"\n"):
                yield _decode(text)
