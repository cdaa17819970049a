"""Errors over HTTP: `application/problem+json` (RFC 9457) with a `code`. Bad input is never a 5xx."""

import math
from typing import Final

import msgspec
from msgspec import Struct
from quart import Response

PROBLEM_TYPE: Final = "application/problem+json"

STATUSES: Final[dict[str, int]] = {
    "bad_message": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "pin_required": 403,
    "pin_wrong": 403,
    "not_found": 404,
    "item_not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "session_closed": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "too_busy": 503,
    "storage_unavailable": 503,
    "server_error": 500,
}
"""Every code that an HTTP answer can carry, with its status."""

RETRY_AFTER_SECONDS: Final = 1
"""Retry-After of a 503: what is busy or gone is asked again soon."""


class Problem(Struct, frozen=True, omit_defaults=True):
    """The body of an error. `detail` is a sentence for a person."""

    title: str
    status: int
    code: str
    detail: str
    retry_after: float | None = None
    type: str = "about:blank"


class Refused(Exception):
    """Raised by an endpoint to answer with a problem."""

    def __init__(self, code: str, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


def bare_response(status: int, headers: dict[str, str] | None = None) -> Response:
    """A response without a body, such as 204 and 304: nothing says of which type or size it were."""
    response = Response(b"", status, headers)
    del response.headers["Content-Type"], response.headers["Content-Length"]
    return response


def problem_response(
    code: str, detail: str, *, retry_after: float | None = None, allow: str | None = None
) -> Response:
    """The response for a problem; the status comes from `STATUSES`."""
    status = STATUSES[code]
    if status in (429, 503) and retry_after is None:
        retry_after = RETRY_AFTER_SECONDS
    problem = Problem(code.replace("_", " ").capitalize(), status, code, detail, retry_after)
    response = Response(msgspec.json.encode(problem), status, content_type=PROBLEM_TYPE)
    if retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(retry_after)))
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if allow is not None:
        response.headers["Allow"] = allow
    return response
