"""The door in memory: what leaves by it is seen message by message, and a peer that is gone ends nothing."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from comanda.actors.domain.messages import Ack, Pong, ServerClosing, Told
from comanda.http.limits import FrontLimits
from comanda.http.wire import frame
from comanda.simulation.determinism import run_by_seed
from comanda.simulation.gateway import Gateway, told_in
from comanda.simulation.lives import Life
from comanda.simulation.network import End, connection

NOW = datetime(2024, 1, 15, tzinfo=UTC)
HANDSHAKE = b"GET /ws/session_1 HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


@pytest.mark.parametrize("characters", [1, 125, 126, 70_000])
def test_each_message_of_a_piece_is_seen(characters: int) -> None:
    told: list[Told] = [Pong("x" * characters, NOW), Ack("r-1", 7), ServerClosing(1.0, NOW)]
    assert told_in(b"".join(map(frame, told))) == told


def test_a_peer_that_resets_before_its_handshake_is_answered_ends_nothing() -> None:
    """Profile all, seed 119: it ended the whole simulated house."""
    front = cast(Any, SimpleNamespace(limits=FrontLimits()))
    ends: list[_ResetWhenRead] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            here = Gateway(front, Life(None), nursery, _none, _none, lambda: 1)
            ours, theirs = connection(0.0)
            await ours.send_all(HANDSHAKE)
            ends.append(_ResetWhenRead(theirs))
            here.take(cast(End, ends[0]))
        assert here.connections == 0

    run_by_seed(1, main)
    assert ends[0].heard == HANDSHAKE


def _none(*_: object) -> None:
    return


class _ResetWhenRead:
    """The server's end of a connection; its peer hangs up as soon as the handshake has been read."""

    def __init__(self, end: End) -> None:
        self._end = end
        self.heard = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._end, name)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await self._end.receive_some(max_bytes)
        self._end.reset()
        self.heard += data
        return data
