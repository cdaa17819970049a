"""Many at once who want nothing good: the others are served, and what they took comes back."""

import contextlib
import gc
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any

import pytest
import trio
from quart import Request, Websocket
from trio.testing import wait_all_tasks_blocked

from comanda.http.frames import FrameReader
from comanda.http.worker import Connection, MemberSocket
from comanda.http.worker.phase import Phase
from comanda.http.worker.protocol import HttpProtocol
from comanda.http.worker.streams import Inbox

from .server import Server, until
from .test_floods import Passes
from .test_worker import (
    TEXT,
    RawClient,
    Served,
    client_frame,
    connected,
    echoing,
    expect_echo,
    reset,
    serving,
    upgrade,
)

MANY = 200
"""Far below what a process may open, far above what one table's phones do."""


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize(("length", "status"), [(1, b"200"), (20, b"431")])
async def test_a_thousand_headers_are_bounded_by_their_bytes_alone(
    length: int, status: bytes, server: Server
) -> None:
    headers = "".join(f"x{number}: {'y' * length}\r\n" for number in range(1000))
    request = f"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n"
    assert (await server.raw(request.encode())).startswith(b"HTTP/1.1 " + status)
    await server.call("GET", "/healthz")


async def test_many_heads_that_do_not_end_keep_nobody_out() -> None:
    async with serving(echoing()) as served, AsyncExitStack() as waiting:
        for _ in range(MANY):
            await waiting.enter_async_context(connected(served, upgrade()[:-2]))
        await expect_echo(served)
        assert served.errors == []


async def test_many_heads_that_never_end_each_get_408() -> None:
    answers: list[str] = []

    async def begin_a_head(served: Served) -> None:
        async with connected(served, upgrade()[:-2]) as client:
            answers.append(await client.read_head())
            assert await client.ended()

    async with serving(echoing(), request_head_timeout_seconds=0.2) as served:
        async with trio.open_nursery() as nursery:
            for _ in range(MANY):
                nursery.start_soon(begin_a_head, served)
        await expect_echo(served)
        assert served.errors == []
    assert len(answers) == MANY
    assert all(" 408 " in answer for answer in answers)


@pytest.fixture
def a_pass(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Counter[int]]:
    """Counts from now on how often each of Trio's passes calls a method of `HttpProtocol`."""

    def count(name: str) -> Counter[int]:
        passes, calls = Passes(), Counter[int]()
        method = getattr(HttpProtocol, name)

        async def counted(self: HttpProtocol, *arguments: Any) -> None:
            calls[passes.count] += 1
            await method(self, *arguments)

        monkeypatch.setattr(HttpProtocol, name, counted)
        trio.lowlevel.add_instrument(passes)
        return calls

    return count


async def all_come(calls: Counter[int]) -> None:
    async def all_have_come() -> bool:
        return calls.total() >= MANY

    await until(all_have_come)


@pytest.mark.parametrize("what", ["the rest of a head", "gone"])
async def test_what_comes_of_many_in_one_moment_is_taken_one_after_another(
    what: str, a_pass: Callable[[str], Counter[int]]
) -> None:
    async with serving(echoing()) as served, AsyncExitStack() as waiting:
        clients = [
            await waiting.enter_async_context(connected(served, b"GET / HT")) for _ in range(MANY)
        ]
        await wait_all_tasks_blocked()
        handled = a_pass("handle")
        for client in clients:  # Nobody else runs meanwhile.
            if what == "gone":
                reset(client)
            else:
                client.stream.socket._sock.send(b"TP/1.1\r\nHost: x\r\n\r\n")
        await all_come(handled)
        assert max(handled.values()) <= 2


async def test_a_head_in_pieces_is_looked_at_when_it_is_whole(
    a_pass: Callable[[str], Counter[int]],
) -> None:
    async with serving(echoing()) as served, connected(served, b"GET / HT") as client:
        await wait_all_tasks_blocked()
        handled = a_pass("handle")
        for piece in (b"TP/1.1\r\n", b"Host: x\r\nConnection: close\r\n", b"\r", b"\n"):
            assert handled.total() == 0
            await client.stream.send_all(piece)
            await wait_all_tasks_blocked()
        assert " 200 " in await client.read_head()
        assert handled.total() == 1


@pytest.mark.parametrize("ending", [b"\r\n\r\n", b"\n\n", b"\n\r\n"])
@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_a_heads_end_is_seen_wherever_it_is_cut(cut: int, ending: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close" + ending
    async with serving(echoing()) as served, connected(served, b"GET / HT") as client:
        for piece in (head[8:-cut], head[-cut:]):
            await wait_all_tasks_blocked()
            await client.stream.send_all(piece)
        assert " 200 " in await client.read_head()


async def test_a_head_in_pieces_gets_431_as_soon_as_it_is_too_long() -> None:
    async with (
        serving(echoing(), header_bytes=1_000) as served,
        connected(served, b"GET / HTTP/1.1\r\nx: ") as client,
    ):
        for _ in range(4):
            await wait_all_tasks_blocked()
            await client.stream.send_all(b"y" * 250)
        assert " 431 " in await client.read_head()


async def test_of_many_whose_time_is_over_one_is_answered_after_another(
    a_pass: Callable[[str], Counter[int]],
) -> None:
    refused = a_pass("refuse")
    async with (
        serving(echoing(), request_head_timeout_seconds=0.5) as served,
        AsyncExitStack() as waiting,
    ):
        for _ in range(MANY):
            await waiting.enter_async_context(connected(served, b"GET / HT"))
        await wait_all_tasks_blocked()
        time.sleep(0.6)  # noqa: ASYNC251 - nobody runs meanwhile, so that all are late at once.
        await all_come(refused)
        assert max(refused.values()) <= 2


async def test_many_that_came_in_one_moment_are_not_late_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    times: list[float] = []
    enter = Connection.enter

    def watched(self: Connection, phase: Phase) -> None:
        enter(self, phase)
        if phase is Phase.HEAD:
            times.append(self._deadline - trio.current_time())

    monkeypatch.setattr(Connection, "enter", watched)
    async with (
        serving(echoing(), request_head_timeout_seconds=10_000) as served,
        AsyncExitStack() as waiting,
    ):
        for _ in range(MANY):
            await waiting.enter_async_context(connected(served, b"GET / HT"))

        async def all_have_begun() -> bool:
            return len(times) == MANY

        await until(all_have_begun)
    times.sort()
    assert 9_999 < times[0] < times[-1] < 11_000
    assert all(later - sooner > 1 for sooner, later in pairwise(times))


@pytest.mark.parametrize("sent", [b"", b"GET / HT", upgrade()], ids=["nothing", "half", "upgrade"])
async def test_who_connects_and_drops_leaves_no_descriptor_behind(sent: bytes) -> None:
    async with serving(echoing()) as served:
        await expect_echo(served)
        before = descriptors()

        async def all_are_back() -> bool:
            return descriptors() <= before

        for _ in range(MANY):
            async with connected(served, sent):
                pass
        await until(all_are_back)
        await expect_echo(served)
        assert served.errors == []


OF_A_CONNECTION = (Connection, HttpProtocol, MemberSocket, FrameReader, Inbox, Request, Websocket)


@contextlib.contextmanager
def garbage_kept() -> Iterator[None]:
    """Nothing is freed but what nothing refers to any more; the collector comes as seldom in a server."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "how", ["nothing", "half", "a call", "no such path", "refused", "handshake", "joined"]
)
async def test_of_a_connection_that_is_gone_nothing_is_left(how: str, server: Server) -> None:
    ana = await server.join()
    handshake = upgrade(f"/ws/sessions/{ana.pid}")
    joining = json.dumps({"type": "join", "token": ana.token}).encode()
    long = b"content-length: 9\r\n\r\n123456789"
    sent, answers = {
        "nothing": (b"", 0),
        "half": (handshake[:50], 0),
        "a call": (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", 1),
        "no such path": (b"POST /nowhere HTTP/1.1\r\nhost: x\r\n" + long, 1),
        "refused": (upgrade("/ws/sessions/x", Origin="https://evil.example"), 1),
        "handshake": (handshake, 1),
        "joined": (handshake + client_frame(TEXT, joining), 2),
    }[how]

    def there_are() -> list[object]:
        return [one for one in gc.get_objects() if isinstance(one, OF_A_CONNECTION)]

    async def none_is_left() -> bool:
        return len(there_are()) <= len(before)

    with garbage_kept():
        before = there_are()  # Other tests', and the one that joined.
        for end in (reset, None):
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                client = RawClient(stream)
                await client.send(sent)
                if answers:
                    await client.read_head()
                if answers > 1:
                    await client.read_text()
                if end is not None:
                    end(client)
        await until(none_is_left)
