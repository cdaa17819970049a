"""Makes an evening of its seed: the dice that decide who comes and what goes wrong."""

import random
from typing import Literal

from comanda.actors.domain.messages import OrderStateName

from .determinism import dice_for
from .evening import (
    EVENING_SECONDS,
    Act,
    ClockJump,
    Closing,
    Crash,
    Cut,
    CutKind,
    DeadPos,
    Guest,
    How,
    Intrusion,
    MenuChange,
    Outage,
    Plan,
    ProfileName,
    StorageFault,
    What,
)
from .pos_faults import FAULTS, KINDS, kind_of
from .rare import with_a_clock_put_back, with_a_rare_moment
from .restaurants import RESTAURANTS

POISON_RUN = 12
"""So many lines one after another: with four crashes of one table within a minute it rests."""

MOMENT_SHARE = 0.5
"""In so many of the evenings of `all` a house ends at a rare moment, so that each cell of the matrix is
met in some 0.5 % of them."""

CLOCK_SHARE = 0.15
"""In so many of the others a clock is put back far while an order is in doubt for long."""

NAMES = ("Ana", "Ben", "Cleo", "Dev", "Eva", "Finn", "Gita", "Hugo", "Ida", "Jon", "Kai", "Lea")


def plan_evening(seed: int, profile: ProfileName = "all") -> Plan:
    """The evening of this seed: the same in every process, on every machine."""
    dice = dice_for(seed, f"the plan of {profile}")
    tables = dice.randint(2, 4)
    guests = _guests(dice, tables, rude=profile in ("hostile", "all"))

    def met(kind: ProfileName) -> bool:
        """In `all`, each kind of fault is there in about half the evenings (swarm testing)."""
        return profile == kind or (profile == "all" and dice.random() < 0.5)

    restaurants = _restaurants(dice, tables) if profile != "calm" else ()
    pos = met("pos")
    chosen = _pos_faults(dice) if pos else set()
    plan = Plan(
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
        jumps=_jumps(dice) if profile in ("crashes", "all") and dice.random() < 0.3 else (),
        restaurants=restaurants,
        dead_pos=_dead_pos(dice, restaurants or (0,))
        if profile in ("pos", "all") and dice.random() < 0.3
        else (),
        intrusions=_intrusions(dice)
        if profile in ("hostile", "all") and dice.random() < 0.4
        else (),
        menu=_menu(dice, restaurants or (0,)) if profile != "calm" and dice.random() < 0.5 else (),
        closings=_closings(dice, tables) if profile != "calm" and dice.random() < 0.25 else (),
        poison=_poison(dice) if met("crashes") else (),
        staff_after_seconds=round(dice.uniform(1, 60), 1),
    )
    if profile == "all" and dice.random() < MOMENT_SHARE:
        return with_a_rare_moment(dice, plan)
    if profile == "all" and dice.random() < CLOCK_SHARE:
        return with_a_clock_put_back(dice, plan)
    return plan


def _pos_faults(dice: random.Random) -> set[str]:
    """Some faults, of any kind alike: the kinds are of different sizes."""
    chosen = set()
    for _ in range(dice.randint(1, 8)):
        kind = dice.choice(KINDS)
        names = sorted(fault.name for fault in FAULTS if kind_of(fault.name) == kind)
        chosen.add(dice.choice(names))
    return chosen


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


_STEPS = (15, 25, 90)
"""After how many steps a house ends on the average: in its first order, or with orders at the staff."""


def _crashes(dice: random.Random) -> tuple[Crash, ...]:
    return tuple(
        Crash(
            step=1 + int(dice.expovariate(1 / dice.choice(_STEPS))),
            of_orders=dice.random() < 0.8,
            how=dice.choices(_HOWS, weights=(8, 3, 3, 3, 3))[0],
            restart_after_seconds=round(dice.uniform(0.2, 8), 1),
        )
        for _ in range(dice.randint(1, 4))
    )


def _cuts(dice: random.Random, guests: tuple[Guest, ...]) -> tuple[Cut, ...]:
    kinds: tuple[CutKind, ...] = ("reset", "reset", "silence", "unreachable", "slow")
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


def _menu(dice: random.Random, restaurants: tuple[int, ...]) -> tuple[MenuChange, ...]:
    changes = []
    for _ in range(dice.randint(1, 4)):
        at = round(dice.uniform(1, EVENING_SECONDS), 1)
        item = dice.randrange(3)
        restaurant = dice.choice(restaurants)
        if dice.random() < 0.5:
            changes.append(MenuChange(at, restaurant, item, None, float(dice.randint(50, 900))))
        else:
            changes.append(MenuChange(at, restaurant, item, dice.random() < 0.4, None))
    return tuple(sorted(changes, key=lambda change: change.at))


def _closings(dice: random.Random, tables: int) -> tuple[Closing, ...]:
    return (Closing(round(dice.uniform(5, 90), 1), dice.randrange(tables)),)


def _poison(dice: random.Random) -> tuple[int, ...]:
    """Some lines here and there; or one line after another, until a table rests in quarantine."""
    if dice.random() < 0.25:
        first = dice.randint(3, 30)
        return tuple(range(first, first + POISON_RUN))
    return tuple(sorted(dice.sample(range(3, 60), dice.randint(0, 3))))


_JUMPS = (-86400.0, -3600.0, -40.0, -2.0, -0.1, 0.1, 2.0, 40.0, 3600.0)
"""By how much a clock is put right: a little by the network's time, an hour or a day by hand."""


def _jumps(dice: random.Random) -> tuple[ClockJump, ...]:
    whens: tuple[OrderStateName | None, ...] = (None, "sent", "unknown")
    jumps = [
        ClockJump(
            round(dice.uniform(1, EVENING_SECONDS), 2), dice.choice(_JUMPS), dice.choice(whens)
        )
        for _ in range(dice.randint(1, 4))
    ]
    return tuple(sorted(jumps, key=lambda jump: jump.at))


def _restaurants(dice: random.Random, tables: int) -> tuple[int, ...]:
    """Half the evenings are one restaurant's alone; else each table is of any."""
    if dice.random() < 0.5:
        return ()
    return tuple(dice.randrange(len(RESTAURANTS)) for _ in range(tables))


def _dead_pos(dice: random.Random, restaurants: tuple[int, ...]) -> tuple[DeadPos, ...]:
    number = dice.choice(restaurants)
    at, seconds = round(dice.uniform(1, 60), 1), round(dice.uniform(5, 120), 1)
    return (DeadPos(number, at, seconds),)


def _intrusions(dice: random.Random) -> tuple[Intrusion, ...]:
    return tuple(
        Intrusion(round(dice.uniform(5, 100), 1), dice.randrange(len(RESTAURANTS)))
        for _ in range(dice.randint(1, 3))
    )
