"""What the house does unasked: it looks at storage now and then and reminds sessions of what is due.

Deadlines are watched here and not by the actors, so that a passivated or quarantined session is watched
too. No session's trouble may delay another's: each is reached in a task of its own.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import trio

from comanda.logs import get_log
from comanda.runtime import Quarantined, Registry, RuntimeRefusal, TooManyActors

from .domain.inputs import CloseSession, LockEnded
from .ports import SessionKey
from .rounds import Errand, Rounds
from .sayings import CheckClaim, Message
from .surroundings import Surroundings
from .unattended import decide_unattended

log = get_log("comanda.house")


@dataclass(frozen=True, slots=True)
class SweepLimits:
    """How often each sweep looks, in seconds, and how much it takes on.

    `locks_seconds`: orders whose lock limit has passed. `unsettled_seconds`: orders in flight without a
    live actor. `claims_seconds`: sessions in memory that another house has claimed, `claims_most` at a
    time. `forgotten_seconds`: sessions that nothing has changed for `forgotten_after_seconds`.
    `most`: sessions that one look takes; the rest comes with the next. `forget_seconds`: sessions that
    have been closed for `forget_guests_after_seconds`, by default thirty days: what a guest complains of,
    or a card company asks about, is heard of within some weeks. They are forgotten `forget_most` at a
    time, each time in one short transaction, since everybody's commits wait behind it.
    """

    locks_seconds: float = 0.5
    unsettled_seconds: float = 5.0
    claims_seconds: float = 5.0
    claims_most: int = 512
    forgotten_seconds: float = 60.0
    forgotten_after_seconds: float = 6 * 3600.0
    most: int = 500
    forget_seconds: float = 600.0
    forget_guests_after_seconds: float = 30 * 86_400.0
    forget_most: int = 4


class Sweeps:
    """The sweeps of one house. `reread_menus` is asked each time whether menus must be read again."""

    def __init__(
        self,
        around: Surroundings,
        registry: Registry[SessionKey, Message],
        limits: SweepLimits,
        reread_menus: Callable[[], Awaitable[None]],
    ) -> None:
        self._around = around
        self._store = around.store
        self._clock = around.clock
        self._registry = registry
        self._limits = limits
        self._reread_menus = reread_menus

    async def run(self) -> None:
        """Look until cancelled. The first look at orders in flight comes at once."""
        limits = self._limits
        async with trio.open_nursery() as nursery:
            rounds = self._rounds = Rounds(nursery, limits.most)
            rounds.every(limits.unsettled_seconds, self._take_up_unsettled)
            rounds.every(limits.claims_seconds, self._check_claims)
            rounds.every(limits.locks_seconds, self._end_locks)
            rounds.every(limits.locks_seconds, self._reread_menus)
            rounds.every(limits.forgotten_seconds, self._close_forgotten)
            rounds.every(limits.forget_seconds, self._forget_guests)

    async def _take_up_unsettled(self) -> None:
        """Activate every session with an order in flight; the activation does the rest."""
        unsettled = await self._store.unsettled_sessions()
        left = [key for key in unsettled if self._registry.live(key) is None]
        for key in left[: self._limits.most]:
            self._reach(key, None)

    async def _check_claims(self) -> None:
        """A session that was claimed elsewhere finds out by its next commit: here is one, if no other.

        Without it a table at which nobody can do anything, since its cart is locked, would show for ever
        what was true when it was claimed.
        """
        for claims in self._around.claims.pages(self._limits.claims_most):
            for key in await self._store.claimed_since(claims):
                live = self._registry.live(key)
                if live is not None:
                    with suppress(RuntimeRefusal):  # the next look finds it again
                        live.tell(CheckClaim())

    async def _end_locks(self) -> None:
        now = self._clock.now()
        for overdue in await self._store.overdue_orders(now, self._limits.most):
            self._reach(overdue.key, LockEnded(overdue.order_id))

    async def _close_forgotten(self) -> None:
        before = self._clock.now() - timedelta(seconds=self._limits.forgotten_after_seconds)
        for key in await self._store.idle_sessions(before, self._limits.most):
            self._reach(key, CloseSession("nobody has been here for a long time"))

    async def _forget_guests(self) -> None:
        """In storage alone: a session that was closed so long ago is in nobody's memory."""
        limits = self._limits
        forgotten = limits.forget_most
        while forgotten == limits.forget_most:
            now = self._clock.now()
            before = now - timedelta(seconds=limits.forget_guests_after_seconds)
            forgotten = await self._store.forget_closed(before, now, limits.forget_most)
            if forgotten:
                log.info("guests forgotten", sessions=forgotten)

    def _reach(self, key: SessionKey, message: LockEnded | CloseSession | None) -> None:
        """Tell a session, or only activate it; not while the same is under way already."""
        what = "take up" if message is None else type(message).__name__
        self._rounds.send(Errand(what, key.pid), partial(self._run_errand, key, message))

    async def _run_errand(self, key: SessionKey, message: LockEnded | CloseSession | None) -> None:
        if message is None:
            await self._registry.ref(key)
            return
        try:
            await self._registry.tell(key, message)
        except (Quarantined, TooManyActors):
            # A lock ends in time whoever rests, and however full the house is: the staff must hear of it.
            if not isinstance(message, LockEnded):
                raise
            await decide_unattended(self._around, key, message)
