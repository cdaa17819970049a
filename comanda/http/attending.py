"""A member's connection from the first frame to its end: the join, the seat, and what comes after.

It knows the socket, and neither Quart nor Hypercorn: whoever shakes hands makes an `Early` before and
calls `attend` after it.
"""

from contextlib import suppress

import trio

from comanda.actors.dining_session import CLOSE_RESTARTING, REJOIN_AFTER_SECONDS
from comanda.actors.domain.messages import (
    BadMessage,
    Error,
    Join,
    Rejection,
    ServerClosing,
    decode_command,
)
from comanda.actors.ports import NoSuchSession, SessionKey, StorageUnavailable
from comanda.actors.sayings import Message, Seated
from comanda.logs import get_log
from comanda.runtime import Ref, RuntimeRefusal

from .auth import BadToken, MemberPass
from .connection import CLOSE_FAILED, CLOSE_POLICY, MemberConnection
from .front import Front
from .limits import FrontLimits
from .socket import MemberSocket
from .wire import REFUSED_BY_THE_HOUSE, frame, refusal_code

log = get_log("comanda.http")

CLOSE_NO_TOKEN = 4401
CLOSE_UNKNOWN_SESSION = 4404
CLOSE_SESSION_CLOSED = 4410


_TOLD = frozenset({CLOSE_POLICY, CLOSE_FAILED, 1013})
"""Closes that an operator should hear of: a flood, a table in trouble, too slow a reader."""


class _Outlet:
    """A member socket as the session's actor sees it."""

    __slots__ = ("close", "send")

    def __init__(self, socket: MemberSocket) -> None:
        self.send = socket.send_frame
        self.close = socket.close


class _Closed(Exception):
    """This connection ends before it has begun."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Early:
    """Frames that come before the member is seated: the join first, then a bounded few behind it."""

    def __init__(self, socket: MemberSocket, limits: FrontLimits) -> None:
        """Listen from now on: to be made before the handshake ends, after which frames may come."""
        socket.on_text = self.hear
        self._socket = socket
        self._limits = limits
        self._characters = 0
        self._texts: list[str] = []
        self._first = trio.Event()

    def hear(self, text: str) -> None:
        """Keep one frame, or close the connection beyond the bound."""
        self._characters += len(text)
        if (
            len(self._texts) > self._limits.early_messages
            or self._characters > self._limits.early_characters
        ):
            self._socket.close(CLOSE_POLICY, "Too many messages before the join was answered")
            return
        self._texts.append(text)
        self._first.set()

    async def first(self) -> str:
        """The first frame, when it has come."""
        await self._first.wait()
        return self._texts[0]

    def take_rest(self) -> list[str]:
        """What came behind the join; kept no longer."""
        rest, self._texts = self._texts[1:], []
        return rest


async def attend(front: Front, session_pid: str, socket: MemberSocket, early: Early) -> None:
    """Serve one member's websocket until it has closed. When cancelled the seat is given back.

    Args:
        early: has heard what came since the handshake.
    """
    front.metrics.connections.inc()
    who: dict[str, str] = {}
    try:
        await _attend(front, session_pid, socket, early, who)
    finally:
        front.metrics.count_close(socket.close_code)
        tell = log.info if socket.close_code in _TOLD else log.debug
        tell("connection closed", **who, code=socket.close_code)


async def _attend(
    front: Front, session_pid: str, socket: MemberSocket, early: Early, who: dict[str, str]
) -> None:
    """`who` is filled in once it is known: what the path says may be anything."""
    try:
        member = await _member_of(front, session_pid, early)
        who.update(session=member.key.pid, member=member.member_id)
        ref, seated = await _sit(front, member, socket)
    except _Closed as closed:
        socket.close(closed.code, closed.reason)
        await socket.wait_closed()
        return
    try:
        connection = MemberConnection(
            socket,
            member.member_id,
            ref,
            limits=front.limits,
            clock=front.house.clock,
            metrics=front.metrics,
            draining=lambda: front.draining,
        )
        for text in early.take_rest():
            if not socket.closed:
                connection.hear(text)
        socket.on_text = connection.hear
        await socket.wait_closed()
    finally:
        seated.seat.leave()


async def _sit(
    front: Front, member: MemberPass, socket: MemberSocket
) -> tuple[Ref[Message], Seated]:
    """Register the connection with its table; the snapshot goes out in the same step.

    Raises `_Closed`.
    """
    try:
        ref, seated = await front.house.sit(member.key, member.member_id, _Outlet(socket))
    except NoSuchSession as error:
        raise _Closed(CLOSE_UNKNOWN_SESSION, "There is no such session") from error
    except (RuntimeRefusal, StorageUnavailable) as error:
        if front.draining:
            socket.send_frame(frame(ServerClosing(REJOIN_AFTER_SECONDS, front.house.clock.now())))
            raise _Closed(CLOSE_RESTARTING, "The server is restarting; join again") from error
        code = refusal_code(error)
        socket.send_frame(frame(Error(code, REFUSED_BY_THE_HOUSE[code])))
        raise _Closed(CLOSE_FAILED, "The table cannot be opened now; join again") from error
    if isinstance(seated, Rejection):
        raise _Closed(*_CLOSE_FOR.get(seated.code, (CLOSE_NO_TOKEN, seated.message)))
    return ref, seated


_CLOSE_FOR = {
    "session_closed": (CLOSE_SESSION_CLOSED, "This table's session is closed"),
    "rate_limited": (CLOSE_POLICY, "Too many connections of this member"),
}


async def _member_of(front: Front, session_pid: str, early: Early) -> MemberPass:
    """The member whom the first frame names. Raises `_Closed`."""
    text = None
    with trio.move_on_after(front.limits.join_timeout_seconds):
        text = await early.first()
    if text is None:
        raise _Closed(CLOSE_NO_TOKEN, "No join within the time for it")
    try:
        join = decode_command(text)
    except BadMessage as error:
        raise _Closed(CLOSE_NO_TOKEN, "The first frame must be a join") from error
    if not isinstance(join, Join):
        raise _Closed(CLOSE_NO_TOKEN, "The first frame must be a join")
    member = None
    with suppress(BadToken):
        member = front.members.read(join.token)
    found = await _find(front, session_pid, member)
    if found is None:
        raise _Closed(CLOSE_UNKNOWN_SESSION, "There is no such session")
    if member is None:
        raise _Closed(CLOSE_NO_TOKEN, "The token is not valid")
    if member.key != found[0]:
        raise _Closed(CLOSE_NO_TOKEN, "The token is for another session")
    if not found[1]:
        raise _Closed(CLOSE_SESSION_CLOSED, "This table's session is closed")
    return member


async def _find(
    front: Front, session_pid: str, member: MemberPass | None
) -> tuple[SessionKey, bool] | None:
    try:
        return await front.find_session(session_pid, None if member is None else member.key)
    except StorageUnavailable as error:
        raise _Closed(CLOSE_FAILED, "The table cannot be opened now; join again") from error
