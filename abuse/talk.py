"""A websocket that means no good: what is said on it, what comes back, and how it ends."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from . import frames
from .frames import NoFrame, take_frames
from .wire import Answer, Line, LineLost, NoHttp, open_line, read_answer
from .world import Seat, World

HANDSHAKE_SECONDS = 30.0
"""A whole handshake that has no answer by then is one that the server has forgotten."""

WORD_SECONDS = 10.0
"""For an answer that is waited for, before going on without it."""

GOODBYE_SECONDS = 6.0
"""For the server's close frame; it gives us five."""


class NotLetIn(LineLost):
    """The handshake was answered by something else than 101."""


class Talk:
    """An open websocket. Made by `open_talk`."""

    def __init__(self, world: World, line: Line, chance: random.Random) -> None:
        self.world = world
        self.line = line
        self.chance = chance
        self.over = trio.Event()
        self.code: int | None = None
        self._waits: dict[bytes, trio.Event] = {}
        self._said_close = False

    async def say(self, kind: str, *said: bytes) -> None:
        """Send frames in one piece, counted by their kind. Raises `LineLost`."""
        if self.over.is_set():
            raise LineLost("the server has closed")
        await self.world.frames(kind, len(said))
        await self.line.send(b"".join(said))

    async def say_close(self, code: int) -> None:
        """Send a close frame."""
        self._said_close = True
        await self.say("close", frames.close(code) if code else frames.frame(frames.CLOSE))

    async def listen(self) -> None:
        """Hear all that is told, up to the end of the connection."""
        try:
            while True:
                for opcode, payload in take_frames(self.line.buffer):
                    self._take(opcode, payload)
                if not await self.line.more():
                    return
        except NoFrame as error:
            self.world.violation(f"the server has sent no frame: {error}")
        finally:
            if self.code is None:
                self.world.tally.unheard += 1
            self._end()

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == frames.CLOSE:
            self.code = int.from_bytes(payload[:2], "big")
            if not self._said_close:
                self.world.closed(self.code)
            self._end()
        elif opcode == frames.TEXT:
            for word in [word for word in self._waits if word in payload]:
                self._waits.pop(word).set()

    def _end(self) -> None:
        self.over.set()
        for told in self._waits.values():
            told.set()

    async def ask(
        self, kind: str, *said: bytes, until: bytes, seconds: float = WORD_SECONDS
    ) -> bool:
        """Send frames, none or more, and wait until a text has the word `until` in it, the talk is over, or
        no longer. True: it was heard. Raises `LineLost`.

        The wait begins before the first byte leaves: what answers may be heard before the sender runs again.
        """
        told = self._waits[until] = trio.Event()
        if said:
            await self.say(kind, *said)
        if self.over.is_set():
            told.set()
        with trio.move_on_after(seconds):
            await told.wait()
        return self._waits.pop(until, None) is None

    async def join(self, seat: Seat) -> bool:
        """Sit down and wait for the snapshot. False: the server did not let us."""
        seated = await self.ask("join", join_frame(seat.token), until=b'"cart_snapshot"')
        if self.code in (4401, 4404, 4410):
            self.world.leave(seat)
        return seated

    async def all_heard(self) -> None:
        """Wait until the server has worked off what was said, or has closed."""
        word = b"heard-%d" % self.chance.getrandbits(40)
        ping = frames.text(b'{"type":"ping","request_id":"' + word + b'"}')
        await self.ask("ping", ping, until=word)

    async def end(self) -> None:
        """Leave in one of the ways in which people and networks do, and some in which they do not."""
        dice = self.chance.random()
        if dice < 0.55 and not self.over.is_set():
            await self.all_heard()
        if dice < 0.3 and not self.over.is_set():
            await self.say_close(self.chance.choice([0, 1000, 1001, 3000, 4999]))
            with trio.move_on_after(GOODBYE_SECONDS):
                await self.over.wait()
        elif dice < 0.6:
            self.line.reset()
        elif dice < 0.7:
            await self.line.finish_sending()


def join_frame(token: str) -> bytes:
    """The first frame of a member."""
    return frames.text(b'{"type":"join","token":"' + token.encode() + b'"}')


async def shake_hands(world: World, line: Line, request: bytes) -> Answer:
    """Ask for the upgrade; what follows the answer stays in the line's buffer.

    Raises:
        NotLetIn: the answer is another than 101, or there is none.
    """
    await world.requests("handshake")
    await line.send(request)
    answer = None
    with trio.move_on_after(HANDSHAKE_SECONDS) as patience:
        try:
            answer = await read_answer(line)
        except NoHttp as error:
            world.violation(f"{error} to the handshake {request[:300]!r}")
    if patience.cancelled_caught:
        world.violation(f"no answer in {HANDSHAKE_SECONDS:g} s to the handshake {request[:300]!r}")
    world.answered(answer, request)
    if answer is None or answer.status != 101:
        raise NotLetIn("not let in")
    return answer


@asynccontextmanager
async def open_talk(
    world: World,
    chance: random.Random,
    session: str,
    *,
    behind: bytes = b"",
    receive_bytes: int | None = None,
    listening: bool = True,
) -> AsyncIterator[Talk]:
    """A websocket of the session, to which somebody listens as long as the block lasts.

    Args:
        behind: sent in one piece with the handshake.
        receive_bytes, listening: for slow readers.

    Raises:
        LineLost: there was none to be had.
    """
    address = world.address(chance)
    async with open_line(world.port, address, receive_bytes=receive_bytes) as line:
        world.tally.connections += 1
        request = frames.handshake(f"/ws/sessions/{session}", chance)
        await shake_hands(world, line, request + behind)
        talk = Talk(world, line, chance)
        async with trio.open_nursery() as nursery:
            if listening:
                nursery.start_soon(talk.listen)
            yield talk
            nursery.cancel_scope.cancel()
