"""A whole house on virtual time: real actors, real rules, real schema inline; a scripted POS."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count

import trio

from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartCommand,
    CartSnapshot,
    Error,
    PlaceOrder,
    SeenItem,
    Told,
    decode_told,
    encode,
)
from comanda.actors.domain.order import Accepted, Order, PosOutcome
from comanda.actors.house import House, HouseLimits
from comanda.actors.ports import Clock, SessionKey, Store
from comanda.actors.pos_task import PosTimes
from comanda.actors.sayings import Answer, Seated
from comanda.storage.inline import open_inline
from tests.actors.domain.helpers import CountedIds

MARGHERITA, LASSI = 456, 457
RESTAURANT = Restaurant(
    7,
    "Trattoria",
    Menu(
        7,
        "INR",
        2,
        {
            MARGHERITA: MenuItem(MARGHERITA, "Pizza", "Margherita", "", 62500, True),
            LASSI: MenuItem(LASSI, "Drinks", "Lassi", "", 9000, True),
        },
    ),
    tuple(Table(f"demo-{n}", f"T{n}", 7) for n in range(1, 6)),
)


def as_line(told: Told) -> bytes:
    """A message as a house without sockets frames it: a line of JSON."""
    return encode(told) + b"\n"


def told_in(frames: bytes) -> list[Told]:
    """The messages in what an outlet was handed in one piece."""
    return [decode_told(line) for line in frames.splitlines()]


class VirtualClock:
    """Wall-clock time that goes with Trio's."""

    def now(self) -> datetime:
        return datetime(2024, 1, 15, 10, 30, tzinfo=UTC) + timedelta(seconds=trio.current_time())


class ScriptedPos:
    """Answers each submit by the script's next function; remembers every call, in order.

    It has the port's methods and keeps none of its promises: the same key again has the script's next
    answer, also after a refusal or a void, since a test says what the house hears and not what a kitchen
    does. So the port's contract suite (tests/pos/test_port_contract.py) does not run against it.
    """

    def __init__(self, *script: Callable[[Order], Awaitable[PosOutcome]]) -> None:
        self._script = list(script)
        self.look_up_answer: Callable[[Order], Awaitable[PosOutcome | None]] | None = None
        self.void_answers: list[bool] = []
        self.calls: list[tuple[str, str, float]] = []
        self.payloads: set[bytes] = set()

    async def submit(self, order: Order) -> PosOutcome:
        self.calls.append(("submit", order.order_id, trio.current_time()))
        self.payloads.add(order.payload)
        answer = self._script.pop(0) if self._script else accept()
        return await answer(order)

    async def look_up(self, order: Order) -> PosOutcome | None:
        self.calls.append(("look_up", order.order_id, trio.current_time()))
        if self.look_up_answer is None:
            return None
        return await self.look_up_answer(order)

    async def void(self, order: Order) -> bool:
        self.calls.append(("void", order.order_id, trio.current_time()))
        return self.void_answers.pop(0) if self.void_answers else True


def accept(after: float = 3) -> Callable[[Order], Awaitable[PosOutcome]]:
    """An answer: accepted, after so many seconds."""
    return say(Accepted("POS-1"), after)


def say(outcome: PosOutcome, after: float = 3) -> Callable[[Order], Awaitable[PosOutcome]]:
    """An answer: this outcome, after so many seconds."""

    async def answer(order: Order) -> PosOutcome:
        await trio.sleep(after)
        return outcome

    return answer


async def hang(order: Order) -> PosOutcome:
    """No answer, ever."""
    await trio.sleep_forever()
    raise AssertionError


class Phone:
    """One connection of a member: an outlet that keeps what it was told, and asks by the actor's ref."""

    def __init__(self, house: House, key: SessionKey, member_id: str) -> None:
        self.house = house
        self.key = key
        self.member_id = member_id
        self.told: list[Told] = []
        self.closed: tuple[int, str] | None = None
        self._changed = trio.Event()

    def send(self, frames: bytes) -> None:
        if self.closed is None:
            self.told += told_in(frames)
            self._wake()

    def close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def sit(self) -> "Phone":
        self.ref, seated = await self.house.sit(self.key, self.member_id, self)
        assert isinstance(seated, Seated), seated
        self.seat = seated.seat
        return self

    async def until(self, wanted: Callable[[], bool], within: float = 300) -> None:
        with trio.fail_after(within):
            while not wanted():
                await self._changed.wait()

    async def hung_up(self) -> None:
        await self.until(lambda: self.closed is not None)

    async def sees(self, kind: str, *, at_least: int = 1) -> Told:
        """The last event of this wire type, waited for."""
        await self.until(lambda: len(self.all(kind)) >= at_least)
        return self.all(kind)[-1]

    def all(self, kind: str) -> list[Told]:
        return [told for told in self.told if told.__struct_config__.tag == kind]

    def seqs(self) -> list[int]:
        return [
            told.seq for told in self.told if not isinstance(told, Ack) and hasattr(told, "seq")
        ]

    async def ask(self, command: CartCommand) -> Answer:
        ref = await self.house.registry.ref(self.key)
        answer = await ref.ask(ByMember(self.member_id, command), timeout_seconds=60)
        assert isinstance(answer, tuple)
        return answer

    async def add(self, menu_item_id: int = MARGHERITA, qty: int = 1, **more: str) -> Answer:
        return await self.ask(AddItem(menu_item_id, qty, **more))

    async def order(self, words: str = "", request_id: str | None = None) -> Answer:
        return await self.ask(self.order_command(await self.snapshot(), words, request_id))

    def order_command(
        self, seen: CartSnapshot, words: str = "", request_id: str | None = None
    ) -> PlaceOrder:
        items = tuple(
            SeenItem(one.public_id, one.menu_item_id, one.qty, one.note) for one in seen.items
        )
        return PlaceOrder(items, float(seen.total), words, request_id)

    async def snapshot(self) -> CartSnapshot:
        return (await self.house.view(self.key)).snapshot()


def code_of(answer: Answer) -> str:
    """The code of the refusal that an answer is."""
    (error, *_) = answer
    assert isinstance(error, Error), answer
    return error.code


_pids = count(1)


def make_house(
    store: Store,
    pos: ScriptedPos,
    *,
    limits: HouseLimits | None = None,
    clock: Clock | None = None,
    ids: CountedIds | None = None,
    times: PosTimes | None = None,
    pins: Callable[[], str] | None = None,
) -> House:
    """A house over this store, nothing running yet."""
    return House(
        store=store,
        pos=pos,
        clock=clock or VirtualClock(),
        ids=ids or CountedIds(),
        new_pid=lambda: f"session_{next(_pids)}",
        new_pin=pins,
        frame=as_line,
        pos_times=times or PosTimes(jitter=0),
        limits=limits or HouseLimits(),
        rng=random.Random(0),
    )


@asynccontextmanager
async def open_house(
    pos: ScriptedPos | None = None,
    *,
    store: Store | None = None,
    limits: HouseLimits | None = None,
    ids: CountedIds | None = None,
    times: PosTimes | None = None,
    pins: Callable[[], str] | None = None,
) -> AsyncIterator[House]:
    """A running house, on an inline store in memory unless one is given; stopped at the end."""
    if store is None:
        with open_inline() as inline:
            await inline.install((RESTAURANT,), "menu")
            async with open_house(
                pos, store=inline, limits=limits, ids=ids, times=times, pins=pins
            ) as house:
                yield house
        return
    house = make_house(store, pos or ScriptedPos(), limits=limits, ids=ids, times=times, pins=pins)
    async with trio.open_nursery() as nursery:
        await nursery.start(house.run)
        yield house
        await house.stop(deadline_seconds=5)


async def sit_down(house: House, *names: str, code: str = "demo-1") -> list[Phone]:
    """Members at one table, each with a phone."""
    phones = []
    for name in names:
        joined = await house.join_table(code, name)
        assert joined is not None
        assert not isinstance(joined, tuple)
        phones.append(Phone(house, joined.key, joined.member_id))  # type: ignore[union-attr]
    for phone in phones:
        await phone.sit()
    return phones
