"""A member as PROTOCOL.md has one: joins again after a cut, and sends again what was not acknowledged."""

from collections.abc import Callable
from itertools import count

import trio
from msgspec.structs import replace

from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    Ack,
    CartSnapshot,
    Error,
    PlaceOrder,
    SeenItem,
    Told,
)
from comanda.actors.house import House
from comanda.actors.ports import NoSuchSession, SessionKey, StorageUnavailable
from comanda.actors.sayings import Message, Seated
from comanda.client.cart_store import CartStore
from comanda.runtime import Envelope, Ref, RuntimeRefusal
from comanda.simulation.lives import TRY_AGAIN_SECONDS, Houses, Life
from comanda.simulation.witness import Done, Edit, Evidence, Witness
from tests.actors.table import told_in

TRY_LATER = frozenset({"storage_unavailable", "too_busy", "rate_limited"})
"""Refusals after which the same command is sent again under the same `request_id`."""

_connections = count(1)


class Connection:
    """One connection: an outlet, and the slots of commands on their way. A house's death ends it."""

    def __init__(self, member: "Member", life: Life) -> None:
        self.number = next(_connections)
        self.ended = trio.Event()
        self.ref: Ref[Message] | None = None
        self._member = member
        self._life = life

    @property
    def hears(self) -> bool:
        return not self._life.cut and not self.ended.is_set()

    def send(self, frames: bytes) -> None:
        if self.hears:
            for told in told_in(frames):
                self.hear(told)

    def close(self, code: int, reason: str) -> None:
        self.ended.set()

    def hear(self, told: Told) -> None:
        self._member.follow(self.number, told)


class Slot:
    """Where the answer to one command goes; `answer` stays None where the connection is lost first."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.answer: Ack | Error | None = None
        self.settled = trio.Event()

    def resolve(self, value: object) -> None:
        if self._connection.hears:
            assert isinstance(value, tuple), value
            for told in value:
                self._connection.hear(told)
                if isinstance(told, Ack | Error):
                    self.answer = told
        self.settled.set()

    def fail(self, error: Exception) -> None:
        self._connection.ended.set()  # as the front does: its fate is unknown, so join again
        self.settled.set()


class Member:
    """Somebody at the table, with a phone."""

    def __init__(self, name: str, houses: Houses[House], witness: Witness) -> None:
        self.name = name
        self.store = CartStore("")
        self.key: SessionKey | None = None
        self._houses = houses
        self._witness = witness
        self._connection: Connection | None = None
        self._requests = count(1)
        self._changed = trio.Event()

    @property
    def _evidence(self) -> Evidence:
        assert self.key is not None
        return self._witness.sessions[self.key.pid]

    # --- Being there ----------------------------------------------------------------------------------

    async def arrive(self) -> None:
        """Sit down at the table, whatever dies meanwhile."""
        joined = await self._houses.ask(lambda house: house.join_table("demo-1", self.name))
        assert joined is not None
        assert not hasattr(joined, "code"), joined
        self.key, self.store.member_id = joined.key, joined.member_id
        self._witness.watch(joined.key)

    async def stay(self) -> None:
        """Be connected; join again whenever the connection is lost. Until cancelled."""
        while True:
            house, life = await self._houses.alive()
            connection = Connection(self, life)
            assert self.key is not None
            try:
                with life.shared():
                    ref, seated = await house.sit(self.key, self.store.member_id, connection)
                    if isinstance(seated, Seated) and connection.hears:
                        connection.ref = ref
                        self._connection = connection
                        self._wake()
                        await connection.ended.wait()
                        seated.seat.leave()
            except (RuntimeRefusal, StorageUnavailable, NoSuchSession):
                pass
            self._connection = None
            connection.ended.set()
            await trio.sleep(TRY_AGAIN_SECONDS)

    def follow(self, connection: int, told: Told) -> None:
        """Fold what was told on a connection into what the phone shows."""
        assert self.key is not None
        self._witness.told(self.key.pid, connection, told)
        if isinstance(told, CartSnapshot):
            self.store.load_snapshot(told)
        elif not isinstance(told, Ack | Error):
            self.store.apply(told)  # type: ignore[arg-type]  # all else is an event or of no state
        if self.store.seq is not None and not isinstance(told, Ack | Error):
            self._witness.sees(self.key.pid, self.name, self.store)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until the phone shows what is wanted."""
        while not (self._connection is not None and wanted()):
            await self._changed.wait()

    async def is_at(self, seq: int) -> None:
        """Wait until the phone is connected and as far as this."""
        await self.until(lambda: self.store.seq == seq)

    # --- Saying something -----------------------------------------------------------------------------

    async def do(self, command: Edit) -> Ack | Error:
        """Send a command until it is answered, always under one `request_id`; the journal has it then."""
        command = replace(command, request_id=f"{self.name}-{next(self._requests)}")
        answer = await self._send(command)
        if isinstance(answer, Ack):
            done = Done(self.store.member_id, command, answer.seq)
            self._evidence.done.append(done)
            seq = answer.seq
            await self.until(lambda: (self.store.seq or 0) >= seq)
        else:
            refused = (self.store.member_id, command, answer.code)
            self._evidence.refused.append(refused)
        return answer

    async def repeat_all(self) -> None:
        """Say every accepted command once more, as a phone does that has missed its acknowledgement."""
        for done in tuple(self._evidence.done):
            if done.member_id == self.store.member_id:
                answer = await self._send(done.command)
                said = answer.seq if isinstance(answer, Ack) else answer.code
                self._evidence.repeated.append((done, said))

    async def place_order(self) -> None:
        """Order what the phone shows; look again where the cart was another."""
        while not self.store.cart_locked and self.store.items:
            seen = tuple(
                SeenItem(item.public_id, item.menu_item_id, item.qty, item.note)
                for item in self.store.items
            )
            answer = await self.do(PlaceOrder(seen, float(self.store.total)))
            if not isinstance(answer, Error) or answer.code != "cart_changed":
                return

    async def _send(self, command: Edit) -> Ack | Error:
        while True:
            await self.until(lambda: True)
            connection = self._connection
            assert connection is not None
            assert connection.ref is not None
            slot = Slot(connection)
            try:
                connection.ref.send(Envelope(ByMember(self.store.member_id, command), slot))
            except RuntimeRefusal:
                connection.ended.set()
            else:
                await self._either(slot.settled, connection.ended)
            if isinstance(slot.answer, Ack):
                return slot.answer
            if slot.answer is not None and slot.answer.code not in TRY_LATER:
                return slot.answer
            await trio.sleep(TRY_AGAIN_SECONDS)

    async def _either(self, first: trio.Event, second: trio.Event) -> None:
        async with trio.open_nursery() as nursery:

            async def wait(event: trio.Event) -> None:
                await event.wait()
                nursery.cancel_scope.cancel()

            nursery.start_soon(wait, first)
            nursery.start_soon(wait, second)

    def find(self, note: str) -> str:
        """The public id of the line with this note."""
        return next(item.public_id for item in self.store.items if item.note == note)
