"""One member's connection: each text frame becomes a command in the table's mailbox.

Everything here is synchronous and runs in the socket's reader; answers come back through a slot that
the actor resolves, in order with the events.
"""

import logging
from collections.abc import Callable
from time import perf_counter

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
from comanda.actors.sayings import Answer, Message
from comanda.logs import get_log
from comanda.runtime import (
    ActorCrashed,
    ActorStopped,
    Envelope,
    MailboxFull,
    Outage,
    Ref,
    RuntimeRefusal,
)

from .limits import Bucket, FrontLimits
from .metrics import Metrics
from .socket import MemberSocket
from .wire import REFUSED_BY_THE_HOUSE, frame, refusal_code

log = get_log("comanda.http.commands")

CLOSE_POLICY = 1008
CLOSE_FAILED = 1011


class _AnswerSlot:
    """Where the actor's answer to one command goes: to its sender alone."""

    __slots__ = ("_command", "_connection", "_since")

    def __init__(self, connection: "MemberConnection", command: CartCommand) -> None:
        self._connection = connection
        self._command = command
        self._since = perf_counter()

    def resolve(self, value: object) -> None:
        answer: Answer = value  # type: ignore[assignment]  # what a session answers a ByMember
        result = "accepted"
        for told in answer:
            if isinstance(told, Error):
                result = told.code
            self._connection.socket.send_frame(frame(told))
        self._connection.count(self._command, result, perf_counter() - self._since)

    def fail(self, error: Exception) -> None:
        """The command's fate is unknown here: the member joins again and sends it once more."""
        result = "crashed" if isinstance(error, ActorCrashed) else "stopped"
        self._connection.count(self._command, result, perf_counter() - self._since)
        self._connection.lose_table(error)


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
        draining: Callable[[], bool],
    ) -> None:
        """Take a seat's connection over.

        Args:
            draining: whether the server is ending, so that a table that takes nothing more will itself
                say good-bye.
        """
        self.socket = socket
        self.metrics = metrics
        self._member_id = member_id
        self._ref = ref
        self._limits = limits
        self._clock = clock
        self._bucket = Bucket(limits.messages_a_second, limits.message_burst)
        self._draining = draining
        self._refused = 0
        self._bad_in_a_row = 0
        self._tells = logging.getLogger("comanda.http.commands").isEnabledFor(logging.DEBUG)

    def hear(self, text: str) -> None:
        """One text frame of the member. Never blocks; what is malformed goes no further."""
        if self._limits.enabled and not self._within_rate(text):
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
        slot = _AnswerSlot(self, command)
        try:
            self._ref.send(Envelope(ByMember(self._member_id, command), slot))
        except (MailboxFull, Outage) as error:
            code = refusal_code(error)
            self._refuse(code, REFUSED_BY_THE_HOUSE[code], command.request_id)
        except RuntimeRefusal as error:
            self.lose_table(error)

    def count(self, command: CartCommand, result: str, seconds: float) -> None:
        """What has become of a command, so long after it came."""
        type_ = _type_of(command)
        self.metrics.count_command(type_, result, seconds)
        if self._tells:
            log.debug(
                "command answered",
                session=getattr(self._ref.key, "pid", None),
                member=self._member_id,
                request=command.request_id,
                type=type_,
                result=result,
                seconds=round(seconds, 4),
            )

    def lose_table(self, error: Exception) -> None:
        """The table has not taken a command, or not said what became of it: the member joins again."""
        if isinstance(error, ActorStopped) and self._draining():
            return  # The table works off what it has, then tells all its members: 1012.
        self.socket.close(CLOSE_FAILED, "The table is being restored; join again")

    def _within_rate(self, text: str) -> bool:
        if self._refused and self._bucket.full:
            self._refused = 0
        wait = self._bucket.take()
        if wait == 0:
            return True
        self._refused += 1
        self.metrics.count_refusal("rate_limited")
        request_id = _request_id_of(text)
        error = Error("rate_limited", "Slow down, please", request_id, round(wait, 3))
        self.socket.send_frame(frame(error))
        if self._refused >= self._limits.flood_messages:
            self.socket.close(CLOSE_POLICY, "Too many messages")
        return False

    def _bad(self, sentence: str, request_id: str | None) -> None:
        self._refuse("bad_message", sentence, request_id)
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= self._limits.bad_messages:
            self.socket.close(CLOSE_POLICY, "Too many bad messages")

    def _refuse(self, code: ErrorCode, sentence: str, request_id: str | None) -> None:
        self.metrics.count_refusal(code)
        self.socket.send_frame(frame(Error(code, sentence, request_id)))


def _request_id_of(text: str) -> str | None:
    try:
        command = decode_command(text)
    except BadMessage as error:
        return error.request_id
    return None if isinstance(command, Join) else command.request_id


def _type_of(command: Command) -> str:
    tag = command.__struct_config__.tag
    assert isinstance(tag, str)
    return tag
