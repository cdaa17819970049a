"""Each failpoint kills the real server where it says, and the table's order is settled once all the same."""

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from comanda.client import OrderPassed, TableConnection, open_table
from comanda.failpoints import PLACES
from tests.server_process import Server, a_server

from .hits import PATIENCE_SECONDS, hit_of_order

NOTHING: list[tuple[object, ...]] = []
DURABLE_AT_DEATH = {
    "t1.before": NOTHING,
    "t1.after": [("prepared",)],
    "t2.before": [("prepared",)],
    "t2.after": [("sent",)],
    "call.before": [("sent",)],
    "call.after": [("sent",)],
    "t3.before": [("sent",)],
    "t3.after": [("confirmed",)],
    "commit.before": NOTHING,
    "commit.after": [("prepared",)],
}
"""The order's state in the file right after the death: it died there and nowhere else."""


async def order(table: TableConnection) -> None:
    with suppress(OrderPassed):  # it was settled before the phone had come back
        await table.place_order("pos:accept")


def rows(server: Server, query: str) -> list[tuple[object, ...]]:
    database = sqlite3.connect(server.database)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


@pytest.mark.parametrize("place", PLACES)
async def test_a_server_killed_at_a_failpoint_settles_the_order_once_after_its_restart(
    tmp_path: Path, place: str
) -> None:
    failpoints = f"{place}=kill@{hit_of_order(place)}"
    async with a_server(tmp_path, "--pos-delay", "0.1", failpoints=failpoints) as server:
        async with open_table(server.url, "demo-1", "Ana") as ana, trio.open_nursery() as nursery:
            await ana.add_to_cart(456, 2, public_id="acked")
            nursery.start_soon(order, ana)
            await server.wait_killed()
            assert rows(server, "SELECT state FROM order_journal") == DURABLE_AT_DEATH[place]
            await server.start()
            ana.reconnect_now()
            await ana.wait_for(
                lambda store: store.order_processing_status == "confirmed", PATIENCE_SECONDS
            )
            (confirmed,) = (await ana.fetch_orders()).orders
            assert [(line.public_id, line.qty) for line in confirmed.lines] == [("acked", 2)]
            assert ana.store.items == ()
        await server.kill()
    assert rows(server, "PRAGMA integrity_check") == [("ok",)]
    assert rows(server, "SELECT order_id, state FROM order_journal") == [
        (confirmed.order_id, "confirmed")
    ]
    assert rows(server, "SELECT public_id, state FROM cart_items") == [("acked", "ordered")]
