"""One member's connection: each text frame becomes a command in the table's mailbox.

Everything here is synchronous and runs in the socket's reader; answers come back through a slot that
the actor resolves, in order with the events.
"""

from comanda.actors.dining_session import Answer, Message
from comanda.actors.domain.inputs import ByMember
from comanda.actors.domain.messages import (
    BadMessage,
    CartCommand,
    Command,
    Error,
    ErrorCode,
    Join,
    Ping,
    Pong,
    decode_command,
)
from comanda.actors.ports import Clock
from comanda.runtime import ActorCrashed, Envelope, MailboxFull, Outage, Ref, RuntimeRefusal

from .limits import Bucket, FrontLimits
from .metrics import Metrics
from .socket import MemberSocket
from .wire import REFUSED_BY_THE_HOUSE, frame, refusal_code

CLOSE_POLICY = 1008
CLOSE_FAILED = 1011


class _AnswerSlot:
    """Where the actor's answer to one command goes: to its sender alone."""

    __slots__ = ("_connection", "_type")

    def __init__(self, connection: "MemberConnection", command_type: str) -> None:
        self._connection = connection
        self._type = command_type

    def resolve(self, value: object) -> None:
        answer: Answer = value  # type: ignore[assignment]  # what a session answers a ByMember
        result = "accepted"
        for told in answer:
            if isinstance(told, Error):
                result = told.code
            self._connection.socket.send_frame(frame(told))
        self._connection.metrics.commands.labels(self._type, result).inc()

    def fail(self, error: Exception) -> None:
        """The command's fate is unknown here: the member joins again and sends it once more."""
        result = "crashed" if isinstance(error, ActorCrashed) else "stopped"
        self._connection.metrics.commands.labels(self._type, result).inc()
        self._connection.socket.close(CLOSE_FAILED, "The table is being restored; join again")


class MemberConnection:
    """A seated member's way in. `hear` is given each text frame."""

    def __init__(
        self,
        socket: MemberSocket,
        member_id: str,
        ref: Ref[Message],
        *,
        limits: FrontLimits,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self.socket = socket
        self.metrics = metrics
        self._member_id = member_id
        self._ref = ref
        self._limits = limits
        self._clock = clock
        self._bucket = Bucket(limits.messages_a_second, limits.message_burst)
        self._refused_in_a_row = 0
        self._bad_in_a_row = 0

    def hear(self, text: str) -> None:
        """One text frame of the member. Never blocks; what is malformed goes no further."""
        if self._limits.enabled and not self._within_rate():
            return
        try:
            command = decode_command(text)
        except BadMessage as error:
            self._bad(str(error), error.request_id)
            return
        if isinstance(command, Join):
            self._bad("A connection joins once", None)
            return
        self._bad_in_a_row = 0
        if isinstance(command, Ping):
            self.socket.send_frame(frame(Pong(command.request_id, self._clock.now())))
            return
        self._pass_on(command)

    def _pass_on(self, command: CartCommand) -> None:
        slot = _AnswerSlot(self, _type_of(command))
        try:
            self._ref.send(Envelope(ByMember(self._member_id, command), slot))
        except (MailboxFull, Outage) as error:
            code = refusal_code(error)
            self._refuse(code, REFUSED_BY_THE_HOUSE[code], command.request_id)
        except RuntimeRefusal:
            self.socket.close(CLOSE_FAILED, "The table is being restored; join again")

    def _within_rate(self) -> bool:
        wait = self._bucket.take()
        if wait == 0:
            self._refused_in_a_row = 0
            return True
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= self._limits.flood_messages:
            self.socket.close(CLOSE_POLICY, "Too many messages")
        else:
            error = Error("rate_limited", "Slow down, please", None, round(wait, 3))
            self.socket.send_frame(frame(error))
        return False

    def _bad(self, sentence: str, request_id: str | None) -> None:
        self._refuse("bad_message", sentence, request_id)
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= self._limits.bad_messages:
            self.socket.close(CLOSE_POLICY, "Too many bad messages")

    def _refuse(self, code: ErrorCode, sentence: str, request_id: str | None) -> None:
        self.metrics.commands.labels("any", code).inc()
        self.socket.send_frame(frame(Error(code, sentence, request_id)))


def _type_of(command: Command) -> str:
    tag = command.__struct_config__.tag
    assert isinstance(tag, str)
    return tag
