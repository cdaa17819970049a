"""Carries callbacks: signed as Standard Webhooks say, and repeated until the receiver has answered 2xx."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Literal

import httpx
import msgspec
import trio
from msgspec import Struct
from standardwebhooks import Webhook

from comanda.logs import get_log

from .entries import Callback, Effect
from .ledger import Ledger

MAX_TRIES_AT_ONCE = 16
"""Calls of the receiver at one time, so that a backlog does not flood it."""

log = get_log("comanda.pos.simulator")


TRY_LATER = frozenset({408, 425, 429})
"""The answers among 4xx that speak of the moment, not of the callback."""


class CallbackLimits(Struct, frozen=True):
    """How long a callback is tried. One that comes to the end of it is given up, on record.

    The pause doubles from the first to the longest, which is short, so that a receiver that comes back
    hears of its orders within seconds. It is drawn between the half and the whole, so that they do not
    come all at once. A call ends after `call_seconds`. A receiver that is down is tried for
    `total_seconds`, at most `tries` times; one that refuses (3xx, 4xx) will hardly change its mind,
    and may do so `refusals` times.
    """

    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 5.0
    call_seconds: float = 5.0
    tries: int = 400
    total_seconds: float = 900.0
    refusals: int = 3

    def pause_seconds(self, tried: int, chance: float) -> float:
        """The pause after so many tries; `chance` is from [0, 1)."""
        exponent = min(tried - 1, 32)  # beyond, the limit holds anyway
        pause = min(self.first_pause_seconds * 2.0**exponent, self.longest_pause_seconds)
        return pause * (0.5 + 0.5 * chance)


class CallbackSettings(Struct, frozen=True):
    """Where callbacks go, and what signs them."""

    url: str
    webhook: Webhook
    limits: CallbackLimits = CallbackLimits()


class CallbackBody(Struct, frozen=True):
    """The body of a callback, as the contract writes it. It depends on the effect alone."""

    event_id: str
    order_id: str
    status: str
    pos_reference: str | None
    message: str | None
    occurred_at: datetime


def body_of(effect: Effect) -> bytes:
    """The callback about an effect."""
    return msgspec.json.encode(
        CallbackBody(
            event_id=effect.event_id,
            order_id=effect.key,
            status=effect.kind,
            pos_reference=effect.reference,
            message=effect.message,
            occurred_at=effect.at,
        )
    )


class Courier:
    """Carries each callback in a task of `nursery`, and writes its end into the ledger.

    Made by `open_courier`. One callback may come once more than it should, under the same id, when the
    process ends between an answer and its record.
    """

    def __init__(
        self,
        settings: CallbackSettings,
        client: httpx.AsyncClient,
        ledger: Ledger,
        nursery: trio.Nursery,
        now: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._url = settings.url
        self._webhook = settings.webhook
        self._limits = settings.limits
        self._client = client
        self._ledger = ledger
        self._nursery = nursery
        self._now = now
        self._chance = chance
        self._turns = trio.CapacityLimiter(MAX_TRIES_AT_ONCE)
        self._under_way: dict[str, trio.Event] = {}  # by event id; set when told once, or given up

    def carry(self, effect: Effect) -> None:
        """Deliver the callback about `effect`, which is in the ledger, `effect.callbacks` times."""
        self._under_way[effect.event_id] = trio.Event()
        self._nursery.start_soon(self._carry, effect)

    async def until_told(self, effect: Effect) -> None:
        """Until the callback is delivered once or given up; at once where it is not under way."""
        told = self._under_way.get(effect.event_id)
        if told is None:
            await trio.lowlevel.checkpoint()
        else:
            await told.wait()

    async def _carry(self, effect: Effect) -> None:
        try:
            for _ in range(effect.callbacks):
                end = await self._deliver(effect)
                self._ledger.note(end)
                self._under_way[effect.event_id].set()
                if end.kind == "given_up":
                    log.error("callback given up", order_id=effect.key, answer=end.answer)
                    return
        finally:
            del self._under_way[effect.event_id]

    async def _deliver(self, effect: Effect) -> Callback:
        """Try until the end, whichever it is."""
        answer: int | None = None
        refusals = 0
        with trio.move_on_after(self._limits.total_seconds):
            for tried in range(1, self._limits.tries + 1):
                answer = await self._try(effect)
                if answer is not None and 200 <= answer < 300:
                    return self._end(effect, "delivered", answer)
                if answer is not None and _is_refusal(answer):
                    log.warning("callback refused", order_id=effect.key, answer=answer)
                    refusals += 1
                    if refusals >= self._limits.refusals:
                        break
                await trio.sleep(self._limits.pause_seconds(tried, self._chance()))
        return self._end(effect, "given_up", answer)

    async def _try(self, effect: Effect) -> int | None:
        """One call, signed for its moment: the answer's status, None where there was none."""
        async with self._turns:
            body, now = body_of(effect), self._now()
            headers = {
                "Content-Type": "application/json",
                "webhook-id": effect.event_id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": self._webhook.sign(effect.event_id, now, body.decode()),
            }
            with trio.move_on_after(self._limits.call_seconds):
                try:
                    async with self._client.stream(
                        "POST", self._url, content=body, headers=headers
                    ) as answer:
                        return answer.status_code  # what it says besides is nobody's concern
                except httpx.HTTPError as error:
                    log.info("callback failed", order_id=effect.key, error=type(error).__name__)
        return None

    def _end(
        self, effect: Effect, kind: Literal["delivered", "given_up"], answer: int | None
    ) -> Callback:
        return Callback(
            key=effect.key, event_id=effect.event_id, at=self._now(), kind=kind, answer=answer
        )


def _is_refusal(answer: int) -> bool:
    return 300 <= answer < 500 and answer not in TRY_LATER


@asynccontextmanager
async def open_courier(
    settings: CallbackSettings | None, ledger: Ledger, now: Callable[[], datetime]
) -> AsyncIterator[Courier | None]:
    """A courier until the block's end, which leaves callbacks under way owed in the ledger.

    None without settings. Cancels the block when the ledger can no longer be written.
    """
    if settings is None:
        yield None
        return
    # No proxy of the environment, and no connection kept: the receiver may be killed at any time.
    limits = httpx.Limits(max_connections=MAX_TRIES_AT_ONCE, max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(trust_env=False, timeout=None, limits=limits) as client,
        trio.open_nursery() as nursery,
    ):
        yield Courier(settings, client, ledger, nursery, now)
        nursery.cancel_scope.cancel()
