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
    """One house's life, counted in steps; at step `dies_at` (None: never) its fate comes.

    A paused life goes on where it stood once it is woken; a killed one never does. A frozen one keeps its
    connections and goes on with them.
    """

    def __init__(
        self,
        dies_at: int | None,
        *,
        counts: Callable[[str], bool] = lambda name: True,
        heard: Callable[[str], None] = lambda name: None,
        fate: "Callable[[Life], None] | None" = None,
    ) -> None:
        """Args:
        counts: whether a step of this name is one of those that are counted.
        heard: is told of each step, and of the death.
        fate: what happens to it then; by default it dies.
        """
        self.steps: list[str] = []
        self.cut = False
        self.frozen = False
        self.fate_came = trio.Event()
        self.died = trio.Event()
        self._fate = fate or Life.die
        self._dies_at = dies_at
        self._counts = counts
        self._heard = heard
        self._woken = trio.Event()
        self._is_gone = False
        self._thawed = trio.Event()
        self._at_death: dict[Callable[[], object], Callable[[], object]] = {}

    async def step(self, name: str) -> None:
        """A step of the house begins here, unless it dies of it. No checkpoint while it lives."""
        if not self.cut:
            self._heard(name)
            if self._counts(name):
                self.steps.append(name)
                if len(self.steps) == self._dies_at:
                    self.fate_came.set()
                    self._fate(self)
        if self.frozen:
            await self._thawed.wait()
        if self.cut:
            await self._woken.wait()
            if self._is_gone:
                raise StorageUnavailable("simulated: the process is gone")

    def has_opened(self) -> None:
        """From now on it serves."""
        self._heard("opens")

    def die(self) -> None:
        """Cut the house from everything, now. Whoever owns its tasks cancels them after `died`."""
        if not self.cut:
            self._heard("dies")
            self._end()
            for do in tuple(self._at_death):
                do()

    def lose_power(self) -> None:
        """As `die`, but nobody is left who could tell the peers that their connections are gone."""
        if not self.cut:
            self._heard("loses power")
            self._end()
            for do in tuple(self._at_death.values()):
                do()

    def be_asked_to_end(self) -> None:
        """It works on, and ends in order: whoever runs it sees to that after `fate_came`."""
        self._heard("is asked to end")

    def has_ended(self) -> None:
        """It has ended in order: what connections are left go with the process."""
        if not self.cut:
            self._heard("has ended")
            self._end()
            for do in tuple(self._at_death):
                do()

    def freeze(self) -> None:
        """It stands still with all its connections, until `thaw`."""
        self._heard("freezes")
        self.frozen = True

    def thaw(self) -> None:
        """A frozen house goes on, and does not know that it was away."""
        self._heard("goes on")
        self.frozen = False
        self._thawed.set()

    def _end(self) -> None:
        self.cut = True
        self.died.set()

    @property
    def is_known(self) -> bool:
        """Whether all until now was the same in the run without a death."""
        return self._dies_at is not None and len(self.steps) < self._dies_at - 1

    def wake(self) -> None:
        """A paused house goes on. Nobody is connected to it any more."""
        self._woken.set()

    def be_gone(self) -> None:
        """Its tasks are cancelled. What a shield keeps at one of its steps goes no further either."""
        self._is_gone = True
        self._woken.set()

    @contextmanager
    def at_death(
        self, do: Callable[[], object], *, without_power: Callable[[], object] | None = None
    ) -> Iterator[None]:
        """`do` is called when the house dies within this block. It must not block.

        `without_power` is called in its place when the house dies by a loss of power.
        """
        self._at_death[do] = without_power or do
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
        self.count = 0
        """Of houses that have opened."""
        self.began: list[float] = []
        """When a house did, or went on after it had stood still: what was due meanwhile is due then."""
        self._opened = trio.Event()

    def open(self, house: H, life: Life) -> None:
        """From now on this one is asked."""
        self._alive = (house, life)
        self._opened.set()
        self._opened = trio.Event()
        self.count += 1
        self.began.append(trio.current_time())

    def goes_on(self) -> None:
        """A house that was frozen or paused does: perhaps nobody has taken its tables over."""
        self.began.append(trio.current_time())

    def alive_now(self) -> tuple[H, Life] | None:
        """The house that lives, if one does and answers."""
        there = self._alive
        return None if there is None or there[1].cut or there[1].frozen else there

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
