"""A server that is not Comanda, and the dialect with which the load tester drives it.

Its protocol is the least there can be: `{"n": 7, "by": "0-1"}` comes back to everybody at the table. A
server that is compared with Comanda needs no more than such a dialect.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket

from comanda.load import Asked, Heard, Plan, Seat, Snapshot, Told

DEAF_EVERY = 10


class PeerView:
    """A table whose edits are numbers."""

    def __init__(self) -> None:
        self._asked = 0

    def edit(self, member: Seat, request_id: str | None) -> Asked:
        self._asked += 1
        frame = json.dumps({"n": self._asked, "by": member.member}).encode()
        return Asked(frame, self._asked)

    def told(self, told: Told) -> Sequence[str]:
        return ()

    def tells(self, asked: Asked, told: Told) -> bool:
        return bool(told.body == asked.body)

    def begin(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def differs(self, snapshot: Snapshot) -> Sequence[str]:
        raise NotImplementedError


class Peers:
    """Fulfils `Dialect`."""

    def __init__(self, plan: Plan) -> None:
        self._base = plan.server.replace("http", "ws", 1)

    async def seat(self, table: int, member: int) -> Seat:
        return Seat(f"{self._base}/{table}", f"{table}-{member}", greeted=False)

    def view(self, table: int) -> PeerView:
        return PeerView()

    def read(self, frame: bytes) -> Heard | None:
        event = json.loads(frame)
        return Told(-1, event["by"], event["n"])

    async def last_look(self, table: int, seat: Seat, view: Any) -> tuple[None, list[str]]:
        return None, []

    async def aclose(self) -> None:
        pass


async def serve_peer(
    deaf: bool, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Every frame goes to everybody at its table; where `deaf`, now and then not to one of them."""
    tables: dict[str, list[Any]] = defaultdict(list)
    frames = 0

    async def attend(request: WebSocketRequest) -> None:
        nonlocal frames
        connection = await request.accept()
        there = tables[request.path]
        there.append(connection)
        try:
            while True:
                frame = await connection.get_message()
                frames += 1
                heard = there[1:] if deaf and frames % DEAF_EVERY == 0 else list(there)
                for one in heard:
                    await one.send_message(frame)
        except ConnectionClosed:
            there.remove(connection)

    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, attend, "127.0.0.1", 0, None)
        task_status.started(server.port)
