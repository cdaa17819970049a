"""`kill -9` on a real server process: what was acknowledged is there, and the order is settled."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import trio

from comanda.client import (
    CartStore,
    ClientError,
    CommandRefused,
    TableConnection,
    open_table,
    resume_table,
)
from tests.server_process import a_server


def holds(lines: int) -> Callable[[CartStore], bool]:
    """Whether a cart has come to so many lines."""
    return lambda store: len(store.items) >= lines


async def edit_until_cut(table: TableConnection, chance: random.Random, acked: set[str]) -> None:
    """Add lines, each under an id of our own, and note down those that were acknowledged."""
    with suppress(ClientError):
        for number in range(60):
            public_id = f"{table.member_id[-6:]}-{number}"
            with suppress(CommandRefused):  # the cart is full
                await table.add_to_cart(403, chance.randint(1, 9), public_id=public_id)
                acked.add(public_id)


async def test_every_acknowledged_edit_is_there_after_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20240115)
    async with a_server(tmp_path) as server:
        for code in ("demo-1", "demo-2", "demo-3"):
            acked: set[str] = set()
            async with trio.open_nursery() as nursery:
                async with (
                    open_table(server.url, code, "Ana") as ana,
                    open_table(server.url, code, "Ben") as ben,
                ):
                    enough = chance.randint(5, 60)
                    nursery.start_soon(edit_until_cut, ana, chance, acked)
                    nursery.start_soon(edit_until_cut, ben, chance, acked)
                    await ana.wait_for(holds(enough), timeout_seconds=30)
                    await server.kill()
                    found = len(acked)
                    ana.cut()
                    ben.cut()
                nursery.cancel_scope.cancel()
            await server.start()
            async with resume_table(
                server.url, ana.session_pid, ana.member_id, ana.member_token
            ) as again:
                there = {item.public_id for item in again.store.items}
            assert found > 0
            assert acked <= there
            # At most the one edit that each member had in flight is there without its ack.
            assert len(there - acked) <= 2


async def test_an_order_in_flight_at_kill_9_is_settled_once_by_the_next_start(
    tmp_path: Path,
) -> None:
    async with a_server(tmp_path) as server:
        async with open_table(server.url, "demo-1", "Ana") as ana:
            await ana.add_to_cart(456, 2)
            order_id = await ana.place_order("pos:accept")
            await ana.wait_for(lambda store: store.cart_locked, timeout_seconds=10)
            await server.kill()
            await server.start()
            # The phone came back by itself and was told.
            await ana.wait_for(
                lambda store: store.order_processing_status == "confirmed", timeout_seconds=30
            )
            orders = (await ana.fetch_orders()).orders
            assert [(one.order_id, str(one.total)) for one in orders] == [(order_id, "1250.00")]
            assert ana.store.items == ()
        await server.kill()
    with sqlite3.connect(server.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT order_id, state FROM order_journal").fetchall() == [
            (order_id, "confirmed")
        ]
    database.close()
