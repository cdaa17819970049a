"""Messages upon which a session cannot decide: the ids that they need cannot be had."""

from collections.abc import Sequence

from .determinism import CountedIds
from .logbook import Logbook


class Poison(RuntimeError):
    """A session that meets it cannot decide, and crashes: as it should."""


class PoisonedIds(CountedIds):
    """Ids that count up; the asking for some of a line's fails, and with it the session that decides."""

    def __init__(self, poison: Sequence[int], logbook: Logbook) -> None:
        """Args:
        poison: the so-manieth line's id fails.
        """
        super().__init__()
        self._poison = frozenset(poison)
        self._logbook = logbook
        self._asked = 0

    def public_id(self) -> str:
        self._asked += 1
        if self._asked in self._poison:
            self._logbook.met("poison", "a message is poison: its session crashes")
            raise Poison("simulated: a message upon which nobody can decide")
        return super().public_id()
