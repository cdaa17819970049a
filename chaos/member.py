"""One guest: takes a seat, edits and orders, comes back after every cut, and resends what was not
acknowledged under its old `request_id`.
"""

import random
from collections import deque
from contextlib import AsyncExitStack

import httpx
import trio

from comanda.actors.domain.messages import (
    Ack,
    CartCommand,
    Error,
    JoinAnswer,
    PlaceOrder,
    SessionClosed,
    Told,
    encode,
)
from comanda.client.api import Api
from comanda.client.errors import ApiError
from comanda.client.staff import StaffClient

from .commands import choose
from .journal import Journal
from .processes import STAFF_TOKEN
from .talk import Talk, begin_talk
from .wire import WireBroken

UNACKED_MOST = 3
"""Commands that a member has under way at one time."""

REPEATABLE = 40
"""Acknowledged commands that may be sent once more; far fewer than the 256 that a server remembers."""

PAUSE_SECONDS = (0.05, 0.45)
"""Between two commands of a member: two dozen members do some eighty a second."""

COME_BACK_SECONDS = (0.02, 0.2)
"""Before a new connection; shorter than a phone's, since the time to recover is measured here."""

SEAT_SECONDS = 5.0

SESSION_CLOSED = "closed 4410"
SEAT_LOST = ("closed 4404", "does not sit at this table")
"""How a server closes on a member whose seat it has given and forgotten: never, or it is a violation."""

LEFT_OPEN_MOST = 2
"""Connections that a member has turned away from and left open; a server takes four of a member."""


class Place:
    """Where the server is now, and whether members still begin anything.

    `api` and `staff` are for all who call it: a client of one's own costs 20 ms of processor time.
    """

    api: Api
    staff: StaffClient

    def __init__(self, port: int) -> None:
        self.port = port
        self.quiet = False
        self.faults: list[str] = []
        """What went wrong by itself, in words."""
        self._clients = AsyncExitStack()

    async def move(self, port: int) -> None:
        """From now on the server is there."""
        self.port = port
        url = f"http://127.0.0.1:{port}"
        self.api = await self._clients.enter_async_context(Api(url))
        self.staff = await self._clients.enter_async_context(StaffClient(url, STAFF_TOKEN))

    async def aclose(self) -> None:
        """Close the connections of all calls."""
        await self._clients.aclose()


class Member:
    """A guest called `name` at the table `code`; what it does is drawn from `rng`."""

    def __init__(
        self, name: str, code: str, place: Place, journal: Journal, rng: random.Random
    ) -> None:
        self.name = name
        self._code = code
        self._place = place
        self._journal = journal
        self._rng = rng
        self._commands = 0
        self._unacked: dict[str, CartCommand] = {}
        self._acked: deque[tuple[str, CartCommand]] = deque(maxlen=REPEATABLE)
        self._talk: Talk | None = None
        self._over = trio.Event()
        self._listening = trio.CancelScope()
        self._left_open: deque[Talk] = deque()
        self.seat: JoinAnswer | None = None

    @property
    def at_rest(self) -> bool:
        """Whether it is connected and waits for no reply."""
        return self._talk is not None and not self._unacked

    @property
    def seq(self) -> int | None:
        """The newest `seq` that it has heard of; None while it is not connected."""
        return None if self._talk is None else self._talk.store.seq

    async def run(self) -> None:
        """Sit at the table until cancelled; when the session is closed, at its next one."""
        try:
            async with trio.open_nursery() as nursery:
                while True:
                    if self.seat is None:
                        self.seat = await self._take_seat()
                    await self._sit(self.seat, nursery)
                    await trio.sleep(self._rng.uniform(*COME_BACK_SECONDS))
        finally:
            for talk in self._left_open:
                talk.cut()

    def cut(self) -> None:
        """Lose the connection."""
        if self._talk is not None:
            self._talk.cut()

    def turn_away(self, *, listening: bool) -> None:
        """Leave the connection open, send nothing more on it, and come back on a new one.

        Without `listening` nobody reads it any more: what a phone leaves behind that loses its network.
        """
        if self._talk is None:
            return
        self._left_open.append(self._talk)
        if len(self._left_open) > LEFT_OPEN_MOST:
            self._left_open.popleft().cut()
        if not listening:
            self._listening.cancel()
        self._over.set()

    async def bring(self, commands: list[CartCommand]) -> None:
        """Take a seat, have `commands` acknowledged, and leave. Raises `WireBroken`."""
        self.seat = await self._take_seat()
        talk = await begin_talk(self._place.port, self.seat, self._journal)
        for command in commands:
            assert command.request_id is not None
            await talk.send(command.request_id, encode(command), again=False)
        waiting = len(commands)
        while waiting:
            told = await talk.hear()
            if told is None or isinstance(told, Error):
                raise WireBroken(f"an addition was answered by {told}")
            waiting -= isinstance(told, Ack)
        talk.forget("done")
        talk.cut()

    def next_request_id(self) -> str:
        """Never given before, in the whole house."""
        self._commands += 1
        return f"{self.name}_{self._commands}"

    async def _take_seat(self) -> JoinAnswer:
        while True:
            try:
                with trio.fail_after(SEAT_SECONDS):
                    return await self._place.api.join(self._code, self.name)
            except (ApiError, httpx.HTTPError, trio.TooSlowError):
                await trio.sleep(self._rng.uniform(*COME_BACK_SECONDS))

    async def _sit(self, seat: JoinAnswer, nursery: trio.Nursery) -> None:
        """One connection, until it is over or turned away from."""
        try:
            talk = await begin_talk(self._place.port, seat, self._journal)
        except WireBroken as broken:
            lost = any(words in str(broken) for words in SEAT_LOST)
            if lost:
                self._place.faults.append(f"{self.name} has lost its seat: {broken}")
            if lost or SESSION_CLOSED in str(broken):
                self._leave()
            return
        self._talk, self._over, self._listening = talk, trio.Event(), trio.CancelScope()
        nursery.start_soon(self._listen, talk, self._over, self._listening)
        async with trio.open_nursery() as talking:
            talking.start_soon(self._speak, talk)
            await self._over.wait()
            talking.cancel_scope.cancel()
        if self._talk is talk:
            self._talk = None

    async def _listen(self, talk: Talk, over: trio.Event, scope: trio.CancelScope) -> None:
        """Hear all that is told, also on a connection that was turned away from."""
        with scope:
            try:
                while (told := await talk.hear()) is not None:
                    self._take(told, talk)
            finally:
                if not scope.cancel_called:
                    talk.cut()
        if scope.cancelled_caught:
            talk.forget("nobody listens")
        over.set()

    def _take(self, told: Told, talk: Talk) -> None:
        if isinstance(told, Ack):
            self._journal.acks += self._talk is talk
            command = self._unacked.pop(told.request_id, None)
            if command is not None:
                self._journal.orders += isinstance(command, PlaceOrder)
                self._acked.append((told.request_id, command))
        elif isinstance(told, Error) and told.request_id is not None:
            self._unacked.pop(told.request_id, None)
        elif isinstance(told, SessionClosed) and self._talk is talk:
            self._leave()

    def _leave(self) -> None:
        """The party has left: another seat, and nothing of the old one is owed."""
        self.seat = None
        self._unacked.clear()
        self._acked.clear()

    async def _speak(self, talk: Talk) -> None:
        """Resend what was not acknowledged, then go on; ends with the connection."""
        try:
            for request_id, command in list(self._unacked.items()):
                await talk.send(request_id, encode(command), again=True)
            while True:
                await trio.sleep(self._rng.uniform(*PAUSE_SECONDS))
                if not self._place.quiet and self.seat is not None:
                    await self._say_something(talk)
        except WireBroken:
            talk.cut()

    async def _say_something(self, talk: Talk) -> None:
        if self._acked and self._rng.random() < 0.1:
            request_id, command = self._rng.choice(self._acked)
            await talk.send(request_id, encode(command), again=True)
            return
        if len(self._unacked) >= UNACKED_MOST:
            return
        request_id = self.next_request_id()
        command_or_none = choose(talk.store, self._rng, request_id)
        if command_or_none is not None:
            self._unacked[request_id] = command_or_none
            await talk.send(request_id, encode(command_or_none), again=False)
