"""The houses of one run, one after another: who is alive, and when one of them dies."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import trio

from comanda.actors.ports import NoSuchSession, StorageUnavailable
from comanda.runtime import RuntimeRefusal

T = TypeVar("T")
H = TypeVar("H")

TRY_AGAIN_SECONDS = 0.5
"""Between two tries of whoever finds no house, or one that refuses."""


class Life:
    """One house's life, counted in steps; it ends at step `dies_at` (None: never).

    A paused life goes on where it stood once it is woken; a killed one never does.
    """

    def __init__(
        self,
        dies_at: int | None,
        *,
        counts: Callable[[str], bool] = lambda name: True,
        heard: Callable[[str], None] = lambda name: None,
    ) -> None:
        """Args:
        counts: whether a step of this name is one of those that are counted.
        heard: is told of each step, and of the death.
        """
        self.steps: list[str] = []
        self.cut = False
        self.died = trio.Event()
        self._dies_at = dies_at
        self._counts = counts
        self._heard = heard
        self._woken = trio.Event()
        self._at_death: dict[Callable[[], object], None] = {}

    async def step(self, name: str) -> None:
        """A step of the house begins here, unless it dies of it. No checkpoint while it lives."""
        if not self.cut:
            self._heard(name)
            if self._counts(name):
                self.steps.append(name)
                if len(self.steps) == self._dies_at:
                    self.die()
        if self.cut:
            await self._woken.wait()

    def die(self) -> None:
        """Cut the house from everything, now. Whoever owns its tasks cancels them after `died`."""
        if self.cut:
            return
        self._heard("dies")
        self.cut = True
        self.died.set()
        for do in tuple(self._at_death):
            do()

    @property
    def is_known(self) -> bool:
        """Whether all until now was the same in the run without a death."""
        return self._dies_at is not None and len(self.steps) < self._dies_at - 1

    def wake(self) -> None:
        """A paused house goes on. Nobody is connected to it any more."""
        self._woken.set()

    @contextmanager
    def at_death(self, do: Callable[[], object]) -> Iterator[None]:
        """`do` is called when the house dies within this block. It must not block."""
        self._at_death[do] = None
        try:
            yield
        finally:
            self._at_death.pop(do, None)

    @contextmanager
    def shared(self) -> Iterator[trio.CancelScope]:
        """What is asked of the house in this block ends with it, without an answer."""
        with trio.CancelScope() as scope, self.at_death(scope.cancel):
            yield scope


class Houses(Generic[H]):
    """Who is alive now, for phones and for a POS that calls back."""

    def __init__(self) -> None:
        self._alive: tuple[H, Life] | None = None
        self.starts: list[float] = []
        self._opened = trio.Event()

    def open(self, house: H, life: Life) -> None:
        """From now on this one is asked."""
        self._alive = (house, life)
        self._opened.set()
        self._opened = trio.Event()
        self.starts.append(trio.current_time())

    def alive_now(self) -> tuple[H, Life] | None:
        """The house that lives, if one does."""
        return None if self._alive is None or self._alive[1].cut else self._alive

    async def alive(self) -> tuple[H, Life]:
        """The house that lives, waited for."""
        while (there := self.alive_now()) is None:
            await self._opened.wait()
        return there

    async def ask(self, question: Callable[[H], Awaitable[T]]) -> T:
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
