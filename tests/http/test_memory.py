"""A real server's memory and descriptors, against those who take and give nothing back."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import trio

from comanda.cli.load_server import CODE, OwnServer, own_server
from comanda.load.process_cost import used_by

from .server import until
from .test_worker import TEXT, RawClient, client_frame, reset, upgrade

PATIENCE_SECONDS = 120
TABLES = 20
MIB = 1024 * 1024

ITEM = 403
LINES = 55
NOTE = "é" * 140
"""So many lines with it are nearly all the notes a cart may hold, and a snapshot of 25 KB."""

SNAPSHOTS_ASKED = 400
"""By who reads none: 10 MB, of which a kernel here takes 3 and the server keeps 256 KiB."""

KINDS = 4


@dataclass(frozen=True)
class Guest:
    """A member of one table, by whom connections are opened."""

    port: int
    pid: str
    token: str

    async def connect(self, *, receive_bytes: int | None = None) -> RawClient:
        """A TCP connection, with this kernel buffer for what comes."""
        sock = trio.socket.socket()
        if receive_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        await sock.connect(("127.0.0.1", self.port))
        return RawClient(trio.SocketStream(sock))

    @property
    def handshake(self) -> bytes:
        return upgrade(f"/ws/sessions/{self.pid}")

    @property
    def join(self) -> bytes:
        return frame(type="join", token=self.token)


@dataclass(frozen=True)
class House:
    """A real server, and one guest of each of its tables."""

    server: OwnServer
    http: httpx.AsyncClient
    guests: list[Guest]

    @property
    def resident_bytes(self) -> int:
        used = used_by(self.server.pid)
        assert used is not None
        return used.resident_bytes

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    async def settle(self, descriptors: int) -> None:
        """Until no more of them are open than so many."""

        async def settled() -> bool:
            return self.descriptors <= descriptors

        await until(settled, patience_seconds=PATIENCE_SECONDS)

    async def wait_closed(self, code: int, times: int) -> None:
        """Until the server has closed so many websockets with this code."""

        async def closed() -> bool:
            metrics = (await self.http.get("/metrics")).text
            return f'comanda_websocket_closes_total{{code="{code}"}} {times}.0' in metrics

        await until(closed, patience_seconds=PATIENCE_SECONDS)

    async def everybody(self, act: Callable[[Guest], Awaitable[None]]) -> None:
        async with trio.open_nursery() as nursery:
            for guest in self.guests:
                nursery.start_soon(act, guest)


def frame(**message: object) -> bytes:
    return client_frame(TEXT, json.dumps(message).encode())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    with trio.fail_after(PATIENCE_SECONDS):
        async with (
            own_server(tmp_path, TABLES, pos_delay_seconds=None) as server,
            httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_SECONDS) as http,
        ):
            port = httpx.URL(server.url).port
            assert port is not None
            guests = []
            for number in range(1, TABLES + 1):
                path = f"/api/tables/{CODE.format(n=number)}/join"
                seat = (await http.post(path, json={"name": "Eve"})).json()
                guests.append(Guest(port, seat["session_pid"], seat["member_token"]))
            yield House(server, http, guests)


async def fill_cart(guest: Guest) -> None:
    client = await guest.connect()
    async with client.stream:
        await client.send(guest.handshake + guest.join)
        await client.read_head()
        assert json.loads(await client.read_text())["type"] == "cart_snapshot"
        for number in range(LINES):
            line = {"menu_item_id": ITEM, "qty": 1, "note": NOTE}
            await client.send(frame(type="add_item", request_id=str(number), **line))
            while json.loads(await client.read_text()).get("request_id") != str(number):
                pass


async def test_memory_is_flat_with_readers_that_never_read(house: House) -> None:
    await house.everybody(fill_cart)
    ask = frame(type="place_order", cart_items=[], total=0) * SNAPSHOTS_ASKED
    before, descriptors = house.resident_bytes, house.descriptors
    after = []

    for number in range(1, 4):
        async with AsyncExitStack() as stack:

            async def ask_and_never_read(guest: Guest) -> None:
                client = await guest.connect(receive_bytes=4096)
                await stack.enter_async_context(client.stream)
                await client.send(guest.handshake + guest.join)
                await client.send(ask)

            await house.everybody(ask_and_never_read)
            await house.wait_closed(1013, times=number * TABLES)
            after.append(house.resident_bytes)
        await house.settle(descriptors)

    # What may wait for each is 256 KiB and a snapshot, thus 6 MB; without a bound it would be 140.
    assert max(after) - before < 32 * MIB
    assert after[-1] - after[0] < 8 * MIB


async def connect_and_drop(guest: Guest, kind: int) -> None:
    """At once, within the head, after the handshake, or after the join; by an end or by a reset."""
    client = await guest.connect()
    async with client.stream:
        if kind == 1:
            await client.send(guest.handshake[:60])
        elif kind >= 2:
            await client.send(guest.handshake)
            await client.read_head()
            if kind == 3:
                await client.send(guest.join)
                await (
                    client.read_frame()
                )  # Or a close: the last four may not be noticed as gone yet.
            reset(client)


async def test_memory_and_descriptors_come_back_after_thousands_of_connects_and_drops(
    house: House,
) -> None:
    descriptors = house.descriptors

    def dropping(times: int) -> Callable[[Guest], Awaitable[None]]:
        async def drop(guest: Guest) -> None:
            for number in range(times):
                await connect_and_drop(guest, number % KINDS)

        return drop

    await house.everybody(dropping(1000 // TABLES))  # The process comes to its size.
    await house.settle(descriptors)
    before = house.resident_bytes
    await house.everybody(dropping(4000 // TABLES))
    await house.settle(descriptors)
    assert house.resident_bytes - before < 8 * MIB
