"""The bounded queue that an actor lives on, and the envelopes in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from trio.lowlevel import (
    Abort,
    RaiseCancelT,
    Task,
    checkpoint,
    current_task,
    enable_ki_protection,
    reschedule,
    wait_task_rescheduled,
)

from comanda.runtime.errors import ActorStopped, MailboxFull

M = TypeVar("M")

DEFAULT_CAPACITY = 256
"""Messages of guests that may wait. A few seconds of work: who waits longer has given up."""

DEFAULT_OWN_CAPACITY = 64
"""Messages an actor may have told itself. It has few child tasks, each with one at a time."""


class ReplySlot(Protocol):
    """Where an answer goes. Both methods are synchronous, and must not raise or block."""

    def resolve(self, value: object) -> None:
        """Take the answer."""

    def fail(self, error: Exception) -> None:
        """Take the reason why there is no answer."""


class Envelope(Generic[M]):
    """A message and the slot for its reply. The first answer wins, later ones are dropped."""

    __slots__ = ("answered", "message", "reply")

    def __init__(self, message: M, reply: ReplySlot | None = None) -> None:
        """Seal a message.

        Args:
            message: what is said.
            reply: who wants to hear the answer; None when nobody does.
        """
        self.message = message
        self.reply = reply
        self.answered = False

    def resolve(self, value: object = None) -> None:
        """Answer with a value, unless it has been answered."""
        if not self.answered:
            self.answered = True
            if self.reply is not None:
                self.reply.resolve(value)

    def fail(self, error: Exception) -> None:
        """Answer with an error, unless it has been answered."""
        if not self.answered:
            self.answered = True
            if self.reply is not None:
                self.reply.fail(error)

    def __repr__(self) -> str:
        state = "answered" if self.answered else "open"
        return f"<Envelope {self.message!r}, {state}>"


@dataclass(frozen=True, slots=True)
class MailboxStatistics:
    """A mailbox at one moment. All fields count envelopes."""

    depth: int
    """Guests' envelopes that wait."""
    own_depth: int
    """The actor's own envelopes that wait."""
    capacity: int
    own_capacity: int
    accepted_total: int
    """Let in since the mailbox was made, both lanes."""
    refused_total: int
    """Turned away because a lane was full, both lanes."""
    high_water: int
    """The most that ever waited in the guests' lane at once."""


class _Ending(Enum):
    """Why the consumer is not to wait for more."""

    HALTED = "give nothing more out"
    DRAINING = "give out what waits, then nothing"


class Mailbox(Generic[M]):
    """Two bounded lanes, many senders, one consumer.

    Guests put into one lane. In the other the actor tells itself things (outcomes, timers,
    control), so that guests can never shut those out. Everything but `receive_batch` is
    synchronous and must run in the Trio thread; each call is atomic towards all tasks.

    This is the hot path: the consumer is woken directly, and all counting is done once a
    batch. A lane only grows between two takes, so its depth before a take is its peak.
    """

    __slots__ = (
        "_capacity",
        "_ending",
        "_guests",
        "_high_water",
        "_own",
        "_own_capacity",
        "_own_open",
        "_refusal",
        "_refused_total",
        "_taken_total",
        "_waiter",
    )

    def __init__(self, capacity: int, own_capacity: int) -> None:
        """Make an empty mailbox, open in both lanes.

        Args:
            capacity: how many guests' envelopes may wait, at least 1.
            own_capacity: how many of the actor's own envelopes may wait, at least 1.
        """
        if capacity < 1 or own_capacity < 1:
            raise ValueError("A mailbox holds at least one envelope in each lane.")
        self._capacity = capacity
        self._own_capacity = own_capacity
        self._guests: deque[Envelope[M]] = deque()
        self._own: deque[Envelope[M]] = deque()
        self._refusal: Callable[[], Exception] | None = None
        self._own_open = True
        self._ending: _Ending | None = None
        self._waiter: Task | None = None
        self._taken_total = 0
        self._refused_total = 0
        self._high_water = 0

    @enable_ki_protection
    def put(self, envelope: Envelope[M]) -> None:
        """Let a guest's envelope in, or refuse it at once.

        Raises:
            MailboxFull: the guests' lane is at its bound.
            ActorStopped: the mailbox is closed; or the refusal that `close` was given.
        """
        if self._refusal is not None:
            raise self._refusal()
        guests = self._guests
        if len(guests) >= self._capacity:
            self._refused_total += 1
            raise MailboxFull(f"The mailbox is full: {self._capacity} messages wait.")
        guests.append(envelope)
        if (waiter := self._waiter) is not None:
            self._waiter = None
            reschedule(waiter)

    @enable_ki_protection
    def put_own(self, envelope: Envelope[M]) -> None:
        """Let an envelope into the actor's own lane, or refuse it at once.

        Raises:
            MailboxFull: the own lane is at its bound.
            ActorStopped: the mailbox is closed for good.
        """
        if not self._own_open:
            raise ActorStopped("The actor has ended.")
        if len(self._own) >= self._own_capacity:
            self._refused_total += 1
            raise MailboxFull(f"The actor's own lane is full: {self._own_capacity} wait.")
        self._own.append(envelope)
        self._wake()

    @enable_ki_protection
    async def receive_batch(self, max_messages: int) -> list[Envelope[M]]:
        """Take what waits: the own lane first, then the guests, each in order of arrival.

        Waits until there is at least one. An empty list says that the mailbox was halted, or
        drained to its end: there will be no more.

        Always a checkpoint. Cancellation loses nothing: envelopes leave the lanes in the same
        step in which the list is returned, so a cancelled receive has taken none.

        Args:
            max_messages: the most to take, at least 1; the rest stays for the next time.

        Raises:
            RuntimeError: another task is receiving.
        """
        own, guests = self._own, self._guests
        if own or guests or self._ending is not None:
            await checkpoint()
        while not own and not guests and self._ending is None:
            if self._waiter is not None:
                raise RuntimeError("A mailbox has one consumer.")
            self._waiter = current_task()
            await wait_task_rescheduled(self._abort)
        if self._ending is _Ending.HALTED:
            return []
        return self._take(max_messages)

    def _take(self, max_messages: int) -> list[Envelope[M]]:
        own, guests = self._own, self._guests
        depth = len(guests)
        if depth > self._high_water:
            self._high_water = depth
        if not own and depth <= max_messages:
            batch = list(guests)
            guests.clear()
        else:
            batch = [own.popleft() for _ in range(min(len(own), max_messages))]
            batch.extend(guests.popleft() for _ in range(min(depth, max_messages - len(batch))))
        self._taken_total += len(batch)
        return batch

    def _abort(self, _: RaiseCancelT) -> Abort:
        self._waiter = None
        return Abort.SUCCEEDED

    def _wake(self) -> None:
        if (waiter := self._waiter) is not None:
            self._waiter = None
            reschedule(waiter)

    @property
    def idle(self) -> bool:
        """True while the consumer waits and nothing is in either lane."""
        return self._waiter is not None

    @property
    def depth(self) -> int:
        """Guests' envelopes that wait."""
        return len(self._guests)

    @enable_ki_protection
    def halt(self) -> None:
        """Give the consumer nothing more. Both lanes stay open; what comes in waits."""
        self._ending = _Ending.HALTED
        self._wake()

    @enable_ki_protection
    def drain(self, refusal: Callable[[], Exception]) -> None:
        """Let no guest in any more; the consumer gets what waits, then the empty list.

        Args:
            refusal: makes the error that `put` raises from now on.
        """
        self._refusal = refusal
        self._ending = _Ending.DRAINING
        self._wake()

    @enable_ki_protection
    def close(self, refusal: Callable[[], Exception] | None = None) -> None:
        """Shut both lanes and give the consumer nothing more. What waits stays for `take_all`.

        Args:
            refusal: makes the error that `put` raises from now on; default ActorStopped.
        """
        self._refusal = refusal or _stopped
        self._own_open = False
        self._ending = _Ending.HALTED
        self._wake()

    def reopen(self) -> None:
        """Open both lanes again for the next consumer. What waits is kept."""
        self._refusal = None
        self._own_open = True
        self._ending = None

    def take_all(self) -> list[Envelope[M]]:
        """Take everything that waits, without waiting, the own lane first."""
        return self._take(len(self._own) + len(self._guests))

    def take_own(self) -> list[Envelope[M]]:
        """Take what waits in the own lane alone."""
        return self._take(len(self._own)) if self._own else []

    def statistics(self) -> MailboxStatistics:
        """Count what is here and what has been."""
        depth, own_depth = len(self._guests), len(self._own)
        return MailboxStatistics(
            depth=depth,
            own_depth=own_depth,
            capacity=self._capacity,
            own_capacity=self._own_capacity,
            accepted_total=self._taken_total + depth + own_depth,
            refused_total=self._refused_total,
            high_water=max(self._high_water, depth),
        )


def _stopped() -> Exception:
    return ActorStopped("The actor has ended.")
