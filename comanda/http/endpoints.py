"""The HTTP endpoints as one table: the routes and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

BUSY = ("rate_limited", "too_busy", "storage_unavailable")
BODY = ("bad_message", "payload_too_large", "unsupported_media_type")
TOKEN = ("unauthorized", "forbidden", "not_found", *BUSY)
"""Codes of problems that go together: of calls that need storage, a body, somebody's token."""

Access = Literal["anyone", "member", "staff", "pos"]


class Query(NamedTuple):
    """A query parameter, which may be left out: what it says, and the JSON Schema of what it may be."""

    about: str
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `answer` is the body's type, `body` the request's; `codes` are its problems' codes.

    `run` gets a `Call` and the path's parameters; `content` are answers that are no JSON, `also` further
    statuses with such an answer, `bare` further statuses that have no body, each with when they are
    answered.
    """

    method: str
    path: str
    summary: str
    run: Callable[..., Awaitable[Any]]
    access: Access = "anyone"
    body: Any = None
    answer: Any = None
    status: int = 200
    codes: tuple[str, ...] = ()
    query: dict[str, Query] = field(default_factory=dict)
    content: str | None = None
    also: dict[int, str] = field(default_factory=dict)
    bare: dict[int, str] = field(default_factory=dict)
    limited: bool = True
