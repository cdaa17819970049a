"""`GET /ws/sessions/{session_pid}`: the handshake's checks, and who attends to it."""

from typing import Any

from quart import Response, websocket

from .attending import attend
from .front import Front
from .problems import problem_response
from .socket import MemberSocket
from .worker import SOCKET_EXTENSION


async def serve_member(front: Front, session_pid: str) -> Response | None:
    """A websocket from handshake to end. The response is a refusal of the handshake."""
    refusal = _refuse_handshake(front)
    if refusal is not None:
        return refusal
    address = websocket.remote_addr or ""
    if front.limits.enabled and not front.connections.enter(address):
        return problem_response("rate_limited", "Too many connections from this address")
    try:
        extensions: Any = websocket.scope["extensions"]
        socket: MemberSocket = extensions[SOCKET_EXTENSION]
        await attend(front, session_pid, socket, websocket.accept)
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
