"""Evenings with something rare at a moment of an order, and with what makes that likely."""

import random

from msgspec.structs import replace

from .evening import ClockJump, Crash, DeadPos, How, Plan
from .moments import MOMENTS, Moment, MomentName
from .pos_faults import BUSY_ONCE, FAULTS, LATE_CALLBACK, kind_of, lasts_beyond_the_lock

_WEIGHTS: dict[MomentName, int] = {
    "called": 2,
    "answered": 1,
    "unknown": 3,
    "needs_staff": 3,
    "confirmed": 2,
    "rejected": 2,
}
"""How often a kind of moment is chosen: the more cells of the matrix it is the way to, the oftener."""

_CALLED_AGAIN = Moment("called", "was not reached")
_ONE_WAY: dict[Moment, str] = {
    _CALLED_AGAIN: BUSY_ONCE,
    Moment("needs_staff", "takes its time"): LATE_CALLBACK,
}
"""Moments after which the POS can get the order in this way only. In most evenings with one it is the
only fault: the second call brings it, or the POS decides by itself while no house lives."""

ONE_WAY_SHARE = 0.75

_DECIDES_LATE = Moment("needs_staff", "does as it should")
"""In half the evenings with it a lock ends in the middle of a call, and the POS gets the order after that."""

BEYOND_LOCK_SECONDS = 120.0
"""By so much a clock is put ahead for a lock to end in the middle of a call: twice its limit."""


def with_a_rare_moment(dice: random.Random, plan: Plan) -> Plan:
    """The first house ends at such a moment; what makes it likely is there, too."""
    moment = dice.choices(MOMENTS, weights=[_WEIGHTS[one.what] for one in MOMENTS])[0]
    crashes = [_crash_at(dice, moment)]
    faults = _faults_for(dice, moment)
    jumps, dead_pos = plan.jumps, plan.dead_pos
    if moment.kind in ("does as it should", "refuses"):  # such a POS answers soon
        if moment.what == "unknown":  # as the next house finds it
            crashes = [_crash_at(dice, Moment("called", moment.kind)), *crashes]
        elif moment == _DECIDES_LATE and dice.random() < 0.5:
            jumps += tuple(ClockJump(at, BEYOND_LOCK_SECONDS, "sent") for at in (2.0, 20.0, 40.0))
        elif moment.what == "needs_staff":
            at = round(dice.uniform(1, 10), 1)
            dead_pos += (DeadPos(dice.choice(plan.restaurants or (0,)), at, 120.0),)
    if moment in _ONE_WAY and dice.random() < ONE_WAY_SHARE:
        faults = {_ONE_WAY[moment]}
        crashes = [replace(crashes[0], step=2 if moment == _CALLED_AGAIN else 1)]
    return replace(
        plan,
        pos_rate=max(plan.pos_rate, 0.5),
        pos_faults=tuple(sorted(faults | {*plan.pos_faults[:1]})),
        crashes=(*crashes, *plan.crashes),
        jumps=jumps,
        dead_pos=dead_pos,
    )


def with_a_clock_put_back(dice: random.Random, plan: Plan) -> Plan:
    """By an hour or a day, once an order is in doubt that its POS will not settle before its lock ends."""
    lasting = sorted(fault.name for fault in FAULTS if lasts_beyond_the_lock(fault))
    jump = ClockJump(round(dice.uniform(1, 30), 1), dice.choice((-3600.0, -86400.0)), "unknown")
    return replace(
        plan,
        pos_rate=max(plan.pos_rate, 0.5),
        pos_faults=tuple(dice.sample(lasting, 2)),
        jumps=(*plan.jumps, jump),
    )


def _crash_at(dice: random.Random, moment: Moment) -> Crash:
    hows: tuple[How, ...] = ("killed", "killed", "killed", "power", "drained")
    at_staff = moment.what == "needs_staff"
    return Crash(
        step=1 if at_staff else dice.choice((1, 1, 2)),
        of_orders=True,
        how=dice.choice(hows if moment.what == "called" else hows[:-1]),
        restart_after_seconds=round(dice.uniform(8 if at_staff else 4, 14), 1),
        moment=moment,
    )


def _faults_for(dice: random.Random, moment: Moment) -> set[str]:
    """Up to three faults of the moment's kind, which let an order come to it."""
    faults = [fault for fault in FAULTS if kind_of(fault.name) == moment.kind]
    if moment.what == "needs_staff":
        faults = [fault for fault in faults if lasts_beyond_the_lock(fault)] or faults
    names = sorted(fault.name for fault in faults)
    return set(dice.sample(names, min(3, len(names))))
