"""Commands in flight: sent or to be sent, remembered until they are answered."""

import trio

from comanda.actors.domain.messages import Ack, CartCommand, Error

from .errors import CartLockedError, ClientError, CommandRefused, TooManyCommands


class Command:
    """One command under its `request_id`. `sent_on` is the link that last carried it."""

    def __init__(self, request_id: str, command: CartCommand, frame: str) -> None:
        self.request_id = request_id
        self.command = command
        self.frame = frame
        self.sent_on: object = None
        self._answered = trio.Event()
        self._reply: Ack | ClientError | None = None

    def answer(self, reply: Ack | ClientError) -> None:
        """The reply is here; the first one stands."""
        if self._reply is None:
            self._reply = reply
            self._answered.set()

    async def wait(self) -> Ack:
        """The acknowledgement.

        Raises:
            CommandRefused: or whatever else the command was answered with.
        """
        await self._answered.wait()
        if isinstance(self._reply, Ack):
            return self._reply
        assert self._reply is not None
        raise self._reply


class Commands:
    """The commands that wait for a reply, oldest first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: dict[str, Command] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def remember(self, command: Command) -> None:
        """Keep it until `forget`.

        Raises:
            TooManyCommands: the limit is reached.
        """
        if len(self._waiting) >= self._limit:
            raise TooManyCommands(f"{self._limit} commands wait for their replies")
        self._waiting[command.request_id] = command

    def forget(self, command: Command) -> None:
        """Its caller waits no longer: it is not sent again."""
        self._waiting.pop(command.request_id, None)

    def take(self, reply: Ack | Error) -> Command | None:
        """Answer the command that `reply` belongs to; None where nobody waits for it."""
        if reply.request_id is None:
            return None
        command = self._waiting.pop(reply.request_id, None)
        if command is not None:
            command.answer(reply if isinstance(reply, Ack) else refusal(reply))
        return command

    def not_sent_on(self, link: object) -> Command | None:
        """The oldest command that `link` has not carried yet."""
        return next((one for one in self._waiting.values() if one.sent_on is not link), None)

    def fail_all(self, error: ClientError) -> None:
        """Answer all of them with `error`."""
        while self._waiting:
            self._waiting.pop(next(iter(self._waiting))).answer(error)


def refusal(error: Error) -> CommandRefused:
    """The server's refusal as an exception."""
    if error.code == "cart_locked":
        return CartLockedError(error.message)
    return CommandRefused(error.code, error.message, error.retry_after)
