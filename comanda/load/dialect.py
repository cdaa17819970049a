"""What is replaceable: how one seat is taken, what an edit looks like, how its echo is recognised."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from msgspec import Struct

from .plan import Plan


class Seat(Struct, frozen=True):
    """A member's way in. `member` is how events name them, `hello` the first frame, if there is one.

    `token` opens further calls, where the server has any. Without `greeted` the server answers a new
    connection with no snapshot: the member is seated as soon as the websocket is open.
    """

    url: str
    member: str
    hello: bytes | None = None
    token: str = ""
    greeted: bool = True


class Told(Struct, frozen=True):
    """An event, which every member of the table gets. `by`: who asked for it; None where nobody did.

    `body` is the dialect's own form of it, two of which can be compared. A server that does not count
    its events gives -1 as `seq`: the driver then counts them itself.
    """

    seq: int
    by: str | None
    body: Any


class Snapshot(Struct, frozen=True):
    """The whole table at `seq`: the answer to a new connection."""

    seq: int
    body: Any


class Ack(Struct, frozen=True):
    """The sender's command was accepted; its event is `seq`."""

    request_id: str
    seq: int


class Refused(Struct, frozen=True):
    """The sender's command was refused."""

    request_id: str | None
    code: str


Heard = Told | Snapshot | Ack | Refused


class Asked(Struct, frozen=True):
    """A command to send. `body` is what the view needs to recognise its event."""

    frame: bytes
    body: Any = None
    kind: str = "edit"


class View(Protocol):
    """One table as its members are told of it, in the dialect's own words. It judges what it is told."""

    def edit(self, member: Seat, request_id: str | None) -> Asked:
        """The next edit of a closed loop."""

    def told(self, told: Told) -> Sequence[str]:
        """Take the next event. What is wrong with it, in sentences."""

    def tells(self, asked: Asked, told: Told) -> bool:
        """Whether `told` is the event of what was asked."""

    def begin(self, snapshot: Snapshot) -> None:
        """Take a snapshot as the whole truth: nothing was told before, or some of it to nobody."""

    def differs(self, snapshot: Snapshot) -> Sequence[str]:
        """In what a snapshot of this very moment differs from what was told, in sentences."""


class Dialect(Protocol):
    """How one kind of server is spoken to. Made in each worker process, with the plan."""

    async def seat(self, table: int, member: int) -> Seat:
        """Sit down at the table of that number (from 0). Runs on asyncio.

        Raises:
            SeatRefused: the server has answered no.
            OSError: it has not answered.
        """

    def view(self, table: int) -> View:
        """A table of which nothing has been told yet."""

    def read(self, frame: bytes) -> Heard | None:
        """One text frame of the server; None where it is nothing that counts. Called for each that is new."""

    async def last_look(
        self, table: int, seat: Seat, view: Any
    ) -> tuple[Snapshot | None, list[str]]:
        """When all is quiet: the table as the server has it on record, and what else is wrong there.

        Raises as `seat` does.
        """

    async def aclose(self) -> None:
        """Let go of what it holds open."""


class SeatRefused(Exception):
    """The server does not let a member sit down. `again`: it may later, after `retry_after` seconds."""

    def __init__(self, code: str, *, again: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(code)
        self.code = code
        self.again = again
        self.retry_after = retry_after


def dialect_of(plan: Plan) -> Dialect:
    """The dialect that a plan names, made."""
    module, _, name = plan.dialect.partition(":")
    made = cast("Callable[[Plan], Dialect]", getattr(importlib.import_module(module), name))
    return made(plan)
