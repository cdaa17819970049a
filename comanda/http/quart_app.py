"""The Quart-Trio application: routes from the table of endpoints, the websocket, problems for errors."""

from collections.abc import Awaitable, Callable
from typing import Any

from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.routing import IntegerConverter, WebsocketMismatch

from comanda.actors.domain.messages import encode
from comanda.actors.ports import NoSuchSession, StorageUnavailable
from comanda.logs import get_log
from comanda.runtime import Quarantined, RuntimeRefusal

from .call import Call
from .endpoints import Endpoint
from .front import Front
from .page import get_asset
from .problems import Refused, bare_response, problem_response
from .routes import ENDPOINTS
from .static_files import static_tree
from .websocket import serve_member
from .wire import REFUSED_BY_THE_HOUSE, refusal_code

log = get_log("comanda.http")

MAX_BODY_BYTES = 64 * 1024
"""PROTOCOL, "HTTP": bodies are at most 64 KiB."""

BODY_TIMEOUT_SECONDS = 30
"""A body that has not come whole by then is given up."""


class _Id(IntegerConverter):
    """An id in a path: beyond sixteen digits there is none, and storage need not be asked."""

    regex = "[0-9]{1,16}"


_CODES = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}


def make_quart_app(front: Front) -> QuartTrio:
    """The ASGI application of one front. Nothing runs yet."""
    app = QuartTrio("comanda", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT_SECONDS
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.url_map.merge_slashes = False  # else werkzeug answers `//` with a redirect in HTML
    app.url_map.converters["int"] = _Id
    for endpoint in ENDPOINTS:
        app.add_url_rule(
            endpoint.path,
            endpoint=endpoint.run.__name__,
            view_func=_view(front, endpoint),
            methods=[endpoint.method],
            provide_automatic_options=False,
        )

    static_tree()  # what is wrong with the page's files shows now, not to the first guest
    app.add_url_rule(
        "/static/<tree>/<path:name>",
        view_func=get_asset,
        methods=["GET"],
        provide_automatic_options=False,
    )

    async def member_socket(session_pid: str) -> Response | None:
        return await serve_member(front, session_pid)

    app.add_websocket("/ws/sessions/<session_pid>", view_func=member_socket)
    app.register_error_handler(Exception, _answer_error)
    return app


def _view(front: Front, endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
    async def view(**path: Any) -> Response:
        try:
            response = await _respond(front, endpoint, path)
        except Exception as error:
            response = await _answer_error(error)
        front.metrics.requests.labels(endpoint.path, response.status_code).inc()
        return response

    return view


async def _respond(front: Front, endpoint: Endpoint, path: dict[str, Any]) -> Response:
    call = Call(front)
    try:
        if endpoint.limited:
            call.count(endpoint.access)
        if endpoint.body is None:
            answer = await endpoint.run(call, **path)
        else:
            if endpoint.access == "staff":
                call.any_staff()
            signed = endpoint.access == "pos"
            read = call.signed_body if signed else call.body
            body = await read(endpoint.body)
            answer = await endpoint.run(call, body, **path)
    except Refused as refused:
        return problem_response(refused.code, refused.detail, retry_after=refused.retry_after)
    except NoSuchSession:
        return problem_response("not_found", "There is no such session")
    except (RuntimeRefusal, StorageUnavailable) as error:
        code = refusal_code(error)
        wait = error.seconds_left if isinstance(error, Quarantined) else None
        return problem_response(code, REFUSED_BY_THE_HOUSE[code], retry_after=wait)
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return bare_response(endpoint.status)
    return Response(encode(answer), endpoint.status, content_type="application/json")


async def _answer_error(error: Exception) -> Response:
    """Every error that Quart or a bug raises, as a problem."""
    if request:
        request.routing_exception = None  # Its traceback holds the request, body and all.
    if isinstance(error, WebsocketMismatch):
        return problem_response(
            "bad_message", "Websockets and other requests have paths of their own"
        )
    if isinstance(error, HTTPException):
        # Quart keeps it with the request, which its frames keep: a ring that waits for the collector.
        error.__traceback__ = error.__context__ = None
        code = _CODES.get(error.code or 500, "bad_message")
        allow = None
        if code == "method_not_allowed":
            allow = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return problem_response(code, error.description or code, allow=allow)
    log.error("request failed", **_asked(), exc_info=error)
    return problem_response("server_error", "Something broke here; it has been noted")


def _asked() -> dict[str, Any]:
    """What was asked, without what its path tells: a table's code opens the table."""
    if not request:
        return {"route": "websocket"}
    route = request.url_rule.rule if request.url_rule is not None else None
    session = (request.view_args or {}).get("session_pid")
    return {"method": request.method, "route": route, "session": session}
