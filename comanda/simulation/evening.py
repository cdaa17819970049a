"""An evening as its seed makes it: who comes, what they do, and what goes wrong. Data, and no more.

A plan can be written down, taken apart and played again: that is what shrinking does.
"""

from typing import Literal

from msgspec import Struct

from comanda.actors.domain.messages import OrderStateName

from .moments import Moment

ProfileName = Literal["calm", "pos", "crashes", "network", "storage", "hostile", "all"]
PROFILES: tuple[ProfileName, ...] = (
    "calm",
    "pos",
    "crashes",
    "network",
    "storage",
    "hostile",
    "all",
)

ORDERS_WANTED = 10
"""Each evening has at least so many orders, shared among its tables."""

EVENING_SECONDS = 80.0
"""Faults begin within this time; guests' scripts are about as long."""

What = Literal[
    "add",
    "change",
    "remove",
    "clear",
    "order",
    "resolve",
    "refresh",
    "leave",
    "double",
    "wrong",
    "noise",
]


class Act(Struct, frozen=True):
    """`what` a guest does, so many seconds after the last thing; `chance` picks on what."""

    after_seconds: float
    what: What
    chance: float


class Guest(Struct, frozen=True):
    """One person with a phone. `patient` ones wait until an order is settled before they do more."""

    name: str
    table: int
    arrives_at: float
    patient: bool
    delay_seconds: float
    acts: tuple[Act, ...]


How = Literal["killed", "paused", "power", "drained", "two"]
"""How a house ends. `killed`: the process dies. `paused`: it stalls without connections, and goes on
when another house owns the tables already. `power`: the machine dies, with what was not synced, and no peer
hears of it. `drained`: it is asked to end. `two`: it stalls with its connections, and then two houses
serve the same tables for a while."""


class Crash(Struct, frozen=True):
    """A house ends so at its `step`-th step: of those with an order, if `of_orders`; of those that are
    such a `moment`, if there is one."""

    step: int
    of_orders: bool
    how: How
    restart_after_seconds: float
    moment: Moment | None = None


CutKind = Literal["reset", "silence", "unreachable", "slow"]


class Cut(Struct, frozen=True):
    """What happens to one guest's network: a reset, silence without an end, or nobody there.

    `slow`: the phone asks and asks, and reads no answer.
    """

    guest: str
    at: float
    kind: CutKind
    seconds: float


class StorageFault(Struct, frozen=True):
    """The evening's `number`-th commit fails so."""

    number: int
    kind: Literal["refused", "lost", "written"]


class Outage(Struct, frozen=True):
    """Storage answers nothing for a while."""

    at: float
    seconds: float


class MenuChange(Struct, frozen=True):
    """The staff change an item: its price, or whether there is any."""

    at: float
    restaurant: int
    item: int
    available: bool | None
    price: float | None


class ClockJump(Struct, frozen=True):
    """The wall clock is put ahead by so much, or back where `seconds` is less than 0.

    `when`: not before some order is in that state.
    """

    at: float
    seconds: float
    when: OrderStateName | None = None


class DeadPos(Struct, frozen=True):
    """One restaurant's POS takes nothing and answers nothing for a while."""

    restaurant: int
    at: float
    seconds: float


class Intrusion(Struct, frozen=True):
    """One restaurant's staff, and a guest, try what they may not: at another restaurant, another table."""

    at: float
    restaurant: int


class Closing(Struct, frozen=True):
    """The staff close a table: its party has left, as far as they know."""

    at: float
    table: int


class Plan(Struct, frozen=True):
    """A whole evening. `pos_rate` of the orders meet one of `pos_faults`.

    `restaurants`: the number of each table's restaurant among those of the house; none: all the first.
    `poison`: the so-manieth lines of the evening upon which the session cannot decide, and crashes.
    """

    seed: int
    profile: ProfileName
    tables: int
    guests: tuple[Guest, ...]
    restaurants: tuple[int, ...] = ()
    orders: int = ORDERS_WANTED
    pos_rate: float = 0.0
    pos_faults: tuple[str, ...] = ()
    crashes: tuple[Crash, ...] = ()
    cuts: tuple[Cut, ...] = ()
    storage: tuple[StorageFault, ...] = ()
    outages: tuple[Outage, ...] = ()
    menu: tuple[MenuChange, ...] = ()
    closings: tuple[Closing, ...] = ()
    jumps: tuple[ClockJump, ...] = ()
    dead_pos: tuple[DeadPos, ...] = ()
    intrusions: tuple[Intrusion, ...] = ()
    poison: tuple[int, ...] = ()
    staff_after_seconds: float = 20.0

    def restaurant_of(self, table: int) -> int:
        """The number of this table's restaurant among those of the house."""
        return self.restaurants[table] if self.restaurants else 0


def late_guest(number: int) -> Guest:
    """Who comes when everybody has left and too little was ordered: no script, and a good phone."""
    return Guest(f"Guest {number}", 0, 0.0, patient=True, delay_seconds=0.0, acts=())
