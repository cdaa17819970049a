"""What an actor is to the one who writes it: hooks to fill in, and a context to act through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar, TypeVarTuple

import trio

from comanda.runtime.errors import ActorStopped
from comanda.runtime.mailbox import Envelope, Mailbox
from comanda.runtime.ref import Answer, Ref

M = TypeVar("M")
Ts = TypeVarTuple("Ts")

DEFAULT_MAX_BATCH = 64
"""Envelopes in one batch: enough to share one commit among, few enough to answer soon."""

DEFAULT_MAX_TASKS = 256
"""Child tasks of one actor at a time. Its work needs a handful; more is a leak."""


class Life(Protocol):
    """The incarnation as its context sees it."""

    over: bool
    nursery: trio.Nursery | None
    loop_task: trio.lowlevel.Task | None

    def stop_after_batch(self) -> None: ...


class Context(Generic[M]):
    """What one incarnation of an actor acts through. Of no use once the incarnation is over."""

    __slots__ = ("_life", "_mailbox", "_max_tasks", "_tasks", "incarnation", "ref")

    def __init__(
        self, ref: Ref[M], incarnation: int, mailbox: Mailbox[M], life: Life, max_tasks: int
    ) -> None:
        self.ref = ref
        """The actor's own address, to give to others."""
        self.incarnation = incarnation
        """1 for the first start of this activation, counted on with each restart."""
        self._mailbox = mailbox
        self._life = life
        self._max_tasks = max_tasks
        self._tasks = 0

    def start_task(
        self, async_fn: Callable[[*Ts], Awaitable[object]], *args: *Ts, name: str | None = None
    ) -> None:
        """Start a child task. It never outlives the incarnation; what it raises crashes it.

        Args:
            async_fn: what to run; it is cancelled when the actor ends, after `on_stop`.
            args: its arguments.
            name: for whoever looks at the task tree.

        Raises:
            ActorStopped: the incarnation is over.
            RuntimeError: the actor has `max_tasks` child tasks.
        """
        nursery = self._life.nursery
        if self._life.over or nursery is None:
            raise ActorStopped("The actor has ended.")
        if self._tasks >= self._max_tasks:
            raise RuntimeError(f"An actor has at most {self._max_tasks} child tasks.")
        self._tasks += 1
        nursery.start_soon(self._run_task, async_fn, args, name=name or async_fn)

    async def _run_task(
        self, async_fn: Callable[[*Ts], Awaitable[object]], args: tuple[*Ts]
    ) -> None:
        try:
            await async_fn(*args)
        finally:
            self._tasks -= 1

    def tell_self(self, message: M) -> None:
        """Put a message into the own lane, which guests cannot fill. Synchronous.

        What waits there when the incarnation ends is dropped: a task that must be heard makes
        `may_passivate` say no until then.

        Raises:
            MailboxFull: the own lane is at its bound.
            ActorStopped: the incarnation is over.
        """
        self._put_own(Envelope(message))

    async def ask_self(self, message: M) -> object:
        """Put a message into the own lane and wait until it is answered. For child tasks.

        There is no deadline: the wait ends with the actor at the latest. When cancelled the
        message stays in the lane and its reply is dropped.

        Raises:
            MailboxFull: the own lane is at its bound.
            ActorStopped: the incarnation is over.
            RuntimeError: called from a hook, which would wait for itself.
        """
        if trio.lowlevel.current_task() is self._life.loop_task:
            raise RuntimeError("An actor's hook must not ask its own actor: it would never end.")
        answer = Answer()
        self._put_own(Envelope(message, answer))
        return await answer.wait()

    def stop(self) -> None:
        """End normally after this batch, without a restart.

        Messages that wait are answered with ActorStopped. Has no effect if the hook that
        called it crashes.
        """
        if not self._life.over:
            self._life.stop_after_batch()

    def _put_own(self, envelope: Envelope[M]) -> None:
        # The mailbox outlives incarnations: without this look, what belongs to a dead one
        # would get through to its successor.
        if self._life.over:
            raise ActorStopped("The actor has ended.")
        self._mailbox.put_own(envelope)


class Actor(Generic[M]):
    """A unit that owns its state and takes its messages one batch after another.

    Subclass it and fill in hooks. An exception from a hook crashes the incarnation: a fresh
    object is made by the factory and started in its place. So state in `self` is never
    half-known, and a legitimate refusal is a reply, not an exception.
    """

    max_batch: int = DEFAULT_MAX_BATCH
    """The most envelopes `on_batch` is given at once."""

    max_tasks: int = DEFAULT_MAX_TASKS
    """The most child tasks at once."""

    context: Context[M]
    """Given by the runtime before `on_start`."""

    async def on_start(self) -> None:
        """Load what the actor needs. No message is taken before it returns.

        Bounded by the registry's `start_deadline_seconds`; too late is a crash.
        """

    async def on_batch(self, batch: list[Envelope[M]]) -> None:
        """Work off a batch: at least one envelope, the actor's own first, in arrival order.

        Every envelope left unanswered is resolved with None after it returns. If it raises,
        those not yet answered are answered with ActorCrashed. It is cancelled when a child
        task crashes and when the stop deadline passes.
        """
        for envelope in batch:
            envelope.resolve(await self.on_message(envelope.message))

    async def on_message(self, message: M) -> object:
        """Work off one message and return the reply. Used by the default `on_batch`."""
        raise NotImplementedError(f"{type(self).__name__} takes no messages.")

    async def on_stop(self) -> None:
        """Leave things in order at a graceful end, after the last batch.

        Bounded by the stop deadline, then cancelled. Not run after a crash.
        """

    def on_end(self, error: BaseException | None) -> None:
        """Release what the actor holds. Must not raise.

        Called exactly once when an incarnation ends, however it ends, after its child tasks
        are gone.

        Args:
            error: what it crashed of, or was cancelled by; None at a normal end.
        """

    def may_passivate(self) -> bool:
        """Whether the actor may be unloaded when idle. Synchronous and quick, must not raise."""
        return True

    @property
    def view(self) -> object:
        """The adopted state, for readers that do not pass the mailbox. Must not raise."""
        return None
