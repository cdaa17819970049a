"""Who may be live: bounds on all actors and on each group, and whom to passivate for room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Generic, TypeVar

import trio

from comanda.runtime.child import Child
from comanda.runtime.errors import TooManyActors

K = TypeVar("K", bound=Hashable)
M = TypeVar("M")

SEARCH_MAX_ACTORS = 1000
"""The most looked at for an idle one, so that a full house refuses cheaply. The next search
goes on where the last one ended, so all are looked at in turn."""


class Rooms(Generic[K, M]):
    """One room an actor. Everything here is synchronous.

    An actor that is passivated for another's sake has given its room away: until it is gone
    it is not counted, the one that waits for it is.
    """

    def __init__(
        self,
        max_live: int,
        max_live_per_group: int | None,
        group_of: Callable[[K], Hashable] | None,
    ) -> None:
        if max_live < 1 or (max_live_per_group is not None and max_live_per_group < 1):
            raise ValueError("There is room for one actor at least.")
        self._max_live = max_live
        self._max_live_per_group = max_live if max_live_per_group is None else max_live_per_group
        self._group_of = group_of or _one_group
        self._all: OrderedDict[K, Child[M]] = OrderedDict()
        self._groups: dict[Hashable, OrderedDict[K, Child[M]]] = {}
        self._leaving: dict[K, Hashable] = {}

    def children(self, group: Hashable | None = None) -> list[Child[M]]:
        """Those of a group, or all."""
        if group is None:
            return list(self._all.values())
        return list(self._groups.get(group, {}).values())

    def make(self, key: K) -> trio.Event | None:
        """Find room for a key; passivate an idle actor if that makes room.

        Returns the moment to wait for, or None if there is room now.

        Raises:
            TooManyActors: a bound is reached and none is idle.
        """
        group = self._group_of(key)
        members = self._groups.get(group, OrderedDict())
        leaving = sum(1 for other in self._leaving.values() if other == group)
        if len(members) - leaving >= self._max_live_per_group:
            return self._passivate_one(
                members, f"The group has {self._max_live_per_group} live actors, none is idle."
            )
        if len(self._all) - len(self._leaving) >= self._max_live:
            return self._passivate_one(
                self._all, f"There are {self._max_live} live actors, and none is idle."
            )
        return None

    def readmit(self, key: K) -> trio.Event | None:
        """Find room for an actor that was passivated and is wanted again; as `make`."""
        if key not in self._leaving:
            return None
        room = self.make(key)
        del self._leaving[key]
        return room

    def enter(self, key: K, child: Child[M]) -> None:
        """Take the room that `make` found."""
        self._all[key] = child
        self._groups.setdefault(self._group_of(key), OrderedDict())[key] = child

    def leave(self, key: K) -> None:
        """Give the room back."""
        group = self._group_of(key)
        self._all.pop(key, None)
        self._leaving.pop(key, None)
        members = self._groups.get(group)
        if members is not None:
            members.pop(key, None)
            if not members:
                del self._groups[group]

    def _passivate_one(self, among: OrderedDict[K, Child[M]], refusal: str) -> trio.Event:
        chosen: K | None = None
        idle_seconds = -1.0
        for key in self._in_turn(among):
            child = among[key]
            if child.idle_seconds > idle_seconds and child.may_passivate:
                chosen, idle_seconds = key, child.idle_seconds
        if chosen is None:
            raise TooManyActors(refusal)
        self._leaving[chosen] = self._group_of(chosen)
        return among[chosen].begin_passivation()

    @staticmethod
    def _in_turn(among: OrderedDict[K, Child[M]]) -> Iterable[K]:
        keys = list(islice(among, SEARCH_MAX_ACTORS))
        if len(keys) < len(among):
            for key in keys:
                among.move_to_end(key)
        return keys


def _one_group(_: object) -> Hashable:
    return None
