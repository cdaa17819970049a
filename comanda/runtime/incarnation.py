"""One actor object's life: start, batches, end. The supervisor sees how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import trio

from comanda.runtime.actor import Actor, Context
from comanda.runtime.errors import ActorStopped
from comanda.runtime.mailbox import Envelope, Mailbox
from comanda.runtime.ref import Ref

M = TypeVar("M")


class Phase(Enum):
    """How far an incarnation has come."""

    STARTING = "starting"
    WORKING = "working"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Ending:
    """How an incarnation ended; without error and refusal it ended as it was asked to."""

    phase: Phase
    """Where it was when it ended."""
    error: Exception | None = None
    """What it crashed of."""
    refusal: Exception | None = None
    """With what `on_start` refused: an answer for the callers, no crash."""
    forced: bool = False
    """The stop deadline passed and it was cancelled."""


def sole_cause(error: BaseException) -> BaseException:
    """Take a lone exception out of the groups that nurseries wrapped around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def split_failure(
    failure: BaseException | None,
) -> tuple[Exception | None, BaseException | None]:
    """Part what an actor did wrong from what must pass through.

    Returns the exceptions that are a crash, and those that are not the runtime's to keep: an
    outer cancellation, KeyboardInterrupt, SystemExit.
    """
    if failure is None:
        return None, None
    if isinstance(failure, Exception):
        return failure, None
    if isinstance(failure, BaseExceptionGroup):
        return failure.split(Exception)
    return None, failure


class Incarnation(Generic[M]):
    """Runs one actor object in a nursery of its own, under a scope that can be forced shut."""

    def __init__(
        self,
        factory: Callable[[], Actor[M]],
        ref: Ref[M],
        number: int,
        mailbox: Mailbox[M],
        *,
        refusals: tuple[type[Exception], ...],
        start_deadline_seconds: float,
        stop_deadline_seconds: float,
        on_started: Callable[[], None],
        on_stopping: Callable[[], None],
        on_hook_failed: Callable[[str, Exception], None],
    ) -> None:
        self.number = number
        self.actor: Actor[M] | None = None
        self.phase = Phase.STARTING
        self.over = False
        self.nursery: trio.Nursery | None = None
        self.loop_task: trio.lowlevel.Task | None = None
        self.held: list[Envelope[M]] = []
        self.last_active = trio.current_time()
        self._factory = factory
        self._ref = ref
        self._mailbox = mailbox
        self._refusals = refusals
        self._start_deadline_seconds = start_deadline_seconds
        self._stop_deadline_seconds = stop_deadline_seconds
        self._on_started = on_started
        self._on_stopping = on_stopping
        self._on_hook_failed = on_hook_failed
        self._refusal: Exception | None = None
        self._stop_after_batch = False
        self._scope = trio.CancelScope()

    async def run(self) -> Ending:
        """Live to the end. The envelopes still held are left in `held` for the caller.

        When cancelled from outside, and for KeyboardInterrupt and SystemExit: `on_end` is
        run, then what must pass through is raised again.
        """
        failure: BaseException | None = None
        self.loop_task = trio.lowlevel.current_task()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self.nursery = nursery
                    await self._live()
                    nursery.cancel_scope.cancel()
        except BaseException as raised:
            failure = raised
        # From here on nothing awaits, so nobody sees the actor between its end and the answer.
        self.over = True
        crash, beyond = split_failure(failure)
        forced = self._scope.cancelled_caught
        self._run_on_end(failure, forced)
        if beyond is not None:
            raise beyond
        cause = None if crash is None else sole_cause(crash)
        return Ending(
            phase=self.phase,
            error=cause if isinstance(cause, Exception) else crash,
            refusal=self._refusal,
            forced=forced,
        )

    async def _live(self) -> None:
        try:
            actor = self.actor = self._factory()
            actor.context = Context(self._ref, self.number, self._mailbox, self, actor.max_tasks)
            with trio.fail_after(self._start_deadline_seconds):
                await actor.on_start()
        except self._refusals as refusal:
            self._refusal = refusal
            return
        self.phase = Phase.WORKING
        self.last_active = trio.current_time()
        self._on_started()
        await self._work_batches(actor)
        self.phase = Phase.STOPPING
        self._on_stopping()
        self._bound_stop(trio.current_time() + self._stop_deadline_seconds)
        await actor.on_stop()

    async def _work_batches(self, actor: Actor[M]) -> None:
        mailbox = self._mailbox
        while not self._stop_after_batch:
            batch = await mailbox.receive_batch(actor.max_batch)
            if not batch:
                return
            # A copy: an actor may do with its list what it likes, and all are still answered.
            self.held = batch.copy()
            await actor.on_batch(batch)
            for envelope in self.held:
                if not envelope.answered:
                    envelope.resolve(None)
            self.held = []
            self.last_active = trio.current_time()

    def stop_after_batch(self) -> None:
        """End once the batch in hand is done, and leave what waits untaken."""
        self._stop_after_batch = True
        if self.phase is Phase.WORKING:
            # A child task may ask for it while the loop waits for messages.
            self._mailbox.halt()

    def passivate(self, deadline: float) -> None:
        """End without taking anything more; what comes in waits in the mailbox."""
        self._mailbox.halt()
        self._bound_stop(deadline)

    def drain(self, deadline: float) -> None:
        """Let no guest in, work off what waits, then end. A start is cut off: nothing waits."""
        self._mailbox.drain(lambda: ActorStopped("The actor is stopping."))
        self._bound_stop(deadline)
        if self.phase is Phase.STARTING:
            self._scope.cancel()

    def _bound_stop(self, deadline: float) -> None:
        # The earliest deadline holds: a stop never gives a passivation more time.
        self._scope.deadline = min(self._scope.deadline, deadline)

    def _run_on_end(self, failure: BaseException | None, forced: bool) -> None:
        if self.actor is None:
            return
        error = None if failure is None else sole_cause(failure)
        if error is None and forced:
            error = trio.TooSlowError("The actor was cut off.")
        try:
            self.actor.on_end(error)
        except Exception as raised:
            self._on_hook_failed("on_end", raised)
