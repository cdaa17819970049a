"""What this house's sessions have claimed, so that one that was claimed elsewhere finds it out."""

from collections.abc import Iterator
from itertools import islice

from .ports import SessionKey

Claim = tuple[SessionKey, int]
"""A session, and the epoch that an activation of it has claimed."""


class Claims:
    """The claims of all sessions in memory. A commit under a claim that is not the last one is refused."""

    def __init__(self) -> None:
        self._epochs: dict[SessionKey, int] = {}

    def took(self, key: SessionKey, epoch: int) -> None:
        """An activation has claimed this epoch."""
        self._epochs[key] = epoch

    def gave_up(self, key: SessionKey, epoch: int) -> None:
        """The activation with this epoch has ended; a later one's claim stands."""
        if self._epochs.get(key) == epoch:
            del self._epochs[key]

    def pages(self, most: int) -> Iterator[tuple[Claim, ...]]:
        """All claims of this moment, at most so many at a time."""
        claims = iter(tuple(self._epochs.items()))
        while page := tuple(islice(claims, most)):
            yield page
