"""Sitting down at a fake server, and what tests of a connection do there again and again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
import trio.testing

from comanda.actors.domain.inputs import CallAnswered, CallStarting
from comanda.actors.domain.order import PosOutcome, Rejected
from comanda.client import (
    ClientLimits,
    ClientSettings,
    Happening,
    Happenings,
    TableConnection,
    open_table,
)

from ..actors.domain.helpers import MARGHERITA
from .fake_server import URL, FakeServer

NO = Rejected("closed", "The kitchen is closed", retryable=True)
SOON = 30.0
"""Virtual seconds: far beyond what the client may need."""


@asynccontextmanager
async def a_server() -> AsyncIterator[FakeServer]:
    with trio.fail_after(3600):
        async with trio.open_nursery() as nursery:
            yield FakeServer(nursery)
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def ana_at(
    server: FakeServer,
    *,
    settings: ClientSettings | None = None,
    limits: ClientLimits | None = None,
) -> AsyncIterator[TableConnection]:
    async with open_table(
        URL,
        "table-code",
        "Ana",
        settings=settings,
        limits=limits,
        surroundings=server.surroundings(),
    ) as table:
        yield table


def what_came(happenings: Happenings) -> list[Happening]:
    """All that is in the buffer now."""
    came = []
    while True:
        try:
            came.append(happenings._channel.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return came


def settle(server: FakeServer, outcome: PosOutcome) -> None:
    """The POS is called for the order in flight, and answers."""
    order_id = server.table.order.order_id
    server.hears(CallStarting(order_id))
    server.hears(CallAnswered(order_id, server.table.order.attempt, outcome))


async def a_failed_order(server: FakeServer, table: TableConnection) -> None:
    await table.add_to_cart(MARGHERITA)
    await table.place_order()
    settle(server, NO)
    await table.wait_for(lambda store: store.order_processing_status == "failed", SOON)
    assert table.retry_plan is not None
