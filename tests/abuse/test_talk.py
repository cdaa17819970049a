"""A hostile websocket hears what it waits for, however soon it comes."""

import random
from typing import cast

import trio
from trio.testing import MockClock, memory_stream_pair, wait_all_tasks_blocked

from abuse import frames
from abuse.talk import Talk
from abuse.wire import Line
from abuse.world import Seat, World

from .test_seeds import job

SNAPSHOT = b'\x81\x18{"type":"cart_snapshot"}'
"""As a server sends it: not masked."""


class QuickLine(Line):
    """The answer is there, and heard, before whoever sends runs again."""

    def __init__(self, ours: trio.abc.Stream, theirs: trio.abc.SendStream) -> None:
        super().__init__(cast(trio.SocketStream, ours))
        self._theirs = theirs

    async def send(self, data: bytes) -> None:
        await self._theirs.send_all(SNAPSHOT)
        await wait_all_tasks_blocked()


async def test_an_answer_that_is_heard_while_its_question_is_being_sent_counts(
    autojump_clock: MockClock,
) -> None:
    assert list(frames.take_frames(bytearray(SNAPSHOT)))
    talk = Talk(World(job()), QuickLine(*memory_stream_pair()), random.Random(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk.listen)
        assert await talk.join(Seat("load-51", "session_1", "token"))
        nursery.cancel_scope.cancel()
