"""Members who behave like people: they think, edit, order, load the page anew, and lose the network."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from comanda.actors.domain.messages import (
    AddItem,
    CartLocked,
    ClearCart,
    OrderConfirmed,
    OrderFailed,
    RemoveItem,
    UpdateItem,
)

from .cart_view import CartView, asked
from .dialect import Asked, Told
from .member import Member
from .plan import Plan
from .table import Table
from .tally import Tally

LONGEST_CART = 12
"""Lines from which on people change and remove instead of adding."""

HASTE = 0.25
"""Of those who find the cart locked, so many try all the same: their phone is a moment behind."""

TWO_TAPS = 0.3
"""Of the orders, so many are placed by two members at the same moment."""

EDITS = (("add", 50), ("update", 30), ("remove", 15), ("clear", 5))
"""What people do to a cart, in per cent."""

NOTES = ("", "", "", "No onions", "Extra spicy", "For the child", "Später", "ohne Knoblauch 🧄")

PAGE_LOAD_SECONDS = 0.4
AWAY_SECONDS = 3.0
"""Medians of a lognormal distribution: a page that is loaded anew, a phone without network."""

SPREAD = 0.6
"""Its sigma: one in forty is away more than three times the median."""


class People:
    """One table's members, each with thoughts of their own, all from the plan's seed."""

    def __init__(
        self,
        table: Table,
        plan: Plan,
        tally: Callable[[], Tally],
        spawn: Callable[[Member, "People"], None],
    ) -> None:
        self._table = table
        self._plan = plan
        self._tally = tally
        self._spawn = spawn
        self._going = False
        self._over = asyncio.Event()
        self._ordering: dict[str, float] = {}
        self._placed: dict[str, float] = {}
        table.on_event = self._event

    @property
    def view(self) -> CartView:
        """The table as it was told."""
        view: CartView = self._table.view
        return view

    @property
    def settled(self) -> bool:
        """Whether everybody who sat down is there, and no order is being processed."""
        everybody = all(one.seated for one in self._table.members if one.seat is not None)
        return everybody and self.view.pending is None

    def start(self) -> None:
        """Let them begin."""
        self._going = True
        for member in self._table.members:
            self._spawn(member, self)

    def stop(self) -> None:
        """They ask for nothing more; who is away comes back, to hear how it ended."""
        self._going = False
        self._over.set()

    def look(self) -> None:
        """Nothing: each member's own task looks after them."""

    def _event(self, told: Told) -> None:
        event = told.body
        if isinstance(event, CartLocked):
            began = self._ordering.pop(event.locked_by, None)
            if began is not None:
                self._placed[event.order_id] = began
        elif isinstance(event, OrderConfirmed | OrderFailed):
            began = self._placed.pop(event.order_id, None)
            if began is not None:
                self._tally().record("outcome", monotonic() - began)

    # --- One member ---------------------------------------------------------------------------

    async def live(self, member: Member) -> None:
        """A member's evening: to think, and to do what is due. Cancelled at the end of the run."""
        plan = self._plan
        chance = random.Random(f"{plan.seed}:{self._table.number}:{member.number}")
        rates = (
            (self._edit, plan.edits_a_minute),
            (self._order, plan.orders_a_minute),
            (self._refresh, plan.refreshes_a_minute),
            (self._drop, plan.drops_a_minute),
        )
        a_second = sum(rate for _, rate in rates) / 60 / len(self._table.members)
        deeds, weights = [deed for deed, _ in rates], [rate for _, rate in rates]
        due = self._next(chance, a_second, monotonic())
        while True:
            if not member.seated:
                if not await member.connect():
                    return
                due = self._next(chance, a_second, monotonic())
            if await self._lost_before(member, due if self._going else None):
                continue
            if not self._going or due is None:
                continue
            await chance.choices(deeds, weights)[0](member, chance, due)
            due = self._next(chance, a_second, due)

    def _next(self, chance: random.Random, a_second: float, after: float) -> float | None:
        """When the next thing is due, whether or not the last is through by then."""
        return after + chance.expovariate(a_second) if a_second else None

    async def _lost_before(self, member: Member, due: float | None) -> bool:
        """Wait until something is due (None: never). True: the connection was lost before."""
        try:
            async with asyncio.timeout(None if due is None else max(due - monotonic(), 0)):
                await member.gone.wait()
        except TimeoutError:
            return False
        return True

    async def _ready(self, member: Member) -> bool:
        """One command at a time: wait for the answer to the last. False: the connection was lost."""
        while member.command is not None:  # another tap may come first when it is answered
            await member.free.wait()
        return member.seated and self._going

    async def _edit(self, member: Member, chance: random.Random, due: float) -> None:
        if not await self._ready(member):
            return
        if self.view.pending is not None and chance.random() > HASTE:
            return
        request_id = member.next_request_id()
        member.ask(self._an_edit(member, chance, request_id), request_id, due)

    def _an_edit(self, member: Member, chance: random.Random, request_id: str | None) -> Asked:
        items = self.view.items
        what = chance.choices([name for name, _ in EDITS], [share for _, share in EDITS])[0]
        if not items or (what == "add" and len(items) < LONGEST_CART):
            dish = chance.choice(self.view.menu)
            public_id = f"{member.number}-{chance.getrandbits(64):x}"
            note = chance.choice(NOTES)
            qty = chance.randint(1, 4)
            return asked(AddItem(dish.menu_item_id, qty, note, public_id, request_id))
        line = chance.choice(list(items))
        if what == "clear":
            return asked(ClearCart(request_id))
        if what == "remove":
            return asked(RemoveItem(line, request_id))
        if chance.random() < 0.5:
            return asked(UpdateItem(line, note=chance.choice(NOTES), request_id=request_id))
        return asked(UpdateItem(line, qty=chance.randint(1, 9), request_id=request_id))

    async def _order(self, member: Member, chance: random.Random, due: float) -> None:
        if not await self._ready(member) or not self.view.items:
            return
        if self.view.pending is not None and chance.random() > HASTE:
            return
        self._place(member, due)
        others = [
            one
            for one in self._table.members
            if one is not member and one.seated and one.command is None
        ]
        if others and chance.random() < TWO_TAPS:
            self._place(chance.choice(others), monotonic())

    def _place(self, member: Member, due: float) -> None:
        self._ordering[member.name] = due
        request_id = member.next_request_id()
        member.ask(self.view.order_now(request_id), request_id, due)

    async def _refresh(self, member: Member, chance: random.Random, due: float) -> None:
        """The page is loaded anew: a closing handshake, then the snapshot with the same token."""
        self._tally().refreshes += 1
        member.leave(politely=True)
        await self._away(PAGE_LOAD_SECONDS * chance.lognormvariate(0, SPREAD))

    async def _drop(self, member: Member, chance: random.Random, due: float) -> None:
        """The network is gone for a while: the connection is cut, whatever is in flight."""
        self._tally().drops += 1
        member.leave(politely=False)
        await self._away(AWAY_SECONDS * chance.lognormvariate(0, SPREAD))

    async def _away(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
