"""A small house for storage tests: a restaurant, counted ids, and a table whose party says things."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from comanda.actors.domain.changes import Changes
from comanda.actors.domain.decide import decide
from comanda.actors.domain.inputs import (
    Admit,
    ByMember,
    CallAnswered,
    CallStarting,
    Context,
    Decision,
    Input,
)
from comanda.actors.domain.menu import Menu, MenuItem, Restaurant, Table
from comanda.actors.domain.messages import AddItem, PlaceOrder, SeenItem
from comanda.actors.domain.order import Accepted, Order, PosOutcome
from comanda.actors.domain.session import Session
from comanda.actors.ports import Loaded, SessionKey, Store, Unit

OpenStore = Callable[[], AbstractAsyncContextManager[Store]]

NOW = datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
LOCK_LIMIT_SECONDS = 60.0


def menu(**changed: bool) -> Menu:
    """Three dishes in two sections."""
    return Menu(
        7,
        "INR",
        2,
        {
            456: MenuItem(456, "Pizza", "Margherita", "tomato, basil", 62500, True),
            2: MenuItem(2, "Pizza", "Funghi", "", 70050, True),
            9: MenuItem(9, "Drinks", "Chai", "with milk", 5000, changed.get("chai", True)),
        },
    )


def restaurant(*, tables: int = 3) -> Restaurant:
    """Restaurant 7, its tables labelled from 1."""
    return Restaurant(
        7,
        "Trattoria",
        menu(),
        tuple(Table(f"T{number}", f"Table {number}", 7) for number in range(1, tables + 1)),
        "ab" * 32,
    )


class Counted:
    """Ids that are counted up."""

    def __init__(self) -> None:
        self._last = 0

    def member_id(self) -> str:
        return self._next("member")

    def public_id(self) -> str:
        return self._next("line")

    def _next(self, kind: str) -> str:
        self._last += 1
        return f"{kind}_{self._last}"


class Party:
    """A party at a table: decides as an actor does, and hands out the units for it."""

    def __init__(self, loaded: Loaded) -> None:
        self.epoch = loaded.epoch
        self.session = loaded.session
        self.now = NOW
        self.menu = menu()
        self.ids = Counted()

    def context(self, order_number: int | None = None) -> Context:
        return Context(self.now, self.menu, self.ids, LOCK_LIMIT_SECONDS, order_number)

    def decided(self, *inputs: Input, order_number: int | None = None) -> Unit:
        """The unit of a batch of inputs, adopted at once."""
        before, changes = self.session, Changes()
        for said in inputs:
            self.now += timedelta(microseconds=1001)
            decision = decide(self.session, said, self.context(order_number))
            if isinstance(decision, Decision):
                self.session = decision.session
                changes.add(decision.changes)
        return Unit(self.epoch, before, self.session, changes)

    @property
    def member_id(self) -> str:
        """The first who sat down."""
        return next(iter(self.session.members))

    @property
    def order(self) -> Order:
        """The order that holds the lock."""
        assert self.session.pending is not None
        return self.session.pending

    def arrives(self) -> Unit:
        return self.decided(Admit("Ana"))

    def adds(self, menu_item_id: int = 456, qty: int = 2) -> Unit:
        return self.decided(ByMember(self.member_id, AddItem(menu_item_id, qty, "no salt")))

    def orders(self, number: int) -> Unit:
        return self.decided(ByMember(self.member_id, self.place_order()), order_number=number)

    def place_order(self) -> PlaceOrder:
        lines = self.session.lines.values()
        seen = tuple(
            SeenItem(line.public_id, line.menu_item_id, line.qty, line.note) for line in lines
        )
        return PlaceOrder(seen, self.session.total_minor / 100, "ring the bell")

    def calls(self) -> Unit:
        return self.decided(CallStarting(self.order.order_id))

    def hears(self, outcome: PosOutcome) -> Unit:
        return self.decided(CallAnswered(self.order.order_id, self.order.attempt, outcome))


def touched(unit: Unit) -> Unit:
    """A unit that only moves `seq` on, from where `unit` has led."""
    after = replace(unit.after, seq=unit.after.seq + 1)
    return Unit(unit.epoch, unit.after, after, Changes())


async def seat(store: Store, table: int = 1, pid: str | None = None) -> Party:
    """A party whose session is open and activated."""
    code = f"T{table}"
    key = await store.open_session(Table(code, f"Table {table}", 7), pid or f"S{table}", NOW)
    return Party(await store.activate(key))


async def ordered(store: Store, party: Party) -> Order:
    """Somebody sits down, takes two dishes, orders them, and the POS accepts."""
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.adds(9, 1))
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    order = party.order
    await store.commit(party.hears(Accepted("POS-1")))
    return order


def key_of(session: Session) -> SessionKey:
    return SessionKey(session.restaurant_id, session.pid)
