"""Fan-out of what happened to any number of consumers, each with a bounded buffer of its own."""

from collections.abc import Callable
from typing import Self

import trio

from .errors import FellBehind
from .facts import Happening


class Happenings:
    """One consumer's view: an async iterator that ends with the table. One task may read it.

    Registered from the call of `events()` on, so nothing is missed before the first read. `close` it
    when it is no longer read, or use it in a `with`.
    """

    def __init__(self, owner: "Feed", channel: trio.MemoryReceiveChannel[Happening]) -> None:
        self._owner = owner
        self._channel = channel
        self._fell_behind = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Happening:
        """The next happening.

        Cancellation takes nothing out of the buffer.

        Raises:
            FellBehind: the buffer ran full; what was in it has been read.
        """
        try:
            return await self._channel.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            if self._fell_behind:
                raise FellBehind("the buffer of happenings ran full") from None
            raise StopAsyncIteration from None

    async def find(self, wanted: Callable[[Happening], bool], timeout_seconds: float) -> Happening:
        """Read on up to the first happening that is `wanted`.

        Raises:
            trio.TooSlowError: it did not come in time. What was read is gone.
            EOFError: the table ended before.
        """
        with trio.fail_after(timeout_seconds):
            async for happening in self:
                if wanted(happening):
                    return happening
        raise EOFError("the table ended first")

    def close(self) -> None:
        """No more is wanted."""
        self._channel.close()
        self._owner.forget(self)

    def fall_behind(self) -> None:
        """Called by the feed that drops this consumer."""
        self._fell_behind = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Feed:
    """Tells every consumer synchronously; never waits for one."""

    def __init__(self, buffer: int, max_consumers: int) -> None:
        self._buffer = buffer
        self._max_consumers = max_consumers
        self._consumers: dict[Happenings, trio.MemorySendChannel[Happening]] = {}
        self._ended = False

    def consumer(self) -> Happenings:
        """A new consumer, which hears all from now on.

        Raises:
            RuntimeError: more than `max_consumers` at once; somebody forgets to close them.
        """
        send, receive = trio.open_memory_channel[Happening](self._buffer)
        happenings = Happenings(self, receive)
        if self._ended:
            send.close()
        elif len(self._consumers) >= self._max_consumers:
            raise RuntimeError("too many consumers of happenings; close those that are done")
        else:
            self._consumers[happenings] = send
        return happenings

    def tell(self, happening: Happening) -> None:
        """Put it into every buffer; a consumer whose buffer is full is dropped and hears so."""
        for consumer, send in tuple(self._consumers.items()):
            try:
                send.send_nowait(happening)
            except trio.WouldBlock:
                consumer.fall_behind()
                self.forget(consumer)
            except trio.BrokenResourceError:
                self.forget(consumer)

    def forget(self, consumer: Happenings) -> None:
        """Drop a consumer; it may read what is in its buffer."""
        send = self._consumers.pop(consumer, None)
        if send is not None:
            send.close()

    def end(self) -> None:
        """Nothing more will happen."""
        self._ended = True
        for consumer in tuple(self._consumers):
            self.forget(consumer)
