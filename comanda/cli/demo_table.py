"""The three guests of the demo, their phones, and what they may rely on."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import trio
from msgspec import Struct
from trio_websocket import open_websocket_url

from comanda.actors.domain.messages import (
    Ack,
    AddItem,
    CartSnapshot,
    Error,
    Join,
    decode_told,
    encode,
)
from comanda.client import (
    CartLockedError,
    CartStore,
    ClientError,
    ClientLimits,
    MenuAnswer,
    Reconnected,
    RetryCancelled,
    RetryScheduled,
    TableConnection,
    open_table,
)

from .demo_server import Broken
from .failing import first_of
from .phone import Around, Phone, phone_of

STEP_SECONDS = 10.0
"""For anything that the table does by itself; some milliseconds are usual."""

LIMITS = ClientLimits(
    backoff_limit_seconds=1.0, slow_backoff_limit_seconds=1.0, tries_before_lost=60
)
"""As every phone, only less patient: the story has no time for long pauses between two attempts."""

Line = tuple[str, int, int, str]
"""`public_id`, menu item, quantity, note."""


class Ledger:
    """What the server has acknowledged, and so what the cart must hold: by `seq`, whoever asked."""

    def __init__(self) -> None:
        self._acked: list[tuple[int, str, Line | None]] = []

    def __len__(self) -> int:
        return len(self._acked)

    def line_is(self, ack: Ack, line: Line) -> None:
        """An add or a change: from `ack` on this is the line."""
        self._acked.append((ack.seq, line[0], line))

    def line_gone(self, ack: Ack, public_id: str) -> None:
        """A removal."""
        self._acked.append((ack.seq, public_id, None))

    def cart(self) -> frozenset[Line]:
        """The cart that follows from all that was acknowledged."""
        in_order = sorted(self._acked, key=lambda one: one[0])
        lines = {public_id: line for _, public_id, line in in_order}
        return frozenset(line for line in lines.values() if line is not None)


class Guest:
    """One member with a phone. `table` is there once they sit."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.refusal: str | None = None
        self._table: TableConnection | None = None
        self._retry_at: float | None = None
        self._last_picture: Phone | None = None

    @property
    def table(self) -> TableConnection:
        """The connection to the table."""
        assert self._table is not None, "sits down first"
        return self._table

    @property
    def store(self) -> CartStore:
        """The table as this guest's phone knows it."""
        return self.table.store

    def phone(self) -> Phone | None:
        """What the phone shows now; after the guest has left, what it showed last."""
        if self._table is None:
            return self._last_picture
        table = self._table.table
        restaurant = self._table.restaurant
        left = None if self._retry_at is None else max(self._retry_at - trio.current_time(), 0)
        return phone_of(
            self.store,
            Around(
                name=self.name,
                table="" if table is None else table.label,
                minor_digits=2 if restaurant is None else restaurant.minor_digits,
                connected=self._table.connected,
                order_timed_out=self._table.order_timed_out,
                retry_in_seconds=left,
                refusal=self.refusal,
            ),
        )

    async def sit(
        self,
        server_url: str,
        table_code: str,
        leave: trio.Event,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Sit at the table until `leave`; ready once the first snapshot is there."""
        async with (
            open_table(server_url, table_code, self.name, limits=LIMITS) as table,
            trio.open_nursery() as nursery,
        ):
            self._table = table
            nursery.start_soon(self._watch, table)
            task_status.started()
            await leave.wait()
            self._last_picture, self._table = self.phone(), None
            nursery.cancel_scope.cancel()

    async def until(
        self, expected: str, predicate: Callable[[CartStore], bool], seconds: float = STEP_SECONDS
    ) -> None:
        """Wait until the phone shows what it must.

        Raises:
            Broken: not within `seconds`.
        """
        try:
            await self.table.wait_for(predicate, seconds)
        except trio.TooSlowError:
            raise Broken(f"{self.name}'s phone: {expected}", self._in_words()) from None

    async def tries_to_add(self, menu_item_id: int) -> str:
        """An edit that the phone must refuse by itself; its words."""
        try:
            await self.table.add_to_cart(menu_item_id)
        except CartLockedError as refused:
            self.refusal = refused.message
            return refused.message
        raise Broken("an edit of a locked cart is refused by the phone", "it was accepted")

    async def sends_unguarded(self, server_url: str, menu_item_id: int) -> str:
        """The same edit past the phone's own guard, as an old page would send it; the server's words."""
        url = f"ws{server_url.removeprefix('http')}/ws/sessions/{self.table.session_pid}"
        command = AddItem(menu_item_id, 1, request_id="unguarded")
        reply: Ack | Error | None = None
        with trio.move_on_after(STEP_SECONDS):
            async with open_websocket_url(url) as socket:
                await socket.send_message(encode(Join(self.table.member_token)).decode())
                await socket.send_message(encode(command).decode())
                while reply is None:
                    told = decode_told(await socket.get_message())
                    if isinstance(told, Ack | Error) and told.request_id == "unguarded":
                        reply = told
        if isinstance(reply, Error) and reply.code == "cart_locked":
            return reply.message
        raise Broken("an edit of a locked cart is refused by the server", f"{reply}")

    async def _watch(self, table: TableConnection) -> None:
        """What a phone shows for a while only."""
        with table.events() as happenings:
            async for happening in happenings:
                match happening:
                    case RetryScheduled(after_seconds=seconds):
                        self._retry_at = trio.current_time() + seconds
                    case RetryCancelled() | Reconnected():
                        self._retry_at = None
                if table.store.cart_locked:
                    self._retry_at = None
                else:
                    self.refusal = None

    def _in_words(self) -> str:
        phone = self.phone()
        shown = [] if phone is None else [line.strip() for line in phone.plain_lines()]
        return f"{'; '.join(shown)} (seq {self.store.seq})"


class Seen(Struct, frozen=True):
    """A cart as `Ledger.cart` has it, and where in the session's history."""

    lines: frozenset[Line]
    seq: int | None
    order_id: str | None


def seen(cart: CartStore | CartSnapshot) -> Seen:
    """What a phone, or the server, holds."""
    lines = frozenset((i.public_id, i.menu_item_id, i.qty, i.note) for i in cart.items)
    return Seen(lines, cart.seq, cart.pending_order_id)


def names_of(menu: MenuAnswer) -> dict[int, str]:
    """Menu items' names."""
    return {item.menu_item_id: item.name for item in menu.items}


@asynccontextmanager
async def seated(
    guests: Sequence[Guest], server_url: str, table_code: str
) -> AsyncGenerator[None, None]:
    """All guests sit down at once, and leave together."""
    leave = trio.Event()
    async with trio.open_nursery() as nursery:
        await together(
            *(
                lambda guest=guest: nursery.start(guest.sit, server_url, table_code, leave)
                for guest in guests
            )
        )
        try:
            yield
        finally:
            leave.set()


async def together(*acts: Callable[[], Awaitable[object]]) -> None:
    """Really at the same time. Where several break, the first is raised, by itself and not in a group."""

    async def run(act: Callable[[], Awaitable[object]]) -> None:
        await act()

    try:
        async with trio.open_nursery() as nursery:
            for act in acts:
                nursery.start_soon(run, act)
    except BaseExceptionGroup as group:
        first = first_of(group)
        if not isinstance(first, Broken | ClientError):
            raise
        raise first from None
