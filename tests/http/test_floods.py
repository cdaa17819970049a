"""A peer who sends without end, in whatever frames: others have their turn, and what it gets is bounded."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from comanda.http.frames import FrameReader
from comanda.http.worker import (
    CONNECTION_EXTENSION,
    SOCKET_EXTENSION,
    Connection,
    MemberSocket,
    WorkerLimits,
    text_frame,
)

from . import test_worker
from .test_worker import (
    CLOSE,
    PING,
    PONG,
    TEXT,
    NoConnection,
    RawClient,
    client_frame,
    echoing,
    expect_echo,
    member,
    serving,
)

fast = test_worker.fast  # All of it holds in both ways to read.

FRAMES = 5_000
PARTS = client_frame(TEXT, b"", final=False) + client_frame(0, b"", final=False) * (FRAMES - 1)
FLOODS = {
    "texts": client_frame(TEXT, b"x") * FRAMES,
    "pings": client_frame(PING) * FRAMES,
    "pongs": client_frame(PONG) * FRAMES,
    "parts of a message": PARTS,
}


class Hearing:
    """An application that hears as Comanda's does, in the reader's task; it echoes what is asked to be."""

    def __init__(self) -> None:
        self.heard = 0
        self.connection: Connection | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            return
        found: MemberSocket = scope["extensions"][SOCKET_EXTENSION]
        self.connection = scope["extensions"][CONNECTION_EXTENSION]

        def hear(text: str) -> None:
            self.heard += 1
            if text != "x":
                found.send_frame(text_frame(text.encode()))

        found.on_text = hear
        await test_worker.accept(scope, receive, send)
        await receive()


class Passes(trio.abc.Instrument):
    """Counts Trio's passes over the tasks that can run."""

    def __init__(self) -> None:
        self.count = 0

    def before_io_wait(self, timeout: float) -> None:
        self.count += 1


@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_of_frames_that_came_together_lets_others_run_between(
    flood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes, looked_at = Passes(), Counter[int]()
    whole = FrameReader.next_frame

    def counted(self: FrameReader) -> object:
        looked_at[passes.count] += 1
        return whole(self)

    monkeypatch.setattr(FrameReader, "next_frame", counted)
    trio.lowlevel.add_instrument(passes)
    async with (
        serving(Hearing(), wordless_frames=2 * FRAMES) as served,
        member(served) as client,
    ):
        await client.send(FLOODS[flood])  # One read takes thousands of them.
        if "parts" in flood:
            await client.send_frame(0, b"y")
        else:
            await client.send_frame(TEXT, b"y")
        while (await client.read_frame())[0] != TEXT:
            pass
    trio.lowlevel.remove_instrument(passes)
    assert looked_at.total() > FRAMES
    assert max(looked_at.values()) <= 64


@pytest.mark.parametrize("flood", ["pings", "pongs", "parts of a message"])
async def test_frames_without_a_word_close_1008_when_they_are_too_many(flood: str) -> None:
    most = 200
    frame_bytes = len(client_frame(PING))
    async with (
        serving(Hearing(), wordless_frames=most, wordless_frames_a_second=0.001) as served,
        member(served) as client,
    ):
        await client.send(FLOODS[flood][: most * frame_bytes])
        await client.send_frame(0 if "parts" in flood else TEXT, b"a word")
        await pongs_before(client, b"a word")
        await client.send(FLOODS[flood][:frame_bytes])
        opcode, payload = await client.read_frame()
        assert (opcode, payload[:2]) == (CLOSE, (1008).to_bytes(2, "big"))


async def test_of_many_who_flood_one_at_a_time_goes_on() -> None:
    app = Hearing()
    async with serving(app) as served, member(served) as other:
        async with member(served) as flooder:
            await flooder.send_frame(TEXT, b"y")
            await flooder.read_text()
            assert app.connection is not None
            async with app.connection.worker.turns:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(flooder.send, FLOODS["texts"])
                    await other.send_frame(TEXT, b"meanwhile")
                    assert await other.read_text() == "meanwhile"
                await wait_all_tasks_blocked()
                assert app.heard < 64
            await flooder.send_frame(TEXT, b"all is heard")
            assert await flooder.read_text() == "all is heard"
        assert app.heard == FRAMES + 3


async def pongs_before(client: RawClient, text: bytes) -> list[bytes]:
    """The pongs' payloads that come before this text."""
    pongs = []
    while (frame := await client.read_frame())[0] == PONG:
        pongs.append(frame[1])
    assert frame == (TEXT, text)
    return pongs


async def test_each_of_a_few_pings_is_answered_in_its_order() -> None:
    sent = [b"%d" % number for number in range(10)]
    async with serving(echoing()) as served, member(served) as client:
        await client.send(b"".join(client_frame(PING, payload) for payload in sent))
        await client.send_frame(TEXT, b"after them")
        assert await pongs_before(client, b"after them") == sent


async def test_a_flood_of_pings_is_answered_up_to_the_last_and_others_are_served() -> None:
    flood = b"".join(client_frame(PING, b"%05d" % number * 25) for number in range(FRAMES))
    async with serving(echoing(), wordless_frames=FRAMES) as served, member(served) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send, flood + client_frame(TEXT, b"after the flood"))
            await expect_echo(served)
        pongs = await pongs_before(client, b"after the flood")
        assert pongs == sorted(set(pongs))
        assert pongs[-1] == b"%05d" % (FRAMES - 1) * 25


async def test_pongs_to_a_peer_that_does_not_read_are_fewer_than_its_pings() -> None:
    way_out, _ = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        carrier = NoConnection(nursery)
        found = MemberSocket(way_out, None, WorkerLimits(), carrier)
        for _ in range(10_000):  # Before `open` everything waits, as behind a full kernel buffer.
            found.send_pong(b"p" * 125)
        assert not found.closed
        assert found.waiting_bytes < 5_000
        found.lost()
