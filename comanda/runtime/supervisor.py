"""The supervisor: owns the children's tasks and keeps their troubles apart."""

from __future__ import annotations

import random as random_module
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context, copy_context
from functools import partial
from typing import Generic, TypeVar

import trio

from comanda.runtime.actor import Actor
from comanda.runtime.breaker import Breaker, BreakerPolicy
from comanda.runtime.child import Child
from comanda.runtime.condition import ChildLimits
from comanda.runtime.events import ActorOverstayed, OnEvent, RuntimeEvent
from comanda.runtime.restart import RestartPolicy

M = TypeVar("M")

OVERSTAY_SECONDS = 1.0
"""After force, how long until an actor that is still there is reported. Cancelling takes a
few turns of the scheduler; who is there a second later shields itself."""


class Supervisor(Generic[M]):
    """Starts children, restarts each by its own count, holds all while the ground is gone.

    A child that crashes touches no sibling. KeyboardInterrupt and SystemExit from a child
    pass through and end everything.
    """

    def __init__(
        self,
        *,
        policy: RestartPolicy | None = None,
        limits: ChildLimits | None = None,
        refusals: tuple[type[Exception], ...] = (),
        probe: Callable[[], Awaitable[None]] | None = None,
        breaker_policy: BreakerPolicy | None = None,
        on_event: OnEvent | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        """Make a supervisor; `run` sets it to work.

        Args:
            policy: restart intensity, backoff, quarantine; per child.
            limits: bounds of each child.
            refusals: exceptions of `on_start` that are answers to the callers, not crashes.
            probe: returns if the ground is there, raises if not.
            breaker_policy: times of the probes.
            on_event: is told what happens, synchronously.
            random: numbers from 0 up to 1, for jitter.
        """
        self._policy = policy or RestartPolicy()
        self._limits = limits or ChildLimits()
        self._refusals = refusals
        self._listener = on_event
        self._random = random
        self._nursery: trio.Nursery | None = None
        self._context: Context = copy_context()
        self._children: dict[Child[M], None] = {}  # in the order they began
        self._stopping = False
        self.events_lost = 0
        """Events whose hook raised."""
        self.breaker = Breaker(probe, self.emit, breaker_policy)

    @property
    def children(self) -> tuple[Child[M], ...]:
        """The children that have not ended."""
        return tuple(self._children)

    @property
    def stopping(self) -> bool:
        """True from the first stop on, and after the end."""
        return self._stopping

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the children's tasks, until cancelled or stopped: `await nursery.start(s.run)`.

        When cancelled the children are cut off; whatever they hold is answered.
        """
        if self._nursery is not None:
            raise RuntimeError("The supervisor runs already.")
        self._context = copy_context()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self.breaker.run)
                task_status.started()
        finally:
            self._stopping = True

    def start_child(
        self,
        key: Hashable,
        factory: Callable[[], Actor[M]],
        *,
        on_ended: Callable[[Child[M]], None] | None = None,
        admit: Callable[[Child[M]], trio.Event | None] | None = None,
        room: trio.Event | None = None,
    ) -> Child[M]:
        """Start a child; `child.start.wait()` tells when it is up. Synchronous.

        Args:
            key: the child's name in events and statistics.
            factory: makes a fresh actor object for each incarnation.
            on_ended: is told, in the same step, when the child has ended.
            admit: is asked before a passivated child that is wanted again goes on.
            room: what to wait for before the first incarnation.

        Raises:
            RuntimeError: the supervisor does not run, or is stopping.
        """
        if self._nursery is None or self._stopping:
            raise RuntimeError("The supervisor does not run.")

        def ended(child: Child[M]) -> None:
            self._children.pop(child, None)
            if on_ended is not None:
                on_ended(child)

        child: Child[M] = Child(
            key,
            factory,
            policy=self._policy,
            limits=self._limits,
            refusals=self._refusals,
            breaker=self.breaker,
            random=self._random,
            on_event=self.emit,
            on_ended=ended,
            admit=admit,
            room=room,
        )
        self._children[child] = None
        # Not in the context of who asks for it, whom it outlives: over HTTP that is the whole request.
        self._context.run(partial(self._nursery.start_soon, child.run, name=f"actor {key!r}"))
        return child

    async def stop(self, deadline_seconds: float) -> None:
        """End all children and `run`: ask them together, one deadline, then force.

        Returns when every child has ended; one that shields itself is waited for, and
        reported with ActorOverstayed. What it held is answered before that. When this is
        cancelled the children still end by the deadline, `run` stays.

        Args:
            deadline_seconds: time for all of them together to end by themselves.
        """
        self._stopping = True
        deadline = trio.current_time() + deadline_seconds
        children = self.children
        for child in children:
            child.ask_to_stop(deadline)
        with trio.move_on_at(deadline + OVERSTAY_SECONDS):
            for child in children:
                await child.ended.wait()
        overstayers = self.children
        for child in overstayers:
            child.answer_everything()
            self.emit(ActorOverstayed(child.key))
        for child in overstayers:
            await child.ended.wait()
        if self._nursery is not None:
            self._nursery.cancel_scope.cancel()

    def emit(self, event: RuntimeEvent) -> None:
        """Tell the hook. A hook that raises must not bring the house down: it is counted."""
        if self._listener is not None:
            try:
                self._listener(event)
            except Exception:
                self.events_lost += 1
