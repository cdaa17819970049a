"""The address of an actor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

import trio

from comanda.runtime.errors import AskTimeout
from comanda.runtime.mailbox import Envelope, Mailbox

M = TypeVar("M")


class Answer:
    """The reply slot of one `ask`. Its envelope sees to it that it is settled once."""

    __slots__ = ("_error", "_settled", "_value")

    def __init__(self) -> None:
        self._settled = trio.Event()
        self._value: object = None
        self._error: Exception | None = None

    def resolve(self, value: object) -> None:
        """Take the answer and wake who waits."""
        self._value = value
        self._settled.set()

    def fail(self, error: Exception) -> None:
        """Take the reason why there is none and wake who waits."""
        self._error = error
        self._settled.set()

    async def wait(self) -> object:
        """Wait for the answer and return it, or raise its error. Cancellation drops it."""
        await self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._value


class Addressee(Protocol[M]):
    """What stands behind a ref."""

    @property
    def key(self) -> Hashable: ...
    @property
    def mailbox(self) -> Mailbox[M]: ...
    @property
    def view(self) -> object: ...
    @property
    def alive(self) -> bool: ...


class Ref(Generic[M]):
    """The address of an actor. It stays valid over restarts.

    After the actor was passivated or ended, every message is refused with ActorStopped: ask
    the registry for the key again.
    """

    __slots__ = ("_addressee", "_put")

    def __init__(self, addressee: Addressee[M]) -> None:
        self._addressee = addressee
        self._put: Callable[[Envelope[M]], None] = addressee.mailbox.put

    @property
    def key(self) -> Hashable:
        """The key that the actor was activated under."""
        return self._addressee.key

    @property
    def alive(self) -> bool:
        """True while messages are let in: live, being restarted, or being passivated."""
        return self._addressee.alive

    @property
    def view(self) -> object:
        """The state the actor last adopted, read without passing the mailbox.

        Kept through a restart. None before the first start is through and after the end.
        """
        return self._addressee.view

    def send(self, envelope: Envelope[M]) -> None:
        """Put an envelope whose reply slot is the caller's own. Synchronous.

        Raises:
            MailboxFull, ActorStopped, Quarantined, Outage: it was not let in.
        """
        self._put(envelope)

    def tell(self, message: M) -> None:
        """Say something and want no answer. Synchronous; raises what `send` raises."""
        self._put(Envelope(message))

    async def ask(self, message: M, *, timeout_seconds: float) -> object:
        """Say something and wait for the answer. A checkpoint, unless it is refused at once.

        When cancelled or timed out the message stays with the actor and may take effect; its
        late reply is dropped.

        Args:
            message: what is said.
            timeout_seconds: how long to wait for the answer.

        Raises:
            AskTimeout: no answer in time.
            ActorCrashed: the actor crashed while it held the message.
            MailboxFull, ActorStopped, Quarantined, Outage: it was never taken.
        """
        answer = Answer()
        self._put(Envelope(message, answer))
        with trio.move_on_after(timeout_seconds):
            return await answer.wait()
        raise AskTimeout(f"No answer from {self.key!r} within {timeout_seconds:g} seconds.")

    def __repr__(self) -> str:
        return f"<Ref {self.key!r}, {'alive' if self.alive else 'ended'}>"
