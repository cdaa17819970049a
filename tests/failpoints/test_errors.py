"""A failure at each failpoint costs the table nothing: its order is settled once, by the same process."""

import sqlite3
from pathlib import Path

import pytest
import trio

from comanda.client import CommandRefused, OrderPassed, TableConnection, open_table
from comanda.failpoints import PLACES
from tests.server_process import a_server

from .hits import PATIENCE_SECONDS, hit_of_order

AGAIN_SECONDS = 0.1
"""A guest's finger is not quicker."""


async def order_until_taken(table: TableConnection) -> None:
    """As a guest does: what was not saved is asked for again."""
    while True:
        try:
            await table.place_order("pos:accept")
        except CommandRefused as refusal:
            if refusal.code != "storage_unavailable":
                raise
            await trio.sleep(AGAIN_SECONDS)
        except OrderPassed:
            return
        else:
            return


@pytest.mark.parametrize(
    ("place", "action"),
    [
        *((place, "error") for place in PLACES),
        ("t3.before", "outage(2)"),
        ("commit.before", "outage(2)"),
        ("commit.after", "outage(2)"),
    ],
)
async def test_an_order_that_meets_a_failure_is_settled_once_by_the_same_process(
    tmp_path: Path, place: str, action: str
) -> None:
    failpoints = f"{place}={action}@{hit_of_order(place)}"
    async with (
        a_server(tmp_path, "--pos-delay", "0.1", failpoints=failpoints) as server,
        open_table(server.url, "demo-1", "Ana") as ana,
    ):
        await ana.add_to_cart(456, 2, public_id="acked")
        await order_until_taken(ana)
        await ana.wait_for(
            lambda store: store.order_processing_status == "confirmed", PATIENCE_SECONDS
        )
        (confirmed,) = (await ana.fetch_orders()).orders
        assert [(line.public_id, line.qty) for line in confirmed.lines] == [("acked", 2)]
        assert server.runs
    database = sqlite3.connect(server.database)
    journal = database.execute("SELECT order_id, state FROM order_journal").fetchall()
    database.close()
    assert journal == [(confirmed.order_id, "confirmed")]
