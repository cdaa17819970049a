"""An evening on a real server: three guests at two tables edit without end, and everything is noted down."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import trio

from comanda.client import CartStore, CommandRefused, Reconnecting, TableConnection, open_table
from tests.server_process import Server

PATIENCE_SECONDS = 40
"""Far above the longest fault and what follows it."""

LINES_OF_ONE = 6
"""A guest who has so many lines takes the oldest out, so that no cart is ever full."""

PACE_SECONDS = 0.02
"""Between two edits of a guest: the evening goes on at some hundred edits a second."""

State = tuple[tuple[str, int, str, str], ...]


@dataclass
class Guest:
    """One member, and what the server has acknowledged to them.

    `lines` are the guest's lines as all acknowledgements and refusals together say, oldest first.
    """

    name: str
    table: TableConnection
    wake: Callable[[], None]
    lines: list[str] = field(default_factory=list)
    acks: int = 0
    refusals: int = 0
    cuts: int = 0
    seen: dict[int, State] = field(default_factory=dict)

    async def edit(self, stop: trio.Event) -> None:
        """Edit until told to stop. A refusal says that nothing has changed, and is taken at its word."""
        number = 0
        while not stop.is_set():
            number += 1
            try:
                if len(self.lines) < LINES_OF_ONE:
                    public_id = f"{self.name}-{number}"
                    await self.table.add_to_cart(403, public_id=public_id)
                    self.lines.append(public_id)
                else:
                    await self.table.remove_from_cart(self.lines[0])
                    del self.lines[0]
                self.acks += 1
            except CommandRefused as refusal:
                if refusal.code != "storage_unavailable":
                    raise
                self.refusals += 1
            self.wake()
            await trio.sleep(PACE_SECONDS)

    async def watch(self) -> None:
        """Note the cart at each `seq` that comes by, and each loss of the connection."""
        async for happening in self.table.events():
            self.cuts += isinstance(happening, Reconnecting)
            self.wake()
            store = self.table.store
            assert store.seq is not None
            state = state_of(store)
            assert self.seen.setdefault(store.seq, state) == state


class Evening:
    """Ana and Ben at one table, Cem at another, and somebody who looks after the server."""

    def __init__(self, server: Server, tables: list[TableConnection]) -> None:
        self.server = server
        names = ("Ana", "Ben", "Cem")
        self.guests = [
            Guest(name, table, self._wake) for name, table in zip(names, tables, strict=True)
        ]
        self.ready: list[int] = []
        self.alive: set[int] = set()
        self.pid = server.pid
        self._stop = trio.Event()
        self._still = trio.Event()
        self._changed = trio.Event()

    @property
    def acks(self) -> int:
        """Edits acknowledged to anybody."""
        return sum(guest.acks for guest in self.guests)

    @property
    def refusals(self) -> int:
        """Edits refused to anybody."""
        return sum(guest.refusals for guest in self.guests)

    @property
    def cuts(self) -> int:
        """Connections lost."""
        return sum(guest.cuts for guest in self.guests)

    async def run(self) -> None:
        """Everybody does what they do, until `until_still`; watching goes on."""
        async with trio.open_nursery() as watching:
            for guest in self.guests:
                watching.start_soon(guest.watch)
            async with trio.open_nursery() as editing:
                for guest in self.guests:
                    editing.start_soon(guest.edit, self._stop)
                editing.start_soon(self._look_after_readiness)
                editing.start_soon(self._look_after_life)
            self._still.set()

    async def until(self, what: Callable[[], bool]) -> None:
        """Wait until it is so; looks after each edit, each probe and each loss of a connection."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not what():
                await self._changed.wait()

    async def until_committed(self, commits: int) -> None:
        """So many COMMITs have surely been made: one carries at most one edit of each guest."""
        await self.until(lambda: self.acks > commits * len(self.guests))

    async def until_all_go_on(self) -> None:
        """Every guest has five more edits acknowledged."""
        before = [guest.acks for guest in self.guests]
        await self.until(
            lambda: all(
                guest.acks >= acks + 5 for guest, acks in zip(self.guests, before, strict=True)
            )
        )

    async def until_all_have_heard(self) -> None:
        """Every guest was refused an edit, or their table is being restored."""
        before = [guest.refusals + guest.cuts for guest in self.guests]
        await self.until(
            lambda: all(
                guest.refusals + guest.cuts > heard
                for guest, heard in zip(self.guests, before, strict=True)
            )
        )

    async def until_not_ready(self) -> None:
        """The server has said that it takes no traffic."""
        await self.until(lambda: 503 in self.ready)

    async def end_well(self) -> None:
        """The fault is over: everybody goes on, nothing was lost or made up, and both tables order."""
        await self.until_all_go_on()
        await self.until(lambda: self.ready[-1] == 200)
        self._stop.set()
        with trio.fail_after(PATIENCE_SECONDS):
            await self._still.wait()
        ana, ben, cem = self.guests
        await self._order(ana, {*ana.lines, *ben.lines})
        await self._order(cem, {*cem.lines})
        await ben.table.wait_for(lambda store: store.seq == ana.table.store.seq, PATIENCE_SECONDS)
        together = ana.seen.keys() & ben.seen.keys()
        assert len(together) > 5
        assert all(ana.seen[seq] == ben.seen[seq] for seq in together)
        await self._check_server()

    async def _order(self, guest: Guest, expected: set[str]) -> None:
        """The cart holds what was acknowledged, each line once; it is ordered as it stands."""
        snapshot = await guest.table.fetch_snapshot()
        assert sorted(item.public_id for item in snapshot.items) == sorted(expected)
        await guest.table.wait_for(lambda store: store.seq == snapshot.seq, PATIENCE_SECONDS)
        order_id = await guest.table.place_order("pos:accept")
        await guest.table.wait_for(
            lambda store: store.order_processing_status == "confirmed", PATIENCE_SECONDS
        )
        (order,) = (await guest.table.fetch_orders()).orders
        assert order.order_id == order_id
        assert sorted(line.public_id for line in order.lines) == sorted(expected)

    async def _check_server(self) -> None:
        """It is the process that it was, it was never thought dead, and nobody was put to rest."""
        assert self.server.runs
        assert self.server.pid == self.pid
        assert self.alive == {200}
        async with httpx.AsyncClient(base_url=self.server.url) as http:
            metrics = (await http.get("/metrics")).text.splitlines()
        assert "comanda_sessions_quarantined 0.0" in metrics
        assert "comanda_storage_outage 0.0" in metrics
        log = self.server.log.read_text()
        assert "quarantined" not in log
        assert "session crashed" not in log

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _look_after_readiness(self) -> None:
        async with httpx.AsyncClient(base_url=self.server.url, timeout=PATIENCE_SECONDS) as http:
            while not self._stop.is_set():
                self.ready.append((await http.get("/readyz")).status_code)
                self._wake()
                await trio.sleep(PACE_SECONDS)

    async def _look_after_life(self) -> None:
        async with httpx.AsyncClient(base_url=self.server.url, timeout=PATIENCE_SECONDS) as http:
            while not self._stop.is_set():
                self.alive.add((await http.get("/healthz")).status_code)
                await trio.sleep(PACE_SECONDS)


@asynccontextmanager
async def an_evening(server: Server) -> AsyncIterator[Evening]:
    """Guests at demo-1 and demo-2 who edit for as long as the block lasts, or until it ends well."""
    async with (
        open_table(server.url, "demo-1", "Ana") as ana,
        open_table(server.url, "demo-1", "Ben") as ben,
        open_table(server.url, "demo-2", "Cem") as cem,
        trio.open_nursery() as nursery,
    ):
        evening = Evening(server, [ana, ben, cem])
        nursery.start_soon(evening.run)
        await evening.until_all_go_on()
        yield evening
        nursery.cancel_scope.cancel()


def state_of(store: CartStore) -> State:
    """The cart as two members may compare it."""
    return tuple((item.public_id, item.qty, item.note, item.state) for item in store.items)
