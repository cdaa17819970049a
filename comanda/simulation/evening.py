"""An evening as its seed makes it: who comes, what they do, and what goes wrong. Data, and no more.

A plan can be written down, taken apart and played again: that is what shrinking does.
"""

import random
from typing import Literal

from msgspec import Struct

from .determinism import dice_for
from .pos_faults import FAULTS

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

NAMES = ("Ana", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gita", "Hugo", "Ida", "Jon", "Kai", "Lea")

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
    """A house ends so at its `step`-th step (of those with an order, if `of_orders`)."""

    step: int
    of_orders: bool
    how: How
    restart_after_seconds: float


class Cut(Struct, frozen=True):
    """What happens to one guest's network: a reset, silence without an end, or nobody there."""

    guest: str
    at: float
    kind: Literal["reset", "silence", "unreachable"]
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
    item: int
    available: bool | None
    price: float | None


class Closing(Struct, frozen=True):
    """The staff close a table: its party has left, as far as they know."""

    at: float
    table: int


class Plan(Struct, frozen=True):
    """A whole evening. `pos_rate` of the orders meet one of `pos_faults`.

    `poison`: the so-manieth lines of the evening upon which the session cannot decide, and crashes.
    """

    seed: int
    profile: ProfileName
    tables: int
    guests: tuple[Guest, ...]
    orders: int = ORDERS_WANTED
    pos_rate: float = 0.0
    pos_faults: tuple[str, ...] = ()
    crashes: tuple[Crash, ...] = ()
    cuts: tuple[Cut, ...] = ()
    storage: tuple[StorageFault, ...] = ()
    outages: tuple[Outage, ...] = ()
    menu: tuple[MenuChange, ...] = ()
    closings: tuple[Closing, ...] = ()
    poison: tuple[int, ...] = ()
    staff_after_seconds: float = 20.0


def plan_evening(seed: int, profile: ProfileName = "all") -> Plan:
    """The evening of this seed: the same in every process, on every machine."""
    dice = dice_for(seed, f"the plan of {profile}")
    tables = dice.randint(2, 4)
    guests = _guests(dice, tables, rude=profile in ("hostile", "all"))

    def met(kind: ProfileName) -> bool:
        """In `all`, each kind of fault is there in about half the evenings (swarm testing)."""
        return profile == kind or (profile == "all" and dice.random() < 0.5)

    pos = met("pos")
    names = tuple(sorted(fault.name for fault in FAULTS))
    chosen = dice.sample(names, dice.randint(1, 8)) if pos else []
    return Plan(
        seed,
        profile,
        tables,
        guests,
        pos_rate=round(dice.uniform(0.1, 0.7), 2) if pos else 0.0,
        pos_faults=tuple(sorted(chosen)),
        crashes=_crashes(dice) if met("crashes") else (),
        cuts=_cuts(dice, guests) if met("network") else (),
        storage=_storage(dice) if met("storage") else (),
        outages=_outages(dice) if profile in ("storage", "all") and dice.random() < 0.3 else (),
        menu=_menu(dice) if profile != "calm" and dice.random() < 0.5 else (),
        closings=_closings(dice, tables) if profile != "calm" and dice.random() < 0.25 else (),
        poison=_poison(dice) if met("crashes") else (),
        staff_after_seconds=round(dice.uniform(1, 60), 1),
    )


def _guests(dice: random.Random, tables: int, *, rude: bool) -> tuple[Guest, ...]:
    guests: list[Guest] = []
    names = list(NAMES)
    dice.shuffle(names)
    for table in range(tables):
        for place in range(dice.randint(1, 3)):
            impolite = rude and dice.random() < 0.3
            guests.append(
                Guest(
                    names[len(guests)],
                    table,
                    round(dice.uniform(0, 5), 2),
                    patient=dice.random() < (0.3 if impolite else 0.85),
                    delay_seconds=dice.choice((0.0, 0.0, 0.0, 0.05, 0.3)),
                    acts=_acts(dice, leads=place == 0, impolite=impolite),
                )
            )
    return tuple(guests)


def late_guest(number: int) -> Guest:
    """Who comes when everybody has left and too little was ordered: no script, and a good phone."""
    return Guest(f"Guest {number}", 0, 0.0, patient=True, delay_seconds=0.0, acts=())


def _acts(dice: random.Random, *, leads: bool, impolite: bool) -> tuple[Act, ...]:
    """A script. Who came first to a table sees to it that something is ordered."""
    kinds: list[What] = ["remove", "order", "order", "resolve", "refresh", "clear", "double"]
    kinds += ("add",) * 8 + ("change",) * 3
    if impolite:
        kinds += ["wrong", "wrong", "noise", "noise", "leave"]
    whats: list[What] = ["add"]
    for _ in range(dice.randint(3, 7)):
        whats.append(dice.choice(kinds))
        if leads and dice.random() < 0.6:
            whats += ["add", "order"]
    return tuple(
        Act(round(dice.expovariate(1 / 3), 2), what, round(dice.random(), 4)) for what in whats
    )


_HOWS: tuple[How, ...] = ("killed", "paused", "power", "drained", "two")


def _crashes(dice: random.Random) -> tuple[Crash, ...]:
    return tuple(
        Crash(
            step=1 + int(dice.expovariate(1 / 25)),
            of_orders=dice.random() < 0.8,
            how=dice.choices(_HOWS, weights=(8, 3, 3, 3, 3))[0],
            restart_after_seconds=round(dice.uniform(0.2, 8), 1),
        )
        for _ in range(dice.randint(1, 4))
    )


def _cuts(dice: random.Random, guests: tuple[Guest, ...]) -> tuple[Cut, ...]:
    kinds: tuple[Literal["reset", "silence", "unreachable"], ...] = (
        "reset",
        "reset",
        "silence",
        "unreachable",
    )
    cuts = [
        Cut(
            dice.choice(guests).name,
            round(dice.uniform(1, EVENING_SECONDS), 2),
            dice.choice(kinds),
            round(dice.expovariate(1 / 8), 1),
        )
        for _ in range(dice.randint(1, 3 * len(guests)))
    ]
    return tuple(sorted(cuts, key=lambda cut: cut.at))


def _storage(dice: random.Random) -> tuple[StorageFault, ...]:
    kinds: tuple[Literal["refused", "lost", "written"], ...] = ("refused", "lost", "written")
    numbers = sorted(dice.sample(range(5, 200), dice.randint(1, 8)))
    return tuple(StorageFault(number, dice.choice(kinds)) for number in numbers)


def _outages(dice: random.Random) -> tuple[Outage, ...]:
    return (Outage(round(dice.uniform(5, EVENING_SECONDS), 1), round(dice.uniform(0.5, 15), 1)),)


def _menu(dice: random.Random) -> tuple[MenuChange, ...]:
    changes = []
    for _ in range(dice.randint(1, 4)):
        at = round(dice.uniform(1, EVENING_SECONDS), 1)
        item = dice.randrange(3)
        if dice.random() < 0.5:
            changes.append(MenuChange(at, item, None, float(dice.randint(50, 900))))
        else:
            changes.append(MenuChange(at, item, dice.random() < 0.4, None))
    return tuple(sorted(changes, key=lambda change: change.at))


def _closings(dice: random.Random, tables: int) -> tuple[Closing, ...]:
    return (Closing(round(dice.uniform(5, 90), 1), dice.randrange(tables)),)


def _poison(dice: random.Random) -> tuple[int, ...]:
    return tuple(sorted(dice.sample(range(3, 60), dice.randint(0, 3))))
