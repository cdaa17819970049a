"""What COMANDA_FAILPOINTS may say: ``t1.before=kill@3; call.after=sleep(2); commit.before=error@5+``."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from comanda.config import SettingsUnusable

ActionName = Literal["kill", "error", "sleep", "outage"]

PLACES: Final = tuple(
    f"{step}.{side}"
    for step in ("t1", "t2", "call", "t3", "commit")
    for side in ("before", "after")
)
"""Where a server can be had to fail, in the order in which an order comes by."""

ACTIONS: Final[dict[ActionName, bool]] = {
    "kill": False,
    "error": False,
    "sleep": True,
    "outage": True,
}
"""What can happen there, and whether it takes seconds."""

SECONDS_MAX: Final = 3600.0
"""No sleep and no outage lasts longer: a slip of the pen must not hang a test for a day."""

_CLAUSE = re.compile(r"([\w.]+)=(\w+)(?:\((\d+(?:\.\d+)?)\))?(?:@([1-9]\d{0,8})(\+)?)?")


@dataclass(frozen=True, slots=True)
class Failpoint:
    """`action` at `place`, at hit number `hit` and, where it is `lasting`, at each one after it.

    `seconds` is how long a sleep or an outage lasts, 0 for the other actions.
    """

    place: str
    action: ActionName
    seconds: float = 0.0
    hit: int = 1
    lasting: bool = False


def parse_failpoints(text: str) -> tuple[Failpoint, ...]:
    """The failpoints that `text` names, separated by semicolons.

    Raises:
        SettingsUnusable: it names none, or one of them is wrong; with a sentence that says which.
    """
    clauses = [clause for clause in map(str.strip, text.split(";")) if clause]
    if not clauses:
        raise SettingsUnusable("failpoints: none is named; unset the variable instead")
    return tuple(map(_parse, clauses))


def _parse(clause: str) -> Failpoint:
    match = _CLAUSE.fullmatch("".join(clause.split()))
    if match is None:
        raise _wrong(clause, "one looks like t1.before=kill@3 or call.after=sleep(2)")
    place, name, seconds, hit, lasting = match.groups()
    if place not in PLACES:
        raise _wrong(clause, f"the places are {', '.join(PLACES)}")
    action = next((one for one in ACTIONS if one == name), None)
    if action is None:
        raise _wrong(clause, f"the actions are {', '.join(ACTIONS)}")
    if ACTIONS[action] != (seconds is not None):
        how = f"{action}(SECONDS)" if ACTIONS[action] else f"{action} without seconds"
        raise _wrong(clause, f"write {how}")
    if seconds is not None and not 0 < float(seconds) <= SECONDS_MAX:
        raise _wrong(clause, f"seconds are more than 0 and at most {SECONDS_MAX:g}")
    if action == "outage" and lasting:
        raise _wrong(clause, "an outage begins once; leave the + away")
    return Failpoint(place, action, float(seconds or 0), int(hit or 1), lasting is not None)


def _wrong(clause: str, why: str) -> SettingsUnusable:
    return SettingsUnusable(f"failpoints: {clause!r} is none; {why}")
