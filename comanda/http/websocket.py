"""`GET /ws/sessions/{session_pid}`: the handshake's checks, the join, and the connection's life."""

from typing import Any

import trio
from quart import Response, websocket

from comanda.actors.dining_session import CLOSE_RESTARTING, REJOIN_AFTER_SECONDS, Seated, Sit
from comanda.actors.domain.messages import (
    BadMessage,
    Error,
    Join,
    Rejection,
    ServerClosing,
    decode_command,
)
from comanda.actors.ports import NoSuchSession, StorageUnavailable
from comanda.runtime import AskTimeout, Envelope, RuntimeRefusal

from .auth import BadToken, MemberPass
from .connection import CLOSE_FAILED, CLOSE_POLICY, MemberConnection
from .front import Front
from .limits import FrontLimits
from .problems import problem_response
from .socket import MemberSocket
from .wire import REFUSED_BY_THE_HOUSE, frame, refusal_code
from .worker import SOCKET_EXTENSION

CLOSE_NO_TOKEN = 4401
CLOSE_UNKNOWN_SESSION = 4404
CLOSE_SESSION_CLOSED = 4410


class _Outlet:
    """A member socket as the session's actor sees it."""

    __slots__ = ("close", "send")

    def __init__(self, socket: MemberSocket) -> None:
        self.send = socket.send_frame
        self.close = socket.close


class _SeatSlot:
    """Where the table's answer to a `Sit` goes. A seat for somebody who has gone is given back at once:
    nobody else would ever give it back."""

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
        """The answer. Raises what the runtime refuses with; `AskTimeout` when none comes in time."""
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


class _Closed(Exception):
    """This connection ends before it has begun."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Early:
    """Frames that come before the member is seated: the join first, then a bounded few behind it."""

    def __init__(self, socket: MemberSocket, limits: FrontLimits) -> None:
        self._socket = socket
        self._limits = limits
        self._characters = 0
        self._texts: list[str] = []
        self._first = trio.Event()

    def hear(self, text: str) -> None:
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
        await self._first.wait()
        return self._texts[0]

    def rest(self) -> list[str]:
        return self._texts[1:]


async def serve_member(front: Front, session_pid: str) -> Response | None:
    """A websocket from handshake to end. The response is a refusal of the handshake."""
    refusal = _refuse_handshake(front)
    if refusal is not None:
        return refusal
    address = websocket.remote_addr or ""
    if front.limits.enabled and not front.connections.enter(address):
        return problem_response("rate_limited", "Too many connections from this address")
    try:
        await _attend(front, session_pid)
    finally:
        if front.limits.enabled:
            front.connections.leave(address)
    return None


def _refuse_handshake(front: Front) -> Response | None:
    if front.draining:
        return problem_response("too_busy", "The server is restarting; try again in a moment")
    scheme = "https" if websocket.scheme == "wss" else "http"
    if not front.origin_allowed(websocket.headers.get("Origin"), scheme, websocket.host):
        return problem_response("forbidden", "This origin may not open websockets here")
    return None


async def _attend(front: Front, session_pid: str) -> None:
    extensions: Any = websocket.scope["extensions"]
    socket: MemberSocket = extensions[SOCKET_EXTENSION]
    early = _Early(socket, front.limits)
    socket.on_text = early.hear
    await websocket.accept()
    front.metrics.connections.inc()
    try:
        member = await _member_of(front, session_pid, early)
        seated = await _sit(front, member, socket)
        if isinstance(seated, Rejection):
            raise _Closed(*_CLOSE_FOR.get(seated.code, (CLOSE_NO_TOKEN, seated.message)))
    except _Closed as closed:
        socket.close(closed.code, closed.reason)
        await socket.wait_closed()
        return
    except NoSuchSession:
        socket.close(CLOSE_UNKNOWN_SESSION, "There is no such session")
        await socket.wait_closed()
        return
    except (RuntimeRefusal, StorageUnavailable) as error:
        if front.draining:
            closing = ServerClosing(REJOIN_AFTER_SECONDS, front.house.clock.now())
            socket.send_frame(frame(closing))
            socket.close(CLOSE_RESTARTING, "The server is restarting; join again")
            await socket.wait_closed()
            return
        code = refusal_code(error)
        socket.send_frame(frame(Error(code, REFUSED_BY_THE_HOUSE[code])))
        socket.close(CLOSE_FAILED, "The table cannot be opened now; join again")
        await socket.wait_closed()
        return
    try:
        ref = await front.house.ref(member.key)
        connection = MemberConnection(
            socket,
            member.member_id,
            ref,
            limits=front.limits,
            clock=front.house.clock,
            metrics=front.metrics,
            draining=lambda: front.draining,
        )
        for text in early.rest():
            connection.hear(text)
        socket.on_text = connection.hear
        await socket.wait_closed()
    finally:
        seated.seat.leave()


async def _sit(front: Front, member: MemberPass, socket: MemberSocket) -> Seated | Rejection:
    """Register the connection with its table; the snapshot goes out in the same step.

    When cancelled (the guest has gone) the seat is given back as soon as the table gives it.
    """
    ref = await front.house.ref(member.key)
    slot = _SeatSlot()
    ref.send(Envelope(Sit(member.member_id, _Outlet(socket)), slot))
    return await slot.answer(front.house.limits.ask_timeout_seconds)


_CLOSE_FOR = {
    "session_closed": (CLOSE_SESSION_CLOSED, "This table's session is closed"),
    "rate_limited": (CLOSE_POLICY, "Too many connections of this member"),
}


async def _member_of(front: Front, session_pid: str, early: _Early) -> MemberPass:
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
    found = await front.find_session(session_pid)
    if found is None:
        raise _Closed(CLOSE_UNKNOWN_SESSION, "There is no such session")
    try:
        member = front.members.read(join.token)
    except BadToken as error:
        raise _Closed(CLOSE_NO_TOKEN, "The token is not valid") from error
    if member.key != found[0]:
        raise _Closed(CLOSE_NO_TOKEN, "The token is for another session")
    if not found[1]:
        raise _Closed(CLOSE_SESSION_CLOSED, "This table's session is closed")
    return member
