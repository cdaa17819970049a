"""Taking a seat: the one question to a session whose answer must not get lost.

A seat that is given to somebody who has gone meanwhile is given back at once; nobody else ever would.
"""

import trio

from comanda.runtime import AskTimeout, Envelope, Ref

from .domain.messages import Rejection
from .sayings import Message, Seated, Sit


async def take_seat(ref: Ref[Message], sit: Sit, timeout_seconds: float) -> Seated | Rejection:
    """Ask for a seat and wait for it. When cancelled, or too late, the seat goes back when it comes.

    Raises `AskTimeout` and whatever else the runtime refuses with.
    """
    slot = _SeatSlot()
    ref.send(Envelope(sit, slot))
    return await slot.answer(timeout_seconds)


class _SeatSlot:
    """Where the session's answer to a `Sit` goes."""

    __slots__ = ("_abandoned", "_answer", "_answered")

    def __init__(self) -> None:
        self._answered = trio.Event()
        self._answer: object = None
        self._abandoned = False

    def resolve(self, value: object) -> None:
        self._answer = value
        self._answered.set()
        if self._abandoned:
            self._give_back()

    def fail(self, error: Exception) -> None:
        self._answer = error
        self._answered.set()

    async def answer(self, timeout_seconds: float) -> Seated | Rejection:
        try:
            with trio.move_on_after(timeout_seconds):
                await self._answered.wait()
                if isinstance(self._answer, Exception):
                    raise self._answer
                assert isinstance(self._answer, Seated | Rejection)
                return self._answer
            raise AskTimeout("The table has not answered in time.")
        except BaseException:
            self._abandoned = True
            self._give_back()
            raise

    def _give_back(self) -> None:
        if isinstance(self._answer, Seated):
            self._answer.seat.leave()
