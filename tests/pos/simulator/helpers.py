"""A simulator in this process on real sockets, a caller, and orders as the contract writes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import trio

from comanda.http.worker import bind
from comanda.pos.simulator.courier import CallbackSettings
from comanda.pos.simulator.entries import Line, Summary, summarize
from comanda.pos.simulator.faults import parse_rates
from comanda.pos.simulator.ledger import read_ledger
from comanda.pos.simulator.outcomes import Habits
from comanda.pos.simulator.server import SimulatorSettings, run_simulator

PATIENCE_SECONDS = 30
"""Far above what anything here takes; only a fault makes it pass."""

AT_ONCE = Habits(delay_seconds=0)


def an_order(key: str, **changes: Any) -> bytes:
    """The body of an order under `key`."""
    line = {
        "menu_item_id": 456,
        "name": "Margherita",
        "qty": 2,
        "unit_price": 625.00,
        "line_total": 1250.00,
        "note": "Extra spicy",
        "added_by": "Ben",
    }
    body = {
        "order_id": key,
        "restaurant_id": 7,
        "order_number": 42,
        "table": "T12",
        "placed_by": "Ana",
        "placed_at": "2024-01-15T10:30:00Z",
        "currency": "INR",
        "lines": [line],
        "total": 1250.00,
        "special_instructions": "Table by the window",
    }
    return msgspec.json.encode({**body, **changes})


class Caller:
    """Calls a simulator at `url`."""

    def __init__(self, http: httpx.AsyncClient, ledger: Path) -> None:
        self.http = http
        self.ledger = ledger

    async def submit(
        self, key: str, payload: bytes | None = None, fault: str | None = None
    ) -> httpx.Response:
        headers = {"Idempotency-Key": key, **({"X-Pos-Fault": fault} if fault else {})}
        content = an_order(key) if payload is None else payload
        return await self.http.post("/orders", content=content, headers=headers)

    async def look_up(self, key: str, fault: str | None = None) -> httpx.Response:
        return await self.http.get(
            f"/orders/{key}", headers={"X-Pos-Fault": fault} if fault else {}
        )

    async def void(self, key: str, fault: str | None = None) -> httpx.Response:
        return await self.http.post(
            f"/orders/{key}/void", headers={"X-Pos-Fault": fault} if fault else {}
        )

    async def status(self, key: str) -> str:
        """What a look-up says of the key, by its one word."""
        return str((await self.look_up(key, "none")).json()["status"])

    def lines(self) -> list[Line]:
        return read_ledger(self.ledger)[0]

    def kinds(self, key: str) -> list[str]:
        """The key's lines in the ledger, by their kinds."""
        return [line.kind for line in self.lines() if line.key == key]

    async def until(self, key: str, *kinds: str) -> None:
        """Until the key's lines in the ledger begin with these kinds. The POS is not asked meanwhile."""
        while self.kinds(key)[: len(kinds)] != list(kinds):  # noqa: ASYNC110  # a file tells nobody
            await trio.sleep(0.01)

    def summary(self) -> Summary:
        return summarize(self.lines())


@asynccontextmanager
async def calling(url: str, ledger: Path, **options: Any) -> AsyncIterator[Caller]:
    """A caller that trusts no proxy of the environment and waits for answers without an end."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=url, timeout=None, trust_env=False, limits=limits, **options
    ) as http:
        yield Caller(http, ledger)


@asynccontextmanager
async def a_simulator(
    ledger: Path,
    habits: Habits = AT_ONCE,
    token: str | None = None,
    callbacks: CallbackSettings | None = None,
    **rates: float,
) -> AsyncIterator[Caller]:
    """A simulator until the block's end, which is a graceful one."""
    sockets = bind("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    faults = parse_rates({name.replace("_", "-"): rate for name, rate in rates.items()})
    settings = SimulatorSettings(ledger, habits, faults, token, callbacks)
    shutdown = trio.Event()
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:

            async def serving(
                task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
            ) -> None:
                await run_simulator(settings, sockets, shutdown=shutdown, task_status=task_status)

            await nursery.start(serving)
            async with calling(url, ledger) as caller:
                yield caller
            shutdown.set()


@asynccontextmanager
async def an_unanswered(call: Any) -> AsyncIterator[None]:
    """A call that must still be without an answer at the block's end; then its caller leaves."""
    async with trio.open_nursery() as nursery:

        async def calling_in_vain() -> None:
            answer = await call
            raise AssertionError(f"answered {answer}")

        nursery.start_soon(calling_in_vain)
        yield
        nursery.cancel_scope.cancel()
