"""The simulator over HTTP: the contract's three calls, the control call, and the faults' delivery."""

import hmac
import math
from collections.abc import AsyncIterator
from typing import Annotated, Any, NoReturn, Protocol, cast

import msgspec
import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException

from comanda.http.worker import CONNECTION_EXTENSION

from .answers import KEY_REUSED, NOT_FOUND, Answer, busy, refusal
from .desk import KEY, Desk
from .faults import Call, Fault, Faults, FaultUnknown, parse_fault, parse_rates

MAX_BODY_BYTES = 1024 * 1024
"""Far above the largest order of a table."""

BODY_TIMEOUT_SECONDS = 30
"""A body that has not come whole by then is given up."""


class Cuttable(Protocol):
    """What a fault does to a connection."""

    def abort(self) -> None:
        """Reset it."""

    def finish(self) -> None:
        """End what is sent, wherever it stands."""


class Instruction(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /control`."""

    next: list[Annotated[str, msgspec.Meta(max_length=100)]] = []
    rates: dict[str, float] | None = None


def make_simulator_app(desk: Desk, faults: Faults, token: str | None = None) -> QuartTrio:
    """The ASGI application; with `token` every call must bear it."""
    app = QuartTrio("comanda-pos", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["BODY_TIMEOUT"] = BODY_TIMEOUT_SECONDS
    app.config["RESPONSE_TIMEOUT"] = None  # a truncated answer stays so until the caller leaves
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.url_map.merge_slashes = False

    @app.before_request
    async def check_token() -> Response | None:
        await trio.lowlevel.checkpoint()
        given = request.headers.get("Authorization", "").encode()
        if token is None or hmac.compare_digest(given, f"Bearer {token}".encode()):
            return None
        response = _response(Answer(401, {"status": "unauthorized"}))
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @app.post("/orders")
    async def submit() -> Response:
        key = request.headers.get("Idempotency-Key", "")
        if KEY.fullmatch(key) is None:
            return _response(refusal(400, "bad_request", "The Idempotency-Key is missing or unfit"))
        payload = cast(bytes, await request.get_data(cache=False, as_text=False))
        fault = faults.choose("submit", key, request.headers.get("X-Pos-Fault"))
        early = await _before_effect(fault)
        return early or await _deliver(await desk.submit(key, payload, fault), fault)

    @app.get("/orders/<key>")
    async def look_up(key: str) -> Response:
        fault = _chosen(faults, "lookup", key)
        early = await _before_effect(fault)
        if early is None and fault is not None and fault.name == "delay":
            await trio.sleep(fault.seconds)
        return early or await _deliver(desk.look_up(key), fault)

    @app.post("/orders/<key>/void")
    async def void(key: str) -> Response:
        fault = _chosen(faults, "void", key)
        if KEY.fullmatch(key) is None:
            return _response(refusal(400, "bad_request", "The order id is unfit"))
        early = await _before_effect(fault)
        if early is None and fault is not None and fault.name == "delay":
            await trio.sleep(fault.seconds)
        return early or await _deliver(desk.void(key), fault)

    @app.get("/control")
    async def show() -> Response:
        return _response(_shown(faults))

    @app.post("/control")
    async def instruct() -> Response:
        try:
            body = await request.get_data(cache=False, as_text=False)
            wanted = msgspec.json.decode(body, type=Instruction)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise FaultUnknown(f"The instruction cannot be read: {error}") from error
        rates = None if wanted.rates is None else parse_rates(wanted.rates)
        faults.instruct([parse_fault(text) for text in wanted.next], rates)
        return _response(_shown(faults))

    @app.delete("/control")
    async def forget() -> Response:
        faults.reset()
        return _response(_shown(faults))

    @app.errorhandler(FaultUnknown)
    async def explain(error: FaultUnknown) -> Response:
        return _response(Answer(400, {"status": "bad_instruction", "message": str(error)}))

    @app.errorhandler(HTTPException)
    async def answer_error(error: HTTPException) -> Response:
        status = error.code or 500
        if status == 404:
            return _response(NOT_FOUND)
        return _response(refusal(status, "bad_request", error.name))

    return app


def _chosen(faults: Faults, call: Call, key: str) -> Fault | None:
    return faults.choose(call, key, request.headers.get("X-Pos-Fault"))


async def _before_effect(fault: Fault | None) -> Response | None:
    """The faults that keep a call from its effect; None for all others."""
    await trio.lowlevel.checkpoint()
    match "" if fault is None else fault.name:
        case "hang":
            await _never()
        case "error-before":
            return _response(Answer(500, {"status": "broken"}))
        case "down":
            return _response(Answer(503, {"status": "down"}))
        case "not-found":
            return _response(NOT_FOUND)
        case "busy":
            assert fault is not None
            return _response(busy(fault.seconds))
    return None


async def _deliver(answer: Answer, fault: Fault | None) -> Response:
    """The answer, as the fault lets it through. The effect is on disk."""
    match "" if fault is None else fault.name:
        case "lost":
            await _never()
        case "reset":
            _connection().abort()
            await _never()
        case "error-after":
            return _response(Answer(500, {"status": "broken"}))
        case "garbage":
            return Response(
                b"\x00\xff bon app\xe9tit {", answer.status, mimetype="application/json"
            )
        case "truncated":
            return _truncated(answer)
        case "key-reused":
            return _response(KEY_REUSED)
    return _response(answer)


async def _never() -> NoReturn:
    """Until the caller leaves, which cancels."""
    await trio.sleep_forever()
    raise AssertionError


def _truncated(answer: Answer) -> Response:
    whole = msgspec.json.encode(answer.body)
    connection = _connection()

    async def half() -> AsyncIterator[bytes]:
        yield whole[: len(whole) // 2]
        connection.finish()
        await _never()

    response = Response(half(), answer.status, mimetype="application/json")
    response.headers["Content-Length"] = str(len(whole))
    return response


def _connection() -> Cuttable:
    extensions: Any = request.scope["extensions"]
    connection: Cuttable = extensions[CONNECTION_EXTENSION]
    return connection


def _shown(faults: Faults) -> Answer:
    rates = {fault.text: rate for fault, rate in faults.rates.items()}
    waiting = [fault.text for fault in faults.next]
    return Answer(200, {"seed": faults.seed, "next": waiting, "rates": rates})


def _response(answer: Answer) -> Response:
    response = Response(
        msgspec.json.encode(answer.body), answer.status, mimetype="application/json"
    )
    if answer.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(math.ceil(answer.retry_after_seconds))
    return response
