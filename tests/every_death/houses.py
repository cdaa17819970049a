"""The houses of one run, one after another: who is alive, and when one of them dies."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import trio

from comanda.actors.house import House
from comanda.actors.ports import NoSuchSession, StorageUnavailable
from comanda.runtime import RuntimeRefusal

T = TypeVar("T")

TRY_AGAIN_SECONDS = 0.5
"""Between two tries of whoever finds no house, or one that refuses."""


class Life:
    """One house's life, counted in steps; it ends at step `dies_at` (None: never).

    A paused life goes on where it stood once it is woken; a killed one never does.
    """

    def __init__(self, dies_at: int | None) -> None:
        self.steps: list[str] = []
        self.cut = False
        self.died = trio.Event()
        self._dies_at = dies_at
        self._woken = trio.Event()
        self._scopes: set[trio.CancelScope] = set()

    async def step(self, name: str) -> None:
        """A step of the house begins here, unless it dies of it. No checkpoint while it lives."""
        if not self.cut:
            self.steps.append(name)
            if len(self.steps) == self._dies_at:
                self.cut = True
                self.died.set()
                for scope in self._scopes:
                    scope.cancel()
        if self.cut:
            await self._woken.wait()

    @property
    def is_known(self) -> bool:
        """Whether all until now was the same in the run without a death."""
        return self._dies_at is not None and len(self.steps) < self._dies_at - 1

    def wake(self) -> None:
        """A paused house goes on. Nobody is connected to it any more."""
        self._woken.set()

    @contextmanager
    def shared(self) -> Iterator[trio.CancelScope]:
        """What is asked of the house in this block ends with it, without an answer."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield scope
            finally:
                self._scopes.discard(scope)


class Houses:
    """Who is alive now, for phones and for a POS that calls back."""

    def __init__(self) -> None:
        self._alive: tuple[House, Life] | None = None
        self.starts: list[float] = []
        self._opened = trio.Event()

    def open(self, house: House, life: Life) -> None:
        self._alive = (house, life)
        self._opened.set()
        self._opened = trio.Event()
        self.starts.append(trio.current_time())

    async def alive(self) -> tuple[House, Life]:
        """The house that lives, waited for."""
        while self._alive is None or self._alive[1].cut:
            await self._opened.wait()
        return self._alive

    async def ask(self, question: Callable[[House], Awaitable[T]]) -> T:
        """Ask whichever house lives, and ask again until one has answered."""
        while True:
            house, life = await self.alive()
            try:
                with life.shared():
                    answer = await question(house)
                    if not life.cut:
                        return answer
            except (RuntimeRefusal, StorageUnavailable, NoSuchSession):
                pass
            await trio.sleep(TRY_AGAIN_SECONDS)
