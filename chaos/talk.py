"""One connection of one member: what is sent and told on it is written down, and the state folded."""

import time

import msgspec
import trio

from comanda.actors.domain.messages import (
    Ack,
    CartSnapshot,
    Error,
    Join,
    JoinAnswer,
    MenuUpdated,
    Pong,
    Presence,
    ServerClosing,
    decode_told,
    encode,
)
from comanda.actors.domain.messages import Told as Message
from comanda.client.cart_store import CartStore

from .journal import Ended, Journal, Opened, Sent, Told
from .state import cart_of, state_of
from .wire import Wire, WireBroken, open_wire

JOIN_SECONDS = 5.0
"""For the connection, the handshake and the snapshot; a stopped server takes its time."""

Stateless = Ack | Error | Pong | ServerClosing | Presence | MenuUpdated
"""What is no part of the session's state."""


class Talk:
    """A connection that has joined. Made by `begin_talk`."""

    def __init__(self, wire: Wire, number: int, store: CartStore, journal: Journal) -> None:
        self._wire = wire
        self._journal = journal
        self.number = number
        self.store = store

    async def send(self, request_id: str, frame: bytes, *, again: bool) -> None:
        """Write down, then send. Raises `WireBroken`."""
        sent = Sent(time.time(), self.number, request_id, again, msgspec.Raw(frame))
        self._journal.write(sent, sync=True)
        await self._wire.send(frame.decode())

    async def hear(self) -> Message | None:
        """What is told next, folded and written down; None when the connection is over."""
        frame = await self._wire.next_frame()
        if frame is not None:
            return self._take(frame)
        self.forget(self._wire.end)
        return None

    def _take(self, frame: str) -> Message:
        """Fold one frame into the state and write it down."""
        message = decode_told(frame)
        told = Told(time.time(), self.number, msgspec.Raw(frame.encode()))
        if isinstance(message, Stateless):
            if isinstance(message, Presence):
                self.store.apply(message)
            self._journal.write(told, sync=isinstance(message, Ack))
            return message
        if isinstance(message, CartSnapshot):
            self.store.load_snapshot(message)
        else:
            self.store.apply(message)
        state, cart = state_of(self.store), cart_of(self.store)
        self._journal.write(Told(told.at, told.connection, told.frame, state, cart))
        return message

    async def first(self) -> None:
        """Wait for the snapshot that answers the join. Raises `WireBroken`."""
        told = await self.hear()
        while not isinstance(told, CartSnapshot):
            if told is None:
                raise WireBroken(self._wire.end)
            told = await self.hear()

    def forget(self, why: str) -> None:
        """Write down that nobody hears any more what is told on it."""
        self._journal.write(Ended(time.time(), self.number, why))

    def cut(self) -> None:
        """Reset the connection."""
        self._wire.cut()


async def begin_talk(port: int, seat: JoinAnswer, journal: Journal) -> Talk:
    """Connect, join, take the snapshot. Raises `WireBroken`."""
    wire = await open_wire(port, f"/ws/sessions/{seat.session_pid}", JOIN_SECONDS)
    number = journal.new_connection()
    opened = Opened(time.time(), number, seat.member_id, seat.session_pid, journal.life)
    journal.write(opened)
    talk = Talk(wire, number, CartStore(seat.member_id), journal)
    try:
        with trio.fail_after(JOIN_SECONDS):
            await wire.send(encode(Join(seat.member_token)).decode())
            await talk.first()
    except trio.TooSlowError as error:
        talk.cut()
        raise WireBroken("no snapshot in time") from error
    except BaseException:
        talk.cut()
        raise
    return talk
