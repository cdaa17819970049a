"""A POS over HTTP, spoken to as docs/pos.md says ("The contract over HTTP").

Each answer becomes exactly one outcome; whatever cannot be read as one of the others is `Unknown`. The
sentences in outcomes are made here and hold neither the token nor anything else of the request.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar
from urllib.parse import quote

import httpx
import trio

from comanda.actors.domain.order import NotSent, Order, PosOutcome, Unknown
from comanda.logs import get_log

from .answers import KEY_REUSED, Answer, read_look_up, read_submit, read_void
from .reasons import TOO_MANY_ORDERS, UNREACHABLE

log = get_log("comanda.pos")

MAX_ANSWER_BYTES = 64 * 1024
"""What is read of an answer; the contract's own stay below 2 KiB. A longer one cannot be read."""

MAX_IDLE_CONNECTIONS = 32
"""Connections kept open between calls. Open ones are bounded by the calls of each restaurant."""

CALLS_PER_RESTAURANT = 16
"""One restaurant's calls at once, so that a slow POS costs nobody else connections and memory."""

LATE_CALLS_PER_RESTAURANT = 4
"""Calls at once, beside those, about orders that no table waits for: look-ups of what the staff are to
settle, and voids. There may be hundreds of them, and a new order must not lose its turn to them."""

BUSY_RETRY_SECONDS = 2.0
"""When an order is sent again that found its restaurant's calls taken."""

ANSWER_SHARE = 0.9
"""The share of the caller's time in which an exchange must end, so that its outcome is told by us."""

CONNECT_SHARE, TURN_SHARE = 0.3, 0.3
"""The shares for a connection and for a restaurant's turn. Both end before anything is sent."""


class WebhookPos:
    """Fulfils the POS port over HTTP. One serves all restaurants; made by `open_webhook_pos`.

    Cancellation: a cancelled call closes its connection; whether the POS has the order is not known.

    Args:
        client: bounded in time and closed by whoever made it.
        calls_per_restaurant: a restaurant's further calls wait for their turn. Calls about orders that no
            table waits for have turns of their own, `LATE_CALLS_PER_RESTAURANT` and never more than these.
        call_timeout_seconds: the time that a caller gives to one call.
        now: the wall clock, aware, against which a Retry-After that is a date is read.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        calls_per_restaurant: int = CALLS_PER_RESTAURANT,
        call_timeout_seconds: float = 10.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._calls_per_restaurant = calls_per_restaurant
        self._call_timeout_seconds = call_timeout_seconds
        self._now = now
        self._late_calls_per_restaurant = min(LATE_CALLS_PER_RESTAURANT, calls_per_restaurant)
        # Two for each restaurant that the house has: late calls have their own.
        self._turns: dict[tuple[int, bool], trio.CapacityLimiter] = {}

    async def submit(self, order: Order) -> PosOutcome:
        """Send the order's own bytes under its key; the POS gives the same key no second effect."""
        answer = await self._exchange("POST", order, "", order.payload)
        if isinstance(answer, Answer):
            return _noted(order, read_submit(answer, order.order_id, self._now()))
        return answer

    async def look_up(self, order: Order) -> PosOutcome | None:
        """What the POS knows of the key. Never `NotSent`: that the question did not leave us says nothing."""
        answer = await self._exchange("GET", order, late=order.state == "needs_staff")
        if isinstance(answer, Answer):
            return _noted(order, read_look_up(answer, order.order_id))
        return Unknown(answer.why)

    async def void(self, order: Order) -> bool:
        """Take the order back. True: the POS has promised that it will not cook; False: nothing is known."""
        answer = await self._exchange("POST", order, "/void", b"", late=True)
        return isinstance(answer, Answer) and read_void(answer)

    async def _exchange(
        self,
        method: str,
        order: Order,
        path: str = "",
        content: bytes | None = None,
        *,
        late: bool = False,
    ) -> Answer | NotSent | Unknown:
        """One call in the restaurant's turn: the whole answer, or why there is none."""
        turns = self._turns_of(order.restaurant_id, late)
        started = trio.current_time()
        with trio.move_on_after(TURN_SHARE * self._call_timeout_seconds) as turn:
            await turns.acquire()
        if turn.cancelled_caught:
            return NotSent(TOO_MANY_ORDERS, BUSY_RETRY_SECONDS)
        try:
            with trio.move_on_at(started + ANSWER_SHARE * self._call_timeout_seconds):
                return await self._ask(method, order.order_id, path, content)
            return Unknown("the POS did not answer in time")
        finally:
            turns.release()

    def _turns_of(self, restaurant_id: int, late: bool) -> trio.CapacityLimiter:
        turns = self._turns.get((restaurant_id, late))
        if turns is None:
            most = self._late_calls_per_restaurant if late else self._calls_per_restaurant
            turns = self._turns[restaurant_id, late] = trio.CapacityLimiter(most)
        return turns

    async def _ask(
        self, method: str, key: str, path: str, content: bytes | None
    ) -> Answer | NotSent | Unknown:
        url = "orders" if method == "POST" and not path else f"orders/{quote(key, safe='')}{path}"
        headers = {"Idempotency-Key": key} if content is not None else {}
        if content:
            headers["Content-Type"] = "application/json"
        try:
            async with self._client.stream(method, url, content=content, headers=headers) as answer:
                return await _read(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return NotSent(UNREACHABLE)
        except httpx.TimeoutException:
            return Unknown("the POS did not answer in time")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Unknown(f"the call to the POS broke off: {type(error).__name__}")


_O = TypeVar("_O", bound=PosOutcome | None)


def _noted(order: Order, outcome: _O) -> _O:
    """The outcome; one that must never be is told to the operator."""
    if outcome == KEY_REUSED:
        log.error(
            "the POS has this key with another body",
            session=order.session_pid,
            order=order.order_id,
        )
    return outcome


async def _read(response: httpx.Response) -> Answer | Unknown:
    """The answer's body as it came, never unpacked: a few bytes could unpack into many."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Unknown(f"the POS answered {response.status_code} in an encoding not asked for")
    body = bytearray()
    try:
        async for part in response.aiter_raw():
            body += part
            if len(body) > MAX_ANSWER_BYTES:
                await response.aclose()  # what was received is told still, then reading fails
    except httpx.HTTPError:
        if len(body) <= MAX_ANSWER_BYTES:
            raise
    if len(body) > MAX_ANSWER_BYTES:
        return Unknown(f"the POS answered {response.status_code} with too many bytes")
    return Answer(response.status_code, bytes(body), response.headers.get("Retry-After"))


@asynccontextmanager
async def open_webhook_pos(
    base_url: str,
    token: str | None = None,
    *,
    calls_per_restaurant: int = CALLS_PER_RESTAURANT,
    call_timeout_seconds: float = 10.0,
) -> AsyncIterator[WebhookPos]:
    """The POS at `base_url`, whose connections are closed at the end of the block.

    Neither proxies nor certificates are taken from the environment, redirects are not followed and
    cookies not kept: an order goes where the settings say, and each call is like the first.

    Args:
        base_url: ``http://…`` or ``https://…``, without ``/orders``.
        token: goes with each call as a bearer token; visible ASCII characters.
        calls_per_restaurant: one restaurant's calls at once.
        call_timeout_seconds: the time that a caller gives to one call; ours end a little before.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    client = httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(call_timeout_seconds, connect=CONNECT_SHARE * call_timeout_seconds),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=MAX_IDLE_CONNECTIONS),
        follow_redirects=False,
        trust_env=False,
    )
    async with client:
        yield WebhookPos(
            client,
            calls_per_restaurant=calls_per_restaurant,
            call_timeout_seconds=call_timeout_seconds,
        )
