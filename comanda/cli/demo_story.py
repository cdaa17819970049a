"""The demo's story: an evening at one table in a quarter of a minute. Every line of it is a fact.

What the timeline tells has been waited for and found; where it does not come in time, `Broken` says what
was expected and what there was.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial

import trio

from comanda.actors.domain.messages import CartSnapshot, OrderRecord
from comanda.client import CartStore, OrderList

from .demo_server import Broken, DemoServer
from .demo_stage import Stage
from .demo_table import Guest, Ledger, Line, Seen, names_of, seen, together
from .phone import button_of, clean, money

REFUSED_ORDER, ACCEPTED_ORDER = "ORD-7-1", "ORD-7-2"
TABLE_CODE = "demo-1"
POS_DELAY_SECONDS = 3.0

BACK_SECONDS = 30.0
"""Until the phones are back after the kill: the server's start, and one of their pauses."""

POS_SECONDS = 20.0
"""Until the POS's answer is on every phone; it takes three seconds."""

READ_SECONDS = 0.8
"""What a person needs to read a line, and between two edits. Nothing waits for anything in it."""

ON_ITS_WAY_SECONDS = 1.0
"""The retried order has been at the POS for so long when the server is killed: before it can answer."""

MARGHERITA, ARANCINI, LEMONADE, TIRAMISU, WATER = 456, 103, 403, 301, 401
SHARED = "arancini"
"""The line that all three change at once."""


class Story:
    """Ana orders; Ben is in her way; Chloe watches. What was found is kept for the checks."""

    def __init__(self, stage: Stage, server: DemoServer, guests: Sequence[Guest]) -> None:
        self.ledger = Ledger()
        self.refusals: list[str] = []
        self.after_the_kill: list[Seen] = []
        self.at_the_end: list[Seen] = []
        self.histories: list[OrderList] = []
        self.ordered: frozenset[Line] = frozenset()
        self.due = Decimal(0)
        self._stage = stage
        self._server = server
        self._guests = guests
        self._ana, self._ben, self._chloe = guests
        self._names: dict[int, str] = {}
        self._prices: dict[int, Decimal] = {}
        self._minor_digits = 2

    async def play(self) -> None:
        """From the first edit to the last look at the history.

        Raises:
            Broken: it went another way.
        """
        await self._sit_down()
        await self._edit_at_once()
        await self._order()
        await self._refused_by_pos()
        await self._retry()
        await self._kill_and_restart()
        await self._confirmed()
        await self._look_back()

    async def _sit_down(self) -> None:
        for guest in self._guests:
            self._stage.note(guest.name, f"sits down at {_table_of(guest)}")
            await guest.until("three members", lambda store: len(store.members) == 3)
        menu = await self._ana.table.fetch_menu()
        self._names = names_of(menu)
        self._prices = {item.menu_item_id: item.price for item in menu.items}
        restaurant = self._ana.table.restaurant
        self._minor_digits = 2 if restaurant is None else restaurant.minor_digits
        await trio.sleep(READ_SECONDS)

    # --- Edits ------------------------------------------------------------------------------------

    async def _edit_at_once(self) -> None:
        await together(self._ana_edits, self._ben_edits, self._chloe_edits)
        await trio.sleep(READ_SECONDS)
        self._stage.note("All", "change the arancini at the same moment, to 2, 3 and 4", "loud")
        await together(
            *(
                partial(self._change, guest, SHARED, ARANCINI, qty, "no chilli", quietly=True)
                for qty, guest in enumerate(self._guests, 2)
            )
        )
        await self._all_hold_the_cart()
        qty = next(line[2] for line in self.ledger.cart() if line[0] == SHARED)
        self._stage.note("All", f"see the same cart: the last one counts, {qty} × Arancini", "good")
        await trio.sleep(READ_SECONDS)

    async def _ana_edits(self) -> None:
        await self._add(self._ana, "pizza", MARGHERITA, 1)
        await trio.sleep(READ_SECONDS)
        await self._change(self._ana, "pizza", MARGHERITA, 2, "Extra spicy")

    async def _ben_edits(self) -> None:
        await self._add(self._ben, SHARED, ARANCINI, 1, "no chilli")
        await trio.sleep(READ_SECONDS)
        await self._add(self._ben, "lemonade", LEMONADE, 2)

    async def _chloe_edits(self) -> None:
        await self._add(self._chloe, "water", WATER, 1)
        await trio.sleep(READ_SECONDS)
        await self._add(self._chloe, "sweet", TIRAMISU, 1)
        ack = await self._chloe.table.remove_from_cart("water")
        self.ledger.line_gone(ack, "water")
        self._stage.note("Chloe", "takes the still water out again")

    async def _add(self, guest: Guest, public_id: str, item: int, qty: int, note: str = "") -> None:
        ack = await guest.table.add_to_cart(item, qty, note, public_id)
        self.ledger.line_is(ack, (public_id, item, qty, note))
        self._stage.note(guest.name, f"adds {qty} × {self._names[item]}{_noted(note)}")

    async def _change(
        self,
        guest: Guest,
        public_id: str,
        item: int,
        qty: int,
        note: str,
        *,
        quietly: bool = False,
    ) -> None:
        ack = await guest.table.update_cart_item(public_id, qty, note)
        self.ledger.line_is(ack, (public_id, item, qty, note))
        if not quietly:
            what = f"makes it {qty} × {self._names[item]}{_noted(note)}"
            self._stage.note(guest.name, what)

    # --- The order --------------------------------------------------------------------------------

    async def _order(self) -> None:
        self.ordered = self.ledger.cart()
        self.due = sum((self._prices[item] * qty for _, item, qty, _ in self.ordered), Decimal(0))
        order_id = await self._ana.table.place_order()
        if order_id != REFUSED_ORDER:
            raise Broken(f"the first order is {REFUSED_ORDER}", order_id)
        total, currency = money(self.due, self._minor_digits), clean(self._ana.store.currency)
        self._stage.note("Ana", f"places the order: {order_id}, {total} {currency}", "loud")
        await self._all_locked(REFUSED_ORDER)
        self._stage.note("All", "are locked: “Order Being Processed by Ana”")
        await trio.sleep(READ_SECONDS)
        words = await self._ben.tries_to_add(LEMONADE)
        self.refusals.append(words)
        self._stage.note("Ben", f"adds a lemonade; his phone: “{words}”", "bad")
        words = await self._ben.sends_unguarded(self._server.url, LEMONADE)
        self.refusals.append(words)
        self._stage.note("Ben", f"sends it anyway; the server: “{words}”", "bad")

    async def _refused_by_pos(self) -> None:
        def failed(store: CartStore) -> bool:
            last = store.last_order
            return last is not None and last.status == "failed" and not store.cart_locked

        await self._each("the order failed, the cart open", failed, POS_SECONDS)
        last = self._ana.store.last_order
        reason = "" if last is None else clean(last.error or "")
        self._stage.note("POS", f"refuses {REFUSED_ORDER}: {reason}", "bad")
        await self._all_hold_the_cart()
        plan = self._ana.table.retry_plan
        if plan is None:
            raise Broken("Ana's phone is about to order again by itself", "it has no such plan")
        self._stage.note("Ana", f"waits: her phone tries again after {plan.after_seconds:.0f} s")

    async def _retry(self) -> None:
        def on_its_way(store: CartStore) -> bool:
            pending = store.pending_order
            return (
                pending is not None
                and pending.order_id == ACCEPTED_ORDER
                and pending.stage == "sent"
            )

        await self._each(f"{ACCEPTED_ORDER} on its way to the POS", on_its_way, POS_SECONDS)
        self._stage.note("Ana", f"has ordered again, untouched: {ACCEPTED_ORDER}", "loud")
        self._stage.note("POS", f"is working on {ACCEPTED_ORDER}")
        await trio.sleep(ON_ITS_WAY_SECONDS)

    # --- The kill ---------------------------------------------------------------------------------

    async def _kill_and_restart(self) -> None:
        killed = self._server.pid
        await self._server.kill()
        self._stage.note("Server", f"is killed in the middle of it (SIGKILL, pid {killed})", "bad")
        await together(
            *(
                partial(guest.until, "no connection", partial(_cut_off, guest))
                for guest in self._guests
            )
        )
        self._stage.note("All", "“Connection lost. Reconnecting...”", "bad")
        await trio.sleep(READ_SECONDS)
        await self._server.start()
        self._stage.note("Server", f"is started again, same file (pid {self._server.pid})", "loud")
        await together(*(partial(self._comes_back, guest) for guest in self._guests))
        self._stage.note("All", "are back by themselves; the table is still there", "good")
        self._stage.note("All", f"are still locked: {ACCEPTED_ORDER} is on its way", "good")
        self._stage.good_moment()

    async def _comes_back(self, guest: Guest) -> None:
        await guest.until("connected again", lambda _: guest.table.connected, BACK_SECONDS)
        found = seen(guest.store)
        self.after_the_kill.append(found)
        if found.order_id != ACCEPTED_ORDER or not guest.store.locked_by_name == "Ana":
            raise Broken(f"{guest.name}'s cart is locked for {ACCEPTED_ORDER}", f"{found}")

    async def _confirmed(self) -> None:
        def confirmed(store: CartStore) -> bool:
            last = store.last_order
            return (
                last is not None
                and (last.order_id, last.status) == (ACCEPTED_ORDER, "confirmed")
                and not store.cart_locked
                and not store.items
            )

        await self._each(f"{ACCEPTED_ORDER} confirmed, the cart empty", confirmed, POS_SECONDS)
        history = (await self._ana.table.fetch_orders()).orders
        reference = clean(history[0].pos_reference or "none") if history else "none"
        self._stage.note("POS", f"accepts {ACCEPTED_ORDER}, its reference: {reference}", "good")
        self._stage.note("All", "“Order placed successfully! 🎉”", "good")
        await trio.sleep(READ_SECONDS)

    async def _look_back(self) -> None:
        """What everybody holds at the end: the phones, and the server itself."""
        snapshot: CartSnapshot = await self._ana.table.fetch_snapshot()
        await self._each(f"seq {snapshot.seq}", lambda store: store.seq == snapshot.seq)
        self.at_the_end = [seen(snapshot), *(seen(guest.store) for guest in self._guests)]
        for guest in self._guests:
            self.histories.append(await guest.table.fetch_orders())

    # --- What all must see ------------------------------------------------------------------------

    async def _all_locked(self, order_id: str) -> None:
        await self._each(f"locked for {order_id}", lambda s: s.pending_order_id == order_id)
        buttons = [button_of(guest.store).text for guest in self._guests]
        others = "Order Being Processed by Ana"
        if buttons != ["Pending Confirmation...", others, others]:
            raise Broken("the buttons of a locked table", "; ".join(buttons))

    async def _all_hold_the_cart(self) -> None:
        cart = self.ledger.cart()
        expected = ", ".join(f"{qty} × {self._names[item]}" for _, item, qty, _ in sorted(cart))
        await self._each(f"the cart {expected}", lambda store: seen(store).lines == cart)

    async def _each(
        self, expected: str, predicate: Callable[[CartStore], bool], seconds: float = POS_SECONDS
    ) -> None:
        await together(
            *(partial(guest.until, expected, predicate, seconds) for guest in self._guests)
        )

    def same_order(self, order: OrderRecord) -> bool:
        """Whether a confirmed order is what was in the cart, with the menu's prices."""
        lines = frozenset((i.public_id, i.menu_item_id, i.qty, i.note) for i in order.lines)
        return lines == self.ordered and order.total == self.due


def _cut_off(guest: Guest, _store: CartStore) -> bool:
    return not guest.table.connected


def _table_of(guest: Guest) -> str:
    table = guest.table.table
    return "the table" if table is None else f"table {clean(table.label)}"


def _noted(note: str) -> str:
    return f" ({note})" if note else ""
