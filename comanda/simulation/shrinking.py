"""From an evening that breaks something to a short one that breaks the same."""

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from .evening import Plan
from .outcome import Outcome
from .shelf import Shelf
from .world import play

PLAYS_MOST = 300
"""So many evenings are tried at most: some two minutes."""

_FAULTS = (
    "crashes",
    "storage",
    "outages",
    "cuts",
    "menu",
    "closings",
    "poison",
    "pos_faults",
    "jumps",
    "dead_pos",
    "intrusions",
)


def shrink(shelf: Shelf, plan: Plan, broken: str) -> tuple[Plan, Outcome]:
    """The smallest plan found that still breaks the invariant `broken`, and its evening with its trace."""
    plays = 0

    def still_breaks(smaller: Plan) -> bool:
        nonlocal plays
        plays += 1
        return broken in play(shelf, smaller).violations

    for smaller_ones in (
        _without_extra_orders,
        _with_fewer_faults,
        _with_fewer_guests,
        _with_fewer_acts,
    ):
        plan = _as_small_as_can_be(plan, smaller_ones, still_breaks, lambda: plays < PLAYS_MOST)
    return plan, play(shelf, plan, keep_trace=True)


def _as_small_as_can_be(
    plan: Plan,
    smaller_ones: Callable[[Plan], Iterator[Plan]],
    still_breaks: Callable[[Plan], bool],
    may_go_on: Callable[[], bool],
) -> Plan:
    found = True
    while found:
        found = False
        for smaller in smaller_ones(plan):
            if not may_go_on():
                return plan
            if still_breaks(smaller):
                plan, found = smaller, True
                break
    return plan


def _without_extra_orders(plan: Plan) -> Iterator[Plan]:
    for orders in (0, plan.orders // 2, plan.orders - 1):
        if 0 <= orders < plan.orders:
            yield replace(plan, orders=orders)


def _with_fewer_faults(plan: Plan) -> Iterator[Plan]:
    """Without all of a kind first, then without each one."""
    for kind in _FAULTS:
        if getattr(plan, kind):
            yield _with(plan, kind, ())
    for kind in _FAULTS:
        faults: tuple[Any, ...] = getattr(plan, kind)
        if len(faults) > 1:
            for number in range(len(faults)):
                yield _with(plan, kind, faults[:number] + faults[number + 1 :])


def _with(plan: Plan, kind: str, faults: tuple[Any, ...]) -> Plan:
    changes: dict[str, Any] = {kind: faults}
    return replace(plan, **changes)


def _with_fewer_guests(plan: Plan) -> Iterator[Plan]:
    for guest in plan.guests:
        if len(plan.guests) > 1:
            yield replace(
                plan,
                guests=tuple(one for one in plan.guests if one is not guest),
                cuts=tuple(cut for cut in plan.cuts if cut.guest != guest.name),
            )


def _with_fewer_acts(plan: Plan) -> Iterator[Plan]:
    """Each guest without its second half of acts, then without each act."""
    for at, guest in enumerate(plan.guests):
        half = len(guest.acts) // 2
        shorter = [guest.acts[:half]] if half else []
        shorter += [guest.acts[:n] + guest.acts[n + 1 :] for n in range(len(guest.acts))]
        for acts in shorter:
            guests = (*plan.guests[:at], replace(guest, acts=acts), *plan.guests[at + 1 :])
            yield replace(plan, guests=guests)
