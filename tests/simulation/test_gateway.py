"""The door in memory: what leaves by it is seen message by message, and a peer that is gone ends nothing."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest
import trio

from comanda.actors.domain.messages import Ack, Pong, ServerClosing, Told
from comanda.http.wire import frame
from comanda.simulation import gateway as door
from comanda.simulation.determinism import run_by_seed
from comanda.simulation.gateway import Gateway, told_in
from comanda.simulation.lives import Life
from comanda.simulation.network import End, connection

NOW = datetime(2024, 1, 15, tzinfo=UTC)
HANDSHAKE = b"GET /ws/session_1 HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


@pytest.mark.parametrize("characters", [1, 125, 126, 70_000])
def test_each_message_of_a_piece_is_seen(characters: int) -> None:
    told: tuple[Told, ...] = (Pong("x" * characters, NOW), Ack("r-1", 7), ServerClosing(1.0, NOW))
    assert told_in(b"".join(map(frame, told))) == told


def test_a_peer_that_resets_before_its_handshake_is_answered_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[str] = []

    async def attend(
        front: object, pid: str, socket: object, accept: Callable[[], Awaitable[None]]
    ) -> None:
        served.append(pid)
        await accept()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            here = Gateway(cast(Any, None), Life(None), nursery, _none, _none, lambda: 1)
            ours, theirs = connection(0.0)
            await ours.send_all(HANDSHAKE)
            here.take(cast(End, _ResetWhenRead(theirs)))
        assert here.connections == 0

    monkeypatch.setattr(door, "attend", attend)
    run_by_seed(1, main)
    assert served == ["session_1"]


def _none(*_: object) -> None:
    return


class _ResetWhenRead:
    """The server's end of a connection; its peer hangs up as soon as the handshake has been read."""

    def __init__(self, end: End) -> None:
        self._end = end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await self._end.receive_some(max_bytes)
        self._end.reset()
        return data
