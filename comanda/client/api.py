"""The HTTP calls of the protocol."""

from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import trio
from msgspec import Struct

from comanda.actors.domain.messages import CartSnapshot, JoinAnswer, MenuAnswer, OrderList

from .errors import ApiError
from .link import retry_after_seconds
from .settings import ClientLimits
from .surroundings import REAL, Surroundings, http_transport

Answer = TypeVar("Answer")


class _Problem(Struct):
    code: str = "unknown"
    detail: str = ""
    title: str = ""


class Api:
    """HTTP calls to one server over one `httpx.AsyncClient`, which closes with this.

    Every call raises `ApiError` for a refusal, `httpx.HTTPError` or `trio.TooSlowError` where no usable
    answer came. Cancelling a call gives up its connection. Proxies of the environment are not used.
    """

    def __init__(
        self,
        server_url: str,
        token: str | None = None,
        *,
        limits: ClientLimits | None = None,
        surroundings: Surroundings = REAL,
    ) -> None:
        self._limits = limits or ClientLimits()
        self.token = token
        self._http = httpx.AsyncClient(
            base_url=server_url,
            trust_env=False,
            timeout=None,  # each call stands under one limit as a whole
            transport=surroundings.http_transport or http_transport(),
        )
        self._menus: dict[int, tuple[str, MenuAnswer]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; by force after `close_timeout_seconds`."""
        with trio.move_on_after(self._limits.close_timeout_seconds, shield=True):
            await self._http.aclose()

    async def join(self, table_code: str, name: str, pin: str | None = None) -> JoinAnswer:
        """Sit down at a table; opens its session where none is open.

        Where the table asks for its PIN the refusal's code is `pin_required`, or `pin_wrong`; after too many
        wrong ones `rate_limited`.
        """
        body = {"name": name} if pin is None else {"name": name, "pin": pin}
        return await self.call(
            "POST", f"/api/tables/{quote(table_code, safe='')}/join", JoinAnswer, body
        )

    async def cart(self, session_pid: str) -> CartSnapshot:
        """The cart snapshot, of any moment up to now."""
        return await self.call("GET", f"/api/sessions/{session_pid}/cart", CartSnapshot)

    async def orders(self, session_pid: str) -> OrderList:
        """The session's confirmed orders."""
        return await self.call("GET", f"/api/sessions/{session_pid}/orders", OrderList)

    async def menu(self, restaurant_id: int) -> MenuAnswer:
        """The menu; asked with the last one's ETag, so that an unchanged one costs no body."""
        etag, known = self._menus.get(restaurant_id, ("", None))
        headers = {"if-none-match": etag} if etag else {}
        reply = await self._send("GET", f"/api/restaurants/{restaurant_id}/menu", headers=headers)
        if reply.status == httpx.codes.NOT_MODIFIED and known is not None:
            return known
        menu = _decode(reply, MenuAnswer)
        self._menus[restaurant_id] = (reply.headers.get("etag", ""), menu)
        return menu

    async def call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        body: object = None,
        params: Mapping[str, str] | None = None,
    ) -> Answer:
        """Any call of the protocol, its JSON decoded as `answer` (`None`: no body is looked at)."""
        return _decode(await self._send(method, path, body, params=params), answer)

    async def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "_Reply":
        sent = dict(headers or {})
        if self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        content = None
        if body is not None:
            sent["content-type"] = "application/json"
            content = msgspec.json.encode(body)
        with trio.fail_after(self._limits.http_timeout_seconds):
            async with self._http.stream(
                method, path, content=content, params=params, headers=sent
            ) as response:
                return _Reply(response.status_code, response.headers, await self._read(response))

    async def _read(self, response: httpx.Response) -> bytes:
        """The body. One that is too large is read to its end, but not kept: httpx wants no iterator left."""
        body = bytearray()
        size = 0
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size <= self._limits.max_http_bytes:
                body += chunk
        if size > self._limits.max_http_bytes:
            raise ApiError(response.status_code, "answer_too_large", "The answer is too large")
        return bytes(body)


class _Reply(NamedTuple):
    status: int
    headers: httpx.Headers
    body: bytes


def _decode(reply: _Reply, answer: type[Answer]) -> Answer:
    if not 200 <= reply.status < 300:
        raise _problem(reply)
    try:
        return msgspec.json.decode(b"null" if answer is type(None) else reply.body, type=answer)
    except msgspec.DecodeError as error:
        raise ApiError(reply.status, "bad_answer", str(error)) from error


def _problem(reply: _Reply) -> ApiError:
    try:
        problem = msgspec.json.decode(reply.body, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    message = problem.detail or problem.title or "The server has refused the call"
    wait = retry_after_seconds(reply.headers.get("retry-after"))
    return ApiError(reply.status, problem.code, message, wait)
