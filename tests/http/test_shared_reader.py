"""The task that reads all websockets: how long one turn of it is, and whose turn is next."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from functools import partial

import pytest
import trio

from comanda.http.worker import fast_way_misses
from comanda.http.worker.shared_reader import SharedReader

from .test_floods import Passes

PATIENCE_SECONDS = 10


@contextlib.contextmanager
def pairs(count: int) -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """So many sockets to read, each with its peer."""
    with contextlib.ExitStack() as stack:
        made = [socket.socketpair() for _ in range(count)]
        for ours, theirs in made:
            ours.setblocking(False)
            stack.enter_context(ours)
            stack.enter_context(theirs)
        yield made


async def test_whom_a_turn_did_not_come_to_is_served_first_in_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert fast_way_misses() is None
    monkeypatch.setattr("comanda.http.worker.shared_reader.TURN_SECONDS", 0)
    count, rounds = 5, 4
    served: list[tuple[int, int]] = []
    passes = Passes()
    reader = SharedReader()

    with trio.fail_after(PATIENCE_SECONDS), pairs(count) as made:
        peers = [theirs for _, theirs in made]

        def take(who: int, data: bytes) -> bool:
            served.append((who, passes.count))
            peers[who].send(data)  # There is always more.
            return True

        async with trio.open_nursery() as nursery:
            for who, (ours, theirs) in enumerate(made):
                theirs.send(b"x")
                nursery.start_soon(reader.lend, ours, partial(take, who))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(reader.run)
            trio.lowlevel.add_instrument(passes)
            while len(served) < count * rounds:
                await trio.lowlevel.checkpoint()
            trio.lowlevel.remove_instrument(passes)
            nursery.cancel_scope.cancel()

    order = [who for who, _ in served]
    for start in range(0, count * rounds, count):
        assert sorted(order[start : start + count]) == list(range(count))
    assert len({when for _, when in served}) == len(served), "others ran after each"


async def test_a_socket_that_is_given_back_while_it_waits_for_its_turn_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("comanda.http.worker.shared_reader.TURN_SECONDS", 0)
    reader = SharedReader()
    read: list[int] = []

    with trio.fail_after(PATIENCE_SECONDS), pairs(2) as made:

        def take(who: int, data: bytes) -> bool:
            read.append(who)
            reader.give_back(made[1 - who][0])  # The other is named already, and not served.
            return True

        async with trio.open_nursery() as nursery:
            for who, (ours, theirs) in enumerate(made):
                theirs.send(b"x")
                nursery.start_soon(reader.lend, ours, partial(take, who))
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(reader.run)
            await trio.testing.wait_all_tasks_blocked()
            assert len(read) == 1
            assert made[1 - read[0]][0].recv(1) == b"x", "it is still there for its owner"
            nursery.cancel_scope.cancel()
