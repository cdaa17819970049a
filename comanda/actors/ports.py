"""What a dining session needs from outside: store, POS, menus, outlets, clock and ids.

Each port is a `Protocol`; one contract suite in the tests runs against every implementation of a port.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from .domain.changes import Changes
from .domain.inputs import Ids, StaffResolved
from .domain.menu import Menu, Restaurant, Table
from .domain.messages import IncidentKind, OrderRecord, OrderStateName, StaffOrder
from .domain.order import Order, PosOutcome
from .domain.session import Session

__all__ = [
    "Clock",
    "CommitUnknown",
    "Forgotten",
    "Ids",
    "Loaded",
    "Menus",
    "NoSuchSession",
    "OpenTable",
    "OrderAtTable",
    "OrderPage",
    "Outlet",
    "Overdue",
    "Pos",
    "Restaurant",
    "SeatedMember",
    "SessionKey",
    "StaleEpoch",
    "Standing",
    "StorageUnavailable",
    "Store",
    "Table",
    "Unit",
    "VoidDue",
    "Weighed",
]


class SessionKey(NamedTuple):
    """A dining session's address in the house: its restaurant bounds how many are live."""

    restaurant_id: int
    pid: str


class Loaded(Struct, frozen=True):
    """A session as storage has it, and the epoch that this activation has claimed."""

    session: Session
    epoch: int


class Unit(Struct, frozen=True):
    """One unit of work: from the state at `before.seq` to `after`, under `epoch`.

    `changes` are the rows that differ; the session's own row is always written.
    """

    epoch: int
    before: Session
    after: Session
    changes: Changes


class Overdue(Struct, frozen=True):
    """An order whose lock limit has passed while it was in flight."""

    key: SessionKey
    order_id: str


class OrderPage(Struct, frozen=True):
    """Orders, newest first, and the cursor of the next page (None: no more)."""

    orders: tuple[StaffOrder, ...]
    next: str | None


class SeatedMember(Struct, frozen=True):
    """Who has sat down at a table."""

    member_id: str
    name: str


class OrderAtTable(Struct, frozen=True):
    """An order without an outcome. `total_minor` is in minor units."""

    order_id: str
    state: OrderStateName
    placed_by_name: str
    placed_at: datetime
    total_minor: int


class OpenTable(Struct, frozen=True):
    """A table with a party at it.

    `total_minor` is the cart's, in minor units. `pending` is the order that holds the lock, `in_doubt`
    are those that wait for the staff, the oldest first.
    """

    key: SessionKey
    code: str
    label: str
    opened_at: datetime
    members: tuple[SeatedMember, ...]
    total_minor: int
    minor_digits: int
    pending: OrderAtTable | None
    in_doubt: tuple[OrderAtTable, ...]
    join_pin: str | None


class Weighed(Struct, frozen=True):
    """An answer held against an order. `incident` is what it contradicts by, while that stands."""

    settled: bool
    incident: IncidentKind | None = None


class VoidDue(Struct, frozen=True):
    """An order that the POS is to take back, and how often it was asked to."""

    order: Order
    tries: int


class Standing(Struct, frozen=True):
    """How much waits for somebody: orders for the staff, incidents, orders to be taken back."""

    needs_staff: int
    incidents: int
    voids: int


Forgotten = Literal["forgotten", "open", "unsettled", "unknown"]
"""What has come of forgetting a session's guests: they are forgotten, now or before; the session is open
still; an order of it has no outcome yet; there is no such session."""


class StorageUnavailable(Exception):
    """Storage has done nothing: the unit is not committed, or nothing could be read. May be tried again."""


class CommitUnknown(Exception):
    """The commit was asked for and its outcome is not known: restore from storage, never guess."""


class StaleEpoch(Exception):
    """Another activation has claimed the session, or `seq` is not what it was: this actor must end."""


class NoSuchSession(Exception):
    """Storage knows no such dining session."""


class Store(Protocol):
    """Durable storage. Every method may raise `StorageUnavailable`; none keeps a lock between calls.

    Cancellation: a cancelled caller leaves the work to finish or to fail by itself; after a cancelled
    `commit` its outcome is not known.
    """

    async def open_session(
        self, table: Table, pid: str, now: datetime, join_pin: str | None = None
    ) -> SessionKey:
        """The table's open session; `pid` names a new one where none is open, joined with `join_pin`."""
        ...

    async def is_occupied(self, table: Table) -> bool:
        """Whether a session is open at the table."""
        ...

    async def activate(self, key: SessionKey) -> Loaded:
        """Load a session and claim its next epoch, which fences every earlier activation.

        Raises:
            NoSuchSession: there is none of this restaurant with this pid.
        """
        ...

    async def commit(self, unit: Unit) -> None:
        """Make `unit` durable, wholly or not at all.

        Raises:
            StaleEpoch: epoch or seq are not the stored ones; nothing was written.
            StorageUnavailable: nothing was written.
            CommitUnknown: it may or may not have been written.
        """
        ...

    async def reserve_order_number(self, restaurant_id: int) -> int:
        """The restaurant's next order number. Numbers count up from 1; gaps are allowed."""
        ...

    async def find_session(self, pid: str) -> tuple[SessionKey, bool] | None:
        """The session's key and whether it is open; None where there is none."""
        ...

    async def install(self, restaurants: Sequence[Restaurant], digest: str) -> None:
        """Put restaurants, tables and menus into storage as a menu file has them.

        `digest` names the file's content: where it was installed before, nothing is done, so that what
        staff have changed since (prices, sold-out items) stands. Tables and items that the file no
        longer has are kept but closed to guests (an item is not available, a table's code is unknown).
        """
        ...

    async def restaurants(self) -> dict[int, Restaurant]:
        """Every restaurant with its menu and its tables, by id."""
        ...

    async def change_menu_item(
        self,
        restaurant_id: int,
        menu_item_id: int,
        *,
        available: bool | None,
        price_minor: int | None,
    ) -> Menu | None:
        """Change an item's availability, price or both; the menu as it then stands, None: no such item."""
        ...

    async def open_tables(self, restaurant_id: int) -> tuple[OpenTable, ...]:
        """A restaurant's tables with a party at them, the longest open first."""
        ...

    async def confirmed_orders(self, pid: str) -> tuple[OrderRecord, ...]:
        """A session's history: its confirmed orders, newest first."""
        ...

    async def orders(
        self,
        restaurant_id: int,
        states: Sequence[OrderStateName],
        cursor: str | None,
        limit: int,
        *,
        with_incidents: bool = False,
    ) -> OrderPage:
        """A restaurant's orders in the given states (none given: all), newest first.

        `with_incidents`: only those of which an incident stands.

        Raises:
            ValueError: `cursor` is none that a page gave.
        """
        ...

    async def find_order(self, order_id: str) -> tuple[SessionKey, OrderStateName] | None:
        """The order's session and its state; None where there is none."""
        ...

    async def staff_order(self, order_id: str) -> StaffOrder | None:
        """One order as the staff read it, with its incidents; None where there is none."""
        ...

    async def weigh(self, order_id: str, outcome: PosOutcome, now: datetime) -> Weighed | None:
        """Hold what the POS says against a settled order; None where there is no such order.

        What contradicts it becomes an incident, once a kind; the POS is to take back an order that it
        has accepted though the table was told that it failed. An unsettled order is left as it is.
        """
        ...

    async def close_incidents(self, said: StaffResolved, spoken_at: datetime) -> int:
        """Close an order's standing incidents by the staff's word; how many there were.

        One that was opened after `spoken_at` stands: the staff did not know of it. Where any is closed
        the POS is not asked any more to take the order back.
        """
        ...

    async def waiting_for_staff(self, limit: int, after: Order | None = None) -> tuple[Order, ...]:
        """Orders in `needs_staff` of which the POS can still say something, the oldest first.

        At most `limit` of them; `after` is where an earlier answer ended, None begins anew.
        """
        ...

    async def voids_due(self, now: datetime, limit: int) -> tuple[VoidDue, ...]:
        """Orders that the POS is to be asked to take back now, the longest due first."""
        ...

    async def void_tried(
        self, due: VoidDue, now: datetime, pause: timedelta | None, *, opens_incident: bool
    ) -> bool:
        """Put a try to take an order back on record.

        `pause` is the time until the next one, None where the POS has promised not to cook it. With
        `opens_incident` the staff are to be told: True where they are, also by an earlier call of the
        same try; False where they have closed the matter meanwhile.
        """
        ...

    async def standing(self) -> Standing:
        """How much waits for somebody, in the whole house."""
        ...

    async def unsettled_sessions(self) -> tuple[SessionKey, ...]:
        """Sessions with an order in `prepared`, `sent` or `unknown`."""
        ...

    async def claimed_since(
        self, claims: Sequence[tuple[SessionKey, int]]
    ) -> tuple[SessionKey, ...]:
        """Of sessions with the epochs that were claimed of them, those of which another was claimed since."""
        ...

    async def overdue_orders(self, now: datetime, limit: int) -> tuple[Overdue, ...]:
        """Orders in `prepared`, `sent` or `unknown` whose lock limit is before `now`, oldest first."""
        ...

    async def idle_sessions(self, before: datetime, limit: int) -> tuple[SessionKey, ...]:
        """Open sessions that nothing has changed since `before` and that have no order in flight."""
        ...

    async def forget_closed(self, before: datetime, now: datetime, limit: int) -> int:
        """Forget the guests of sessions that were closed before `before`; of how many, at most `limit`.

        Their names, notes and instructions are gone afterwards, and what their requests were. A session
        with an order that has no outcome yet is left: whoever settles it must know what it was.
        """
        ...

    async def forget_session(self, key: SessionKey, now: datetime) -> Forgotten:
        """Forget the guests of one session, as `forget_closed` does; what has come of it."""
        ...

    async def probe(self) -> None:
        """Show that storage can write. Raises `StorageUnavailable` while it cannot."""
        ...


class Pos(Protocol):
    """A restaurant's point of sale, as the POS contract has it.

    The caller bounds every call by a cancel scope; a cancelled call's outcome is unknown. An exception
    other than `Cancelled` counts as `Unknown`.
    """

    async def submit(self, order: Order) -> PosOutcome:
        """Send the order under its key; the same key again has no second effect."""
        ...

    async def look_up(self, order: Order) -> PosOutcome | None:
        """What the POS knows of the order's key; None: nothing, which proves nothing."""
        ...

    async def void(self, order: Order) -> bool:
        """Have the order taken back, or never taken, should it come late. May be asked again.

        True: the POS has promised that it will not cook it. False: nothing is known.
        """
        ...


class Menus(Protocol):
    """The restaurants' menus as they stand now."""

    def current(self, restaurant_id: int) -> Menu:
        """The menu of a restaurant of this house."""
        ...


class Outlet(Protocol):
    """Where a member's events go: one connection. Neither method blocks or raises."""

    def send(self, frames: bytes) -> None:
        """Hand over encoded events, one or several in one piece; the same object for every member."""
        ...

    def close(self, code: int, reason: str) -> None:
        """End the connection with a close code of the protocol."""
        ...


class Clock(Protocol):
    """Wall-clock time, aware, in UTC."""

    def now(self) -> datetime: ...
