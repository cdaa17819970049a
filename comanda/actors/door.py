"""A table's door: how often a wrong PIN may be said before joining rests for everybody."""

from collections import OrderedDict
from typing import Final

import trio

from .domain.inputs import Admit, Decision, Input, Refusal
from .domain.messages import Rejection
from .domain.session import Session

WRONG_PINS: Final = 10
"""Wrong PINs until joining rests. Who mishears one needs two or three."""

FIRST_REST_SECONDS: Final = 60.0
"""How long joining rests at first. Each further rest of the same session lasts twice as long."""

LONGEST_REST_SECONDS: Final = 1800.0
"""So an evening of six hours has room for some 160 guesses among 10,000 PINs. Without the doubling it
were 3,600."""


MAX_DOORS: Final = 20_000
"""Twice the sessions that may be in memory. Beyond, the one that was activated longest ago is forgotten."""


class Door:
    """One session's. It outlasts the session's activations: who guesses may wait for one to end."""

    def __init__(self) -> None:
        self._wrong = 0
        self._rests = 0
        self._rests_until = 0.0

    def shut(self, session: Session, said: Input) -> Refusal | None:
        """The refusal of somebody who joins while joining rests; None: decide upon it."""
        if not isinstance(said, Admit) or session.join_pin is None:
            return None
        wait = self._rests_until - trio.current_time()
        if wait <= 0:
            return None
        sentence = "Too many wrong PINs: joining this table rests for a while"
        return Refusal(Rejection("rate_limited", sentence, round(wait, 3)))

    def note(self, outcome: Decision | Refusal) -> None:
        """Count a wrong PIN."""
        if not isinstance(outcome, Refusal) or outcome.rejection.code != "pin_wrong":
            return
        self._wrong += 1
        if self._wrong % WRONG_PINS == 0:
            rest = min(FIRST_REST_SECONDS * 2**self._rests, LONGEST_REST_SECONDS)
            self._rests += 1
            self._rests_until = trio.current_time() + rest


class Doors:
    """The doors of a house, by session; at most `MAX_DOORS`."""

    def __init__(self) -> None:
        self._doors: OrderedDict[str, Door] = OrderedDict()

    def of(self, pid: str) -> Door:
        """The door of a session."""
        door = self._doors.setdefault(pid, Door())
        self._doors.move_to_end(pid)
        if len(self._doors) > MAX_DOORS:
            self._doors.popitem(last=False)
        return door
