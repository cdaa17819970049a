"""One evening: the house opens, is disturbed cycle by cycle, comes to rest, and is checked."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from .checks import check
from .disturbances import DISTURB
from .evidence import Violation, gather
from .house import House, until
from .measures import Measures, measure
from .plan import (
    CYCLE_SECONDS,
    LOCK_LIMIT_SECONDS,
    PROGRESS_SECONDS,
    SETTLE_SECONDS,
    Plan,
    draw_pos_faults,
)
from .samples import unsettled_at_pos, unsettled_orders
from .staff import NO_ANSWER

CALM_SECONDS = (0.1, 0.9)
"""Between the first acknowledgement of a cycle and its disturbance."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evening has come to."""

    violations: tuple[Violation, ...]
    measures: Measures


async def run_evening(
    plan: Plan, cycles: int, folder: Path, rng: random.Random, show: Callable[[str], None]
) -> Outcome:
    """Run `cycles` in the empty `folder`, and check. Raises `ProgramBroken`."""
    house = House(plan, folder, rng)
    try:
        await house.open()
        async with trio.open_nursery() as people:
            for member in house.members:
                people.start_soon(member.run)
            people.start_soon(house.staff.run)
            for cycle in range(1, cycles + 1):
                await _cycle(house, cycle, rng, show)
            await _come_to_rest(house)
            people.cancel_scope.cancel()
        await house.kill_server("the end")
        house.kills -= 1  # nobody was there any more
        await house.read_samples()
    finally:
        await house.close()
    return await trio.to_thread.run_sync(_examine, house)


def _examine(house: House) -> Outcome:
    evidence = gather(house.folder / "journal.jsonl", house.pos.ledger, house.samples)
    evidence.unsettled += house.faults
    return Outcome(tuple(check(evidence)), measure(evidence, house.kills))


async def _cycle(house: House, cycle: int, rng: random.Random, show: Callable[[str], None]) -> None:
    """Somebody is acknowledged, something happens, everything runs again."""
    kind = house.plan.draw(rng)
    house.journal.done("cycle", f"{cycle} {kind}")
    with trio.move_on_after(CYCLE_SECONDS) as limit:
        await house.pos.set_faults(draw_pos_faults(rng))
        if not await house.acknowledged(PROGRESS_SECONDS):
            house.faults.append(f"nobody was acknowledged for {PROGRESS_SECONDS:g} s")
        if not house.server.running:
            house.faults.append(f"the server ended by itself before cycle {cycle}")
            house.take_sample()
            await house.start_server()
        await trio.sleep(rng.uniform(*CALM_SECONDS))
        what = await DISTURB[kind](house, rng)
        since = time.monotonic()
        house.journal.acks = 0
        again = await house.acknowledged(PROGRESS_SECONDS)
        await house.read_samples()
        back = f"acknowledged after {time.monotonic() - since:.2f} s" if again else "nobody answers"
        show(f"{cycle:>4}  {f'{kind} {what}':<46} {house.journal.orders:>6} orders  {back}")
    if limit.cancelled_caught:
        house.faults.append(f"cycle {cycle} ({kind}) took more than {CYCLE_SECONDS:g} s")


async def _come_to_rest(house: House) -> None:
    """No fault any more, nobody begins anything; all that is open must settle by itself."""
    await house.pos.set_faults({})
    house.place.quiet = True
    house.staff.diligence = 1.0
    house.journal.done("quiet")
    open_ends: list[str] = ["not looked yet"]
    with trio.move_on_after(SETTLE_SECONDS + LOCK_LIMIT_SECONDS):
        while open_ends:
            await until(lambda: all(member.at_rest for member in house.members), SETTLE_SECONDS)
            open_ends = unsettled_orders(house.folder / "house.db")
            open_ends += unsettled_at_pos(house.pos.ledger)
            open_ends += [f"{one.name} waits" for one in house.members if not one.at_rest]
            if any("needs_staff" in one for one in open_ends):
                try:
                    await house.staff.look()
                except NO_ANSWER:
                    continue
            await trio.sleep(0.1)
    house.faults += [f"not at rest in time: {what}" for what in open_ends]
    house.journal.done("settled")
