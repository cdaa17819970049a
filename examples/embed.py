"""Comanda inside another Trio program: the program starts the server, sits down at a table and orders.

The server is one task among the program's own. It ends when its `shutdown` event is set.

Run it: python examples/embed.py
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import trio

from comanda.app import Running, serve
from comanda.client import open_table
from comanda.config import make_settings
from comanda.logs import configure_logs


async def count_seconds() -> None:
    """Stands for whatever else the program does."""
    for second in range(1, 3600):
        await trio.sleep(1)
        print(f"    [the program's own task: second {second}]")


async def dine(running: Running) -> None:
    """Two guests fill one cart; one of them orders."""
    table_code = running.table_codes[0]
    async with (
        open_table(running.url, table_code, "Ana") as ana,
        open_table(running.url, table_code, "Ben") as ben,
    ):
        print(f"Ana and Ben sit at {table_code}.")
        menu = await ana.fetch_menu()
        pizza = next(item for item in menu.items if item.name == "Margherita")
        await ana.add_to_cart(pizza.menu_item_id, 2, "Extra spicy")
        await ben.wait_for(lambda store: len(store.items) == 1, timeout_seconds=5)
        print(f"Ben sees Ana's pizzas; the cart costs {ben.store.total} {ben.store.currency}.")

        order_id = await ana.place_order()
        await ben.wait_for(lambda store: store.cart_locked, timeout_seconds=5)
        print(f"Ana orders, {order_id}. Ben sees the cart locked by {ben.store.locked_by_name}.")

        await ben.wait_for(lambda store: len(store.orders) == 1, timeout_seconds=10)
        print(f"Ben sees it confirmed: {ben.store.orders[0].pos_reference}. The cart is empty.")


async def main() -> None:
    """The program: its own task, the server, and an end to both."""
    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(
            port=0,  # a free one
            database=f"sqlite+aiosqlite:///{Path(folder) / 'comanda.db'}",
            pos_delay=1.2,
            pos_success_rate=1.0,
        )
        shutdown = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count_seconds)
            running: Running = await nursery.start(partial(serve, settings, shutdown=shutdown))
            print(f"The server takes orders at {running.url.rsplit(':', 1)[0]}.")
            await dine(running)
            shutdown.set()
            nursery.cancel_scope.cancel()
    print("The server has ended, and so does the program.")


if __name__ == "__main__":
    configure_logs("warning", "auto")  # to standard error; a program may send them elsewhere
    trio.run(main)
