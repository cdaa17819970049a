"""Another POS: a class that fulfils the port `comanda.actors.ports.Pos`, given to the server as `pos=`.

This one is a kitchen printer that runs out of paper. It shows the two answers that matter most:
`Rejected` only where the order is certainly not in the kitchen, and `Unknown` wherever that is not
certain. An unknown order is not failed: Comanda asks again, with the same key, until it knows.

Run it: python examples/custom_pos.py
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import trio

from comanda.actors.domain.order import Accepted, Order, PosOutcome, Rejected, Unknown
from comanda.actors.ports import Pos
from comanda.app import Running, serve
from comanda.client import open_table
from comanda.config import make_settings
from comanda.logs import configure_logs


class KitchenPrinter:
    """Prints each order once, whatever happens: the order's id is its key.

    It has no paper for the first order, and loses the connection after printing the second.
    """

    def __init__(self) -> None:
        self.printed: dict[str, str] = {}
        self._refused: set[str] = set()
        self._calls = 0

    async def submit(self, order: Order) -> PosOutcome:
        """Print, or say why not. The same key again is answered as before and prints nothing."""
        self._calls += 1
        await trio.sleep(0.2)  # a real one would talk over a network here
        if self._calls == 1 or order.order_id in self._refused:  # a refusal is for good
            self._refused.add(order.order_id)
            print(f"    [printer: out of paper, {order.order_id} is not printed]")
            return Rejected("no_paper", "The kitchen printer is out of paper", retryable=True)
        if order.order_id in self.printed:
            print(f"    [printer: {order.order_id} again; it is printed already]")
            return Accepted(self.printed[order.order_id])
        self.printed[order.order_id] = f"slip {len(self.printed) + 1}"
        lines = ", ".join(f"{line.qty} × {line.name}" for line in order.lines)
        print(f"    [printer: {order.order_id}: {lines}; and the cable comes loose]")
        return Unknown("the printer did not confirm")

    async def look_up(self, order: Order) -> PosOutcome | None:
        """What is known of the key; None proves nothing."""
        await trio.sleep(0.2)
        slip = self.printed.get(order.order_id)
        print(f"    [printer, asked for {order.order_id}: {slip or 'never heard of it'}]")
        return None if slip is None else Accepted(slip)

    async def void(self, order: Order) -> bool:
        """Take an order back. Paper cannot be: nothing is promised, and the staff are told."""
        await trio.sleep(0.2)
        return False


async def order_twice(running: Running) -> None:
    """Ana orders; that fails in words, and her phone orders again by itself."""
    async with open_table(running.url, running.table_codes[0], "Ana") as ana:
        await ana.add_to_cart(456, 2)
        order_id = await ana.place_order()
        print(f"Ana orders: {order_id}.")
        await ana.wait_for(lambda store: not store.cart_locked, timeout_seconds=10)
        failed = ana.store.last_order
        assert failed is not None
        print(f"Order failed: {failed.error}. The cart is open again; her phone will retry.")

        await ana.wait_for(lambda store: store.pending_order_id is not None, timeout_seconds=10)
        print(f"It orders again, as a new order: {ana.store.pending_order_id}.")
        await ana.wait_for(lambda store: len(store.orders) == 1, timeout_seconds=20)
        order = ana.store.orders[0]
        print(f"{order.order_id} is confirmed: {order.pos_reference}.")


async def main() -> None:
    """A server with this POS, and a guest."""
    printer = KitchenPrinter()
    pos: Pos = printer  # mypy checks here that it fulfils the port
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite+aiosqlite:///{Path(folder) / 'comanda.db'}"
        settings = make_settings(port=0, database=database, retry_delay=0.5)
        shutdown = trio.Event()
        async with trio.open_nursery() as nursery:
            running: Running = await nursery.start(
                partial(serve, settings, shutdown=shutdown, pos=pos)
            )
            await order_twice(running)
            shutdown.set()
    print(f"Printed, once each: {printer.printed}")


if __name__ == "__main__":
    configure_logs("error", "auto")  # One order is left unanswered on purpose, which is a warning.
    trio.run(main)
