"""The store port's methods, over the two ways in which a work gets to storage and back."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection

from comanda.actors.domain.inputs import StaffResolved
from comanda.actors.domain.menu import Menu, Restaurant, Table
from comanda.actors.domain.messages import OrderRecord, OrderStateName, StaffOrder
from comanda.actors.domain.order import Order, PosOutcome
from comanda.actors.ports import (
    Forgotten,
    Loaded,
    OpenTable,
    OrderPage,
    Overdue,
    SessionKey,
    Standing,
    Unit,
    VoidDue,
    Weighed,
)

from . import forgetting, history, incidents, menus, occupancy, sessions
from .groups import Call, Commit, Reserve, Work, probe

T = TypeVar("T")


class PortMethods(ABC):
    """What every store says in the same way; where and how it is done is the subclass's."""

    @abstractmethod
    async def _write(self, work: Work) -> Any:
        """Have `work` done durably; its answer."""

    @abstractmethod
    async def _read(self, work: Call) -> Any:
        """Have `work` done in a transaction that writes nothing; its answer."""

    async def open_session(
        self, table: Table, pid: str, now: datetime, join_pin: str | None = None
    ) -> SessionKey:
        """The table's open session; `pid` names a new one where none is open, joined with `join_pin`."""
        there = await self._reading(lambda c: sessions.find_open_session(c, table))
        if there is not None:
            return there
        return await self._writing(lambda c: sessions.open_session(c, table, pid, now, join_pin))

    async def is_occupied(self, table: Table) -> bool:
        """Whether a session is open at the table."""
        return await self._reading(lambda c: sessions.find_open_session(c, table)) is not None

    async def activate(self, key: SessionKey) -> Loaded:
        """Load a session and claim its next epoch, which fences every earlier activation."""
        return await self._writing(lambda c: sessions.activate(c, key))

    async def commit(self, unit: Unit) -> None:
        """Make `unit` durable, wholly or not at all."""
        await self._write(Commit(unit))

    async def reserve_order_number(self, restaurant_id: int) -> int:
        """The restaurant's next order number.

        Raises:
            LookupError: there is no such restaurant.
        """
        number: int = await self._write(Reserve(restaurant_id))
        return number

    async def find_session(self, pid: str) -> tuple[SessionKey, bool] | None:
        """The session's key and whether it is open; None where there is none."""
        return await self._reading(lambda c: sessions.find_session(c, pid))

    async def install(self, restaurants: Sequence[Restaurant], digest: str) -> None:
        """Put restaurants, tables and menus into storage as a menu file has them."""
        await self._writing(lambda c: menus.install(c, restaurants, digest))

    async def restaurants(self) -> dict[int, Restaurant]:
        """Every restaurant with its menu and its tables, by id."""
        return await self._reading(menus.all_restaurants)

    async def change_menu_item(
        self,
        restaurant_id: int,
        menu_item_id: int,
        *,
        available: bool | None,
        price_minor: int | None,
    ) -> Menu | None:
        """Change an item's availability, price or both; the menu as it then stands."""
        return await self._writing(
            lambda c: menus.change_menu_item(c, restaurant_id, menu_item_id, available, price_minor)
        )

    async def open_tables(self, restaurant_id: int) -> tuple[OpenTable, ...]:
        """A restaurant's tables with a party at them, the longest open first."""
        return await self._reading(lambda c: occupancy.open_tables(c, restaurant_id))

    async def confirmed_orders(self, pid: str) -> tuple[OrderRecord, ...]:
        """A session's history: its confirmed orders, newest first."""
        return await self._reading(lambda c: history.confirmed_orders(c, pid))

    async def orders(
        self,
        restaurant_id: int,
        states: Sequence[OrderStateName],
        cursor: str | None,
        limit: int,
        *,
        with_incidents: bool = False,
    ) -> OrderPage:
        """A restaurant's orders in the given states, newest first, at most `history.PAGE_MAX`."""
        return await self._reading(
            lambda c: history.orders_page(
                c, restaurant_id, states, cursor, limit, with_incidents=with_incidents
            )
        )

    async def staff_order(self, order_id: str) -> StaffOrder | None:
        """One order as the staff read it; None where there is none."""
        return await self._reading(lambda c: history.staff_order(c, order_id))

    async def weigh(self, order_id: str, outcome: PosOutcome, now: datetime) -> Weighed | None:
        """Hold what the POS says against a settled order; contradictions go on record."""
        return await self._writing(lambda c: incidents.weigh(c, order_id, outcome, now))

    async def close_incidents(self, said: StaffResolved, spoken_at: datetime) -> int:
        """Close an order's standing incidents by the staff's word; how many there were."""
        return await self._writing(lambda c: incidents.close_incidents(c, said, spoken_at))

    async def waiting_for_staff(self, limit: int, after: Order | None = None) -> tuple[Order, ...]:
        """Orders in `needs_staff` of which the POS can still say something, the oldest first."""
        return await self._reading(lambda c: incidents.waiting_for_staff(c, limit, after))

    async def voids_due(self, now: datetime, limit: int) -> tuple[VoidDue, ...]:
        """Orders that the POS is to be asked to take back now, the longest due first."""
        return await self._reading(lambda c: incidents.voids_due(c, now, limit))

    async def void_tried(
        self, due: VoidDue, now: datetime, pause: timedelta | None, *, opens_incident: bool
    ) -> bool:
        """Put a try to take an order back on record; whether its incident stands now."""
        return await self._writing(
            lambda c: incidents.void_tried(c, due, now, pause, opens_incident)
        )

    async def standing(self) -> Standing:
        """How much waits for somebody, in the whole house."""
        return await self._reading(incidents.standing)

    async def find_order(self, order_id: str) -> tuple[SessionKey, OrderStateName] | None:
        """The order's session and its state; None where there is none."""
        return await self._reading(lambda c: history.find_order(c, order_id))

    async def unsettled_sessions(self) -> tuple[SessionKey, ...]:
        """Sessions with an order in `prepared`, `sent` or `unknown`."""
        return await self._reading(sessions.unsettled_sessions)

    async def claimed_since(
        self, claims: Sequence[tuple[SessionKey, int]]
    ) -> tuple[SessionKey, ...]:
        """Of sessions with the epochs that were claimed of them, those of which another was claimed since."""
        return await self._reading(lambda c: sessions.claimed_since(c, claims))

    async def overdue_orders(self, now: datetime, limit: int) -> tuple[Overdue, ...]:
        """Orders in flight whose lock limit is before `now`, oldest first."""
        return await self._reading(lambda c: sessions.overdue_orders(c, now, limit))

    async def idle_sessions(self, before: datetime, limit: int) -> tuple[SessionKey, ...]:
        """Open sessions that nothing has changed since `before`, with no order in flight."""
        return await self._reading(lambda c: sessions.idle_sessions(c, before, limit))

    async def forget_closed(self, before: datetime, now: datetime, limit: int) -> int:
        """Forget the guests of sessions that were closed before `before`; of how many."""
        if not await self._reading(lambda c: forgetting.to_forget(c, before, limit)):
            return 0  # as nearly always: nobody's commit waits for that
        return await self._writing(lambda c: forgetting.forget_closed(c, before, now, limit))

    async def forget_session(self, key: SessionKey, now: datetime) -> Forgotten:
        """Forget the guests of one session; what has come of it."""
        return await self._writing(lambda c: forgetting.forget_session(c, key, now))

    async def probe(self) -> None:
        """Show that storage can write."""
        await self._writing(probe)

    async def _writing(self, function: Callable[[Connection], T]) -> T:
        answer: T = await self._write(Call(function))
        return answer

    async def _reading(self, function: Callable[[Connection], T]) -> T:
        answer: T = await self._read(Call(function))
        return answer
