"""One supervised child: incarnation after incarnation behind one mailbox and one ref."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, Literal, TypeVar, TypeVarTuple

import trio

from comanda.runtime.actor import Actor
from comanda.runtime.breaker import Breaker
from comanda.runtime.condition import ChildLimits, ChildState, ChildStatistics
from comanda.runtime.errors import ActorCrashed, ActorStopped, Quarantined
from comanda.runtime.events import (
    ActorEnded,
    ActorFailed,
    ActorQuarantined,
    ActorStarted,
    HookFailed,
    OnEvent,
)
from comanda.runtime.incarnation import Ending, Incarnation, Phase
from comanda.runtime.mailbox import Envelope, Mailbox
from comanda.runtime.ref import Ref
from comanda.runtime.restart import RestartPolicy, RestartWindow
from comanda.runtime.start import Start, is_outage, raiser, refuse_for_outage

M = TypeVar("M")
Ts = TypeVarTuple("Ts")


class Child(Generic[M]):
    """Restarts, rests and ends one actor. Everything but `run` is synchronous."""

    def __init__(
        self,
        key: Hashable,
        factory: Callable[[], Actor[M]],
        *,
        policy: RestartPolicy,
        limits: ChildLimits,
        refusals: tuple[type[Exception], ...],
        breaker: Breaker,
        random: Callable[[], float],
        on_event: OnEvent,
        on_ended: Callable[[Child[M]], None],
        admit: Callable[[Child[M]], trio.Event | None] | None,
        room: trio.Event | None,
    ) -> None:
        """Make a child; `run` brings it to life.

        Args:
            admit: is asked before a passivated child that is wanted again goes on; raises the
                refusal if there is no room, returns the moment to wait for if room is being made.
            room: what to wait for before the first incarnation.
        """
        self.key = key
        self.mailbox: Mailbox[M] = Mailbox(limits.mailbox_capacity, limits.own_capacity)
        self.ref: Ref[M] = Ref(self)
        self.state = ChildState.STARTING
        self.start = Start()
        self.ended = trio.Event()
        self.passivated: trio.Event | None = None
        self.quarantined_until: float | None = None
        self._room = room
        self.restarts = 0
        self._factory = factory
        self._policy = policy
        self._window = RestartWindow(policy)
        self._limits = limits
        self._refusals = refusals
        self._breaker = breaker
        self._random = random
        self._on_event = on_event
        self._on_ended = on_ended
        self._admit = admit
        self._incarnation: Incarnation[M] | None = None
        self._number = 0
        self._been_live = False
        self._worth_holding = False
        self._stop_deadline: float | None = None
        self._pause_scope: trio.CancelScope | None = None
        self._last_view: object = None
        self._since = trio.current_time()

    # What others see

    @property
    def alive(self) -> bool:
        """True while the mailbox lets guests in and the actor has been up."""
        return self._been_live and self.state not in {
            ChildState.STOPPING,
            ChildState.HELD,
            ChildState.ENDED,
        }

    @property
    def view(self) -> object:
        """The view of the incarnation that works, or else of the last that did."""
        incarnation = self._incarnation
        if incarnation is None or incarnation.phase is Phase.STARTING or incarnation.over:
            return self._last_view
        return None if incarnation.actor is None else incarnation.actor.view

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last batch, or since it was last looked up."""
        since = self._since if self._incarnation is None else self._incarnation.last_active
        return trio.current_time() - since

    def touch(self) -> None:
        """Begin the idle time anew: somebody has just looked it up."""
        if self._incarnation is not None:
            self._incarnation.last_active = trio.current_time()

    def statistics(self) -> ChildStatistics:
        """Count what is here and what has been."""
        return ChildStatistics(
            key=self.key,
            state=self.state,
            incarnation=self._number,
            restarts=self.restarts,
            age_seconds=trio.current_time() - self._since,
            idle_seconds=self.idle_seconds,
            mailbox=self.mailbox.statistics(),
        )

    # What it is asked to do

    @property
    def may_passivate(self) -> bool:
        """True if it could be passivated at this moment."""
        incarnation = self._incarnation
        if self.state is not ChildState.LIVE or incarnation is None or incarnation.actor is None:
            return False
        if not self.mailbox.idle:
            return False
        try:
            return incarnation.actor.may_passivate()
        except Exception as error:
            self._report_hook("may_passivate", error)
            return False

    def begin_passivation(self) -> trio.Event:
        """Ask it to passivate, where `may_passivate`; returns the moment when it has."""
        assert self._incarnation is not None
        self.state = ChildState.PASSIVATING
        self.start = Start()
        self.passivated = trio.Event()
        self._incarnation.passivate(trio.current_time() + self._limits.stop_deadline_seconds)
        return self.passivated

    def ask_to_stop(self, deadline: float) -> None:
        """Ask it to end: no new guests, what waits is worked off, then `on_stop`.

        Args:
            deadline: the moment, on Trio's clock, at which it is forced to.
        """
        if self.state is ChildState.ENDED:
            return
        self._stop_deadline = deadline
        if self._pause_scope is not None:
            self._pause_scope.cancel()
        if self._incarnation is not None:
            if self.state is ChildState.LIVE:
                self.start = Start()
            self.state = ChildState.STOPPING
            self._incarnation.drain(deadline)

    def answer_everything(self) -> None:
        """Answer what it holds and what waits: it shields itself and they need not wait."""
        self._answer_held()
        self.mailbox.close()
        self._answer_waiting(lambda: ActorStopped("The actor was stopped."))

    # Its life

    async def run(self) -> None:
        """Live until it ends. When cancelled everything it holds is answered on the way out."""
        try:
            while await self._has_room() and await self._has_ground():
                ending = await self._incarnate()
                if not await self._goes_on_after(ending):
                    break
        finally:
            self._end()

    async def _pause(self, wait: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> bool:
        """Wait, but not beyond a stop. False if it was asked to stop."""
        if self._stop_deadline is None:
            with trio.CancelScope() as self._pause_scope:
                await wait(*args)
            self._pause_scope = None
        return self._stop_deadline is None

    async def _has_room(self) -> bool:
        room, self._room = self._room, None
        return room is None or await self._pause(room.wait)

    async def _has_ground(self) -> bool:
        """Wait while the breaker is open, if there was a life to go on with."""
        while self._breaker.is_open:
            self._refuse_callers(refuse_for_outage)
            if not self._worth_holding:
                return False
            self.state = ChildState.HELD
            self.mailbox.close(refuse_for_outage)
            spread_seconds = self._breaker.policy.spread_seconds * self._random()
            if not await self._pause(self._breaker.wait_closed):
                return False
            self.state = ChildState.RESTARTING
            self.mailbox.reopen()
            if not await self._pause(trio.sleep, spread_seconds):
                return False
        return self._stop_deadline is None

    async def _incarnate(self) -> Ending:
        self._number += 1
        incarnation = self._incarnation = Incarnation(
            self._factory,
            self.ref,
            self._number,
            self.mailbox,
            refusals=self._refusals,
            start_deadline_seconds=self._limits.start_deadline_seconds,
            stop_deadline_seconds=self._limits.stop_deadline_seconds,
            on_started=self._started,
            on_stopping=self._stopping,
            on_hook_failed=self._report_hook,
        )
        self.mailbox.reopen()
        try:
            return await incarnation.run()
        finally:
            self._keep_view(incarnation)
            self._answer_held()
            self._answer(self.mailbox.take_own(), lambda: ActorStopped("The actor has ended."))
            self._incarnation = None

    def _started(self) -> None:
        self.state = ChildState.LIVE
        self._been_live = self._worth_holding = True
        self.start.succeed()
        self._on_event(ActorStarted(self.key, self._number))

    def _stopping(self) -> None:
        if self.state is ChildState.LIVE:  # It stops itself; else the state says already why.
            self.state = ChildState.STOPPING
            self.start = Start()
            self.mailbox.drain(lambda: ActorStopped("The actor is stopping."))

    async def _goes_on_after(self, ending: Ending) -> bool:
        error = ending.error
        if ending.refusal is not None:
            self._report_ended("refused")
            self._refuse_callers(raiser(ending.refusal))
            return False
        outage = error is not None and is_outage(error)
        if outage and error is not None:
            self._breaker.open(error)
        if self._stop_deadline is not None or ending.phase is Phase.STOPPING:
            self._report_asked_end(ending)
            return self._stays_wanted()
        if error is None:
            raise AssertionError("An incarnation ended for no reason.")
        if self.state is ChildState.LIVE:
            self.start = Start()
        self.state = ChildState.RESTARTING if self._worth_holding else ChildState.STARTING
        if outage:
            self._on_event(ActorFailed(self.key, self._number, error, None))
            return True
        return await self._restarts_after(error, ending.phase)

    def _stays_wanted(self) -> bool:
        """After a passivation: whether somebody came meanwhile and there is room for it."""
        if self.passivated is None:
            return False
        self.passivated.set()
        self.passivated = None
        if self._stop_deadline is not None or not (self.mailbox.depth or self.start.waiting):
            return False
        try:
            self._room = self._admit(self) if self._admit else None
        except Exception as refusal:
            self._refuse_callers(raiser(refusal))
            return False
        self.state = ChildState.STARTING
        # Unloaded, it has no work of its own to go on with when an outage ends.
        self._worth_holding = False
        return True

    async def _restarts_after(self, error: Exception, phase: Phase) -> bool:
        now = trio.current_time()
        if not self._window.add_restart(now):
            self._on_event(ActorFailed(self.key, self._number, error, None))
            self._enter_quarantine(now + self._policy.quarantine_seconds)
            return False
        delay_seconds = self._policy.backoff_seconds(self._window.count(now), self._random())
        self.restarts += 1
        self._on_event(ActorFailed(self.key, self._number, error, delay_seconds))
        if phase is not Phase.STARTING:
            # Those that came in while it was down still wait: nothing has been lost for them.
            self._answer_waiting(
                lambda: ActorStopped("The actor crashed before it took the message.")
            )
        return await self._pause(trio.sleep, delay_seconds)

    def _enter_quarantine(self, until: float) -> None:
        def quarantined() -> Exception:
            left = until - trio.current_time()
            return Quarantined(left) if left > 0 else ActorStopped("The actor has ended.")

        self.quarantined_until = until
        self.mailbox.close(quarantined)
        self._answer_waiting(quarantined)
        self.start.fail(lambda: ActorCrashed(f"The actor {self.key!r} keeps crashing."))
        self._on_event(ActorQuarantined(self.key, self._policy.quarantine_seconds))

    def _end(self) -> None:
        self.state = ChildState.ENDED
        if self.quarantined_until is None:
            self.mailbox.close()
        self._refuse_callers(lambda: ActorStopped(f"The actor {self.key!r} has ended."))
        if self.passivated is not None:
            self.passivated.set()
        self._last_view = None
        self._on_ended(self)
        self.ended.set()

    # Answers and reports

    def _refuse_callers(self, refuse: Callable[[], Exception]) -> None:
        """Tell all who wait, for the start or in the mailbox, that nothing comes of it."""
        start, self.start = self.start, Start()
        start.fail(refuse)
        self._answer_waiting(refuse)

    def _answer_waiting(self, refuse: Callable[[], Exception]) -> None:
        self._answer(self.mailbox.take_all(), refuse)

    def _answer_held(self) -> None:
        if self._incarnation is not None:
            held, self._incarnation.held = self._incarnation.held, []
            self._answer(held, lambda: ActorCrashed("The actor crashed with the message in hand."))

    def _answer(self, envelopes: Iterable[Envelope[M]], refuse: Callable[[], Exception]) -> None:
        for envelope in envelopes:
            try:
                envelope.fail(refuse())
            except Exception as error:  # One bad reply slot must not silence the others.
                self._report_hook("reply", error)

    def _keep_view(self, incarnation: Incarnation[M]) -> None:
        if incarnation.phase is not Phase.STARTING and incarnation.actor is not None:
            try:
                self._last_view = incarnation.actor.view
            except Exception as error:
                self._report_hook("view", error)

    def _report_hook(self, hook: str, error: Exception) -> None:
        self._on_event(HookFailed(self.key, hook, error))

    def _report_asked_end(self, ending: Ending) -> None:
        if ending.error is not None:
            self._on_event(ActorFailed(self.key, self._number, ending.error, None))
        elif ending.forced and ending.phase is not Phase.STARTING:
            self._report_ended("forced")
        else:
            self._report_ended("stopped" if self.passivated is None else "passivated")

    def _report_ended(self, reason: Literal["passivated", "stopped", "refused", "forced"]) -> None:
        self._on_event(ActorEnded(self.key, self._number, reason))
