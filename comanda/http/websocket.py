"""`GET /ws/sessions/{session_pid}`: the handshake's checks, and who attends to it."""

from typing import Any

from quart import Response, websocket

from .attending import Early, attend
from .front import Front
from .problems import problem_response
from .socket import MemberSocket
from .worker import CONNECTION_EXTENSION, SOCKET_EXTENSION, Connection


async def serve_member(front: Front, session_pid: str) -> Response | None:
    """Shake hands, and hand the websocket over to `attend`. The response is a refusal."""
    refusal = _refuse_handshake(front)
    if refusal is not None:
        return refusal
    forwarded = websocket.headers.getlist("X-Forwarded-For")
    address = front.proxies.address(websocket.remote_addr or "", forwarded)
    if front.limits.enabled and not front.connections.enter(address):
        return problem_response("rate_limited", "Too many connections from this address")

    def leave() -> None:
        if front.limits.enabled:
            front.connections.leave(address)

    extensions: Any = websocket.scope["extensions"]
    socket: MemberSocket = extensions[SOCKET_EXTENSION]
    connection: Connection = extensions[CONNECTION_EXTENSION]

    async def handler() -> None:
        try:
            await attend(front, session_pid, socket, early)
        finally:
            leave()

    try:
        early = Early(socket, front.limits)
        await websocket.accept()
        connection.hand_over(handler)
    except BaseException:
        leave()
        raise
    return None


def _refuse_handshake(front: Front) -> Response | None:
    if front.draining:
        return problem_response("too_busy", "The server is restarting; try again in a moment")
    forwarded = websocket.headers.getlist("X-Forwarded-Proto")
    scheme = front.proxies.scheme(websocket.remote_addr or "", websocket.scheme, forwarded)
    if not front.origin_allowed(websocket.headers.get("Origin"), scheme, websocket.host):
        return problem_response("forbidden", "This origin may not open websockets here")
    return None
