"""The registry: one live actor a key, activated when asked for, passivated when idle."""

from __future__ import annotations

import math
import random as random_module
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from comanda.runtime.actor import Actor
from comanda.runtime.breaker import BreakerPolicy
from comanda.runtime.child import Child
from comanda.runtime.condition import ChildLimits, ChildState, ChildStatistics
from comanda.runtime.errors import ActorStopped, AskTimeout, Quarantined
from comanda.runtime.events import OnEvent, QuarantineEnded
from comanda.runtime.mailbox import DEFAULT_CAPACITY, DEFAULT_OWN_CAPACITY
from comanda.runtime.ref import Ref
from comanda.runtime.restart import RestartPolicy
from comanda.runtime.rooms import Rooms
from comanda.runtime.start import refuse_for_outage
from comanda.runtime.supervisor import Supervisor

K = TypeVar("K", bound=Hashable)
M = TypeVar("M")

DEFAULT_ASK_TIMEOUT_SECONDS = 10.0
"""For `Registry.ask`: longer than an activation takes, shorter than a guest's patience."""

SWEEP_MIN_SECONDS = 0.05
"""The shortest between two looks for what is idle, so that tiny idle times do not spin."""

SWEEP_MAX_SECONDS = 30.0
"""The longest between two looks for what is idle; quarantines that are over go then too."""

SWEEP_MAX_PASSIVATIONS = 256
"""The most passivated in one look, so that a quiet house does not rush to storage at once."""


@dataclass(frozen=True, slots=True)
class RegistryStatistics:
    """The registry at one moment."""

    live: int
    """Actors that take messages."""
    activating: int
    """On their first way up."""
    restarting: int
    """On their way up again after a crash."""
    ending: int
    """Being passivated or stopped."""
    held: int
    """Down until the outage is over."""
    quarantined: int
    outage: bool
    activations_total: int
    events_lost_total: int
    """Events whose hook raised."""
    depth_total: int
    """Guests' envelopes that wait, of all actors."""
    depth_max: int
    """Guests' envelopes that wait, of the actor with the most."""
    children: tuple[ChildStatistics, ...]


class Registry(Generic[K, M]):
    """Finds the actor of a key, or activates it.

    Run it in a nursery and stop it there::

        async with trio.open_nursery() as nursery:
            registry = Registry(make_actor)
            await nursery.start(registry.run)
            ...
            await registry.stop(deadline_seconds=10)

    A message put through any ref is taken by one incarnation at most and answered once.
    """

    def __init__(
        self,
        factory: Callable[[K], Actor[M]],
        *,
        max_live: int = 10_000,
        max_live_per_group: int | None = None,
        group_of: Callable[[K], Hashable] | None = None,
        idle_seconds: float = 600.0,
        mailbox_capacity: int = DEFAULT_CAPACITY,
        own_capacity: int = DEFAULT_OWN_CAPACITY,
        start_deadline_seconds: float = 10.0,
        stop_deadline_seconds: float = 10.0,
        activation_wait_seconds: float = 15.0,
        refusals: tuple[type[Exception], ...] = (),
        policy: RestartPolicy | None = None,
        probe: Callable[[], Awaitable[None]] | None = None,
        breaker_policy: BreakerPolicy | None = None,
        on_event: OnEvent | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Make a registry; `run` sets it to work.

        Args:
            factory: makes a fresh actor object for a key, for each incarnation.
            max_live: actors at once, whatever their state; bounds memory (some 10 KB each).
            max_live_per_group: of these, how many may be of one group; default no bound but
                `max_live`.
            group_of: the group of a key; default all keys are one group.
            idle_seconds: without a message for so long, an actor is passivated; `math.inf`
                for never.
            mailbox_capacity: guests' messages that may wait, per actor.
            own_capacity: the actor's own messages that may wait.
            start_deadline_seconds: how long `on_start` may take; later is a crash.
            stop_deadline_seconds: how long a passivation may take before force.
            activation_wait_seconds: how long `ref` waits for an actor to come up; room for
                one start at its deadline and a restart.
            refusals: exceptions of `on_start` that are passed to the callers as they are, end
                that child normally and count as nothing ('no such session').
            policy: restart intensity, backoff, quarantine; counted per child.
            probe: returns if the ground is there, raises if not; see `Breaker`.
            breaker_policy: times of the probes.
            on_event: is told what happens, synchronously; see `events`.
            random: numbers from 0 up to 1, for jitter.
        """
        self._factory = factory
        self._idle_seconds = idle_seconds
        self._activation_wait_seconds = activation_wait_seconds
        self._supervisor: Supervisor[M] = Supervisor(
            policy=policy,
            limits=ChildLimits(
                mailbox_capacity, own_capacity, start_deadline_seconds, stop_deadline_seconds
            ),
            refusals=refusals,
            probe=probe,
            breaker_policy=breaker_policy,
            on_event=on_event,
            random=random,
        )
        self._rooms: Rooms[K, M] = Rooms(max_live, max_live_per_group, group_of)
        self._children: dict[K, Child[M]] = {}
        self._quarantined: dict[K, float] = {}
        self._max_quarantined = max_live
        self._activations_total = 0
        self._has_run = False
        self._finished = trio.Event()

    # Running

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own all actors, until `stop` or cancellation: `await nursery.start(registry.run)`.

        When cancelled all actors are cut off, and whatever they held is answered.

        Raises:
            RuntimeError: it ran before; make a new one.
        """
        if self._has_run:
            raise RuntimeError("A registry runs once.")
        self._has_run = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._sweep)
                await self._supervisor.run(task_status=task_status)
                nursery.cancel_scope.cancel()
        finally:
            self._finished.set()

    async def stop(self, deadline_seconds: float) -> None:
        """Ask all actors to stop together; what is there at the deadline is forced.

        From now on nothing is activated and no guest is let in (ActorStopped). What waits is
        worked off, then each actor's `on_stop` runs. Returns when `run` is over; an actor that
        shields itself against force is reported and waited for. When cancelled the actors
        still end by the deadline.

        Args:
            deadline_seconds: for all of them together.
        """
        if not self._has_run:
            return
        await self._supervisor.stop(deadline_seconds)
        await self._finished.wait()

    # Finding and activating

    async def ref(self, key: K) -> Ref[M]:
        """Return the ref of the live actor of this key; activate it if there is none.

        Callers at the same moment share one activation and its failure. A checkpoint; if the
        caller goes on without another, its next message is let in before any passivation.
        When cancelled the activation goes on for the others.

        Raises:
            TooManyActors: a bound is reached and no idle actor could be passivated.
            Quarantined: the actor crashed too often.
            Outage: nothing is activated at present.
            ActorCrashed: it crashed on its way up, over and over.
            ActorStopped: the registry stops, or the actor ended on its way up.
            AskTimeout: it did not come up within `activation_wait_seconds`.
            RuntimeError: the registry does not run yet.
        """
        await trio.lowlevel.checkpoint()
        child = self._children.get(key)
        if child is None or child.state is not ChildState.LIVE:
            with trio.move_on_after(self._activation_wait_seconds) as patience:
                child = await self._bring_up(key)
            if patience.cancelled_caught or child is None:
                raise AskTimeout(
                    f"The actor {key!r} did not come up in {self._activation_wait_seconds:g} s."
                )
        child.touch()
        return child.ref

    async def tell(self, key: K, message: M) -> None:
        """Activate, then tell. Raises what `ref` and `Ref.tell` raise."""
        (await self.ref(key)).tell(message)

    async def ask(
        self, key: K, message: M, timeout_seconds: float = DEFAULT_ASK_TIMEOUT_SECONDS
    ) -> object:
        """Activate, then ask; one deadline for both. Raises what `ref` and `Ref.ask` raise."""
        with trio.move_on_after(timeout_seconds):
            ref = await self.ref(key)
            return await ref.ask(message, timeout_seconds=math.inf)
        raise AskTimeout(f"No answer from {key!r} within {timeout_seconds:g} seconds.")

    def live(self, key: K) -> Ref[M] | None:
        """The ref of this key's actor if it lets messages in; activates nothing."""
        child = self._children.get(key)
        return child.ref if child is not None and child.alive else None

    def refs(self, group: Hashable | None = None) -> list[Ref[M]]:
        """The refs of all actors that let messages in, or of those of one group."""
        return [child.ref for child in self._rooms.children(group) if child.alive]

    async def passivate(self, key: K) -> bool:
        """Unload an actor if it is idle now and its `may_passivate` agrees.

        Returns whether its incarnation was passivated; messages that came in meanwhile have
        then been handed to the next one. A checkpoint; when cancelled the passivation goes on.
        """
        await trio.lowlevel.checkpoint()
        child = self._children.get(key)
        if child is None:
            return False
        passivated = child.passivated
        if passivated is None:
            if not child.may_passivate:
                return False
            passivated = child.begin_passivation()
        await passivated.wait()
        return True

    def statistics(self, *, each: bool = True) -> RegistryStatistics:
        """Count what is here and what has been.

        Args:
            each: whether to go into each child; without it thousands are counted in a millisecond.
        """
        children = list(self._children.values())
        states = Counter(child.state for child in children)
        depths = [child.mailbox.depth for child in children]
        return RegistryStatistics(
            live=states[ChildState.LIVE],
            activating=states[ChildState.STARTING],
            restarting=states[ChildState.RESTARTING],
            ending=states[ChildState.PASSIVATING] + states[ChildState.STOPPING],
            held=states[ChildState.HELD],
            quarantined=len(self._quarantined),
            outage=self._supervisor.breaker.is_open,
            activations_total=self._activations_total,
            events_lost_total=self._supervisor.events_lost,
            depth_total=sum(depths),
            depth_max=max(depths, default=0),
            children=tuple(child.statistics() for child in children) if each else (),
        )

    async def _bring_up(self, key: K) -> Child[M]:
        while True:
            if self._supervisor.stopping:
                raise ActorStopped("The registry is stopping.")
            child = self._children.get(key) or self._activate(key)
            if child.state is ChildState.HELD:
                raise refuse_for_outage()
            if child.state is not ChildState.STOPPING:
                break
            await child.ended.wait()
        if child.state is not ChildState.LIVE:
            await child.start.wait()
        if not child.alive:
            raise ActorStopped(f"The actor {key!r} has ended.")
        return child

    def _activate(self, key: K) -> Child[M]:
        if not self._has_run:
            raise RuntimeError("The registry does not run yet.")
        self._refuse_in_quarantine(key)
        if self._supervisor.breaker.is_open:
            raise refuse_for_outage()

        def ended(child: Child[M]) -> None:
            del self._children[key]
            self._rooms.leave(key)
            if child.quarantined_until is not None:
                self._enter_quarantine(key, child.quarantined_until)

        child = self._supervisor.start_child(
            key,
            lambda: self._factory(key),
            on_ended=ended,
            admit=lambda _: self._rooms.readmit(key),
            room=self._rooms.make(key),
        )
        self._children[key] = child
        self._rooms.enter(key, child)
        self._activations_total += 1
        return child

    # Quarantine

    def _refuse_in_quarantine(self, key: K) -> None:
        until = self._quarantined.get(key)
        if until is not None:
            seconds_left = until - trio.current_time()
            if seconds_left > 0:
                raise Quarantined(seconds_left)
            self._end_quarantine(key)

    def _enter_quarantine(self, key: K, until: float) -> None:
        # Bounded as the actors are. Equal terms end in the order they began: the first goes.
        if len(self._quarantined) >= self._max_quarantined:
            self._end_quarantine(next(iter(self._quarantined)))
        self._quarantined[key] = until

    def _end_quarantine(self, key: K) -> None:
        del self._quarantined[key]
        self._supervisor.emit(QuarantineEnded(key))

    # Idleness

    async def _sweep(self) -> None:
        pause_seconds = min(max(self._idle_seconds / 4, SWEEP_MIN_SECONDS), SWEEP_MAX_SECONDS)
        while True:
            await trio.sleep(pause_seconds)
            self._passivate_idle()
            now = trio.current_time()
            for key in [key for key, until in self._quarantined.items() if until <= now]:
                self._end_quarantine(key)

    def _passivate_idle(self) -> None:
        begun = 0
        for child in list(self._children.values()):
            if child.idle_seconds >= self._idle_seconds and child.may_passivate:
                child.begin_passivation()
                begun += 1
                if begun >= SWEEP_MAX_PASSIVATIONS:
                    return
