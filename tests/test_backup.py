"""`comanda backup` beside a server that tables order at, and `comanda restore` when that server is gone.

Both, and the POS, are real programs; the kitchen's ledger says what was cooked.
"""

import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import trio

from comanda.client import (
    ApiError,
    ClientError,
    CommandRefused,
    StaffClient,
    TableConnection,
    open_table,
    resume_table,
)
from tests.pos.simulator.helpers import Caller, calling
from tests.pos.simulator.process import a_process
from tests.server_process import Server, a_server

PATIENCE_SECONDS = 30
TOKEN = "only-this-house-knows-it-well"


@dataclass
class Evening:
    """A server, its POS, and the folder of both."""

    server: Server
    kitchen: Caller

    async def comanda(self, *arguments: str) -> str:
        """A command on the server's database; what it printed. It must succeed."""
        where = ("--database", f"sqlite+aiosqlite:///{self.server.database}")
        command = [sys.executable, "-m", "comanda", *arguments, *where]
        done = await trio.run_process(
            command, capture_stdout=True, capture_stderr=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        return bytes(done.stdout).decode()

    @asynccontextmanager
    async def staff(self) -> AsyncIterator[StaffClient]:
        async with StaffClient(self.server.url, TOKEN) as staff:
            yield staff

    async def orders(self) -> dict[str, str]:
        """All orders that the house knows, by their id, and their states."""
        async with self.staff() as staff:
            return {one.order_id: one.state for one in (await staff.list_orders(7)).orders}

    async def comes_to(self, orders: dict[str, str]) -> None:
        """Until the house's orders are these."""
        with trio.fail_after(PATIENCE_SECONDS):
            while await self.orders() != orders:  # noqa: ASYNC110  # nobody tells
                await trio.sleep(0.05)

    def cooked(self) -> dict[str, int]:
        """How often the kitchen began each order."""
        accepted = [one.key for one in self.kitchen.lines() if one.kind == "accepted"]
        return {key: accepted.count(key) for key in accepted}


@asynccontextmanager
async def an_evening(folder: Path, *options: str) -> AsyncIterator[Evening]:
    """A POS with an empty ledger, and a server that orders there."""
    token = folder / "staff.token"
    token.write_text(TOKEN)
    (folder / "house").mkdir()
    (folder / "pos").mkdir()
    with a_process(folder / "pos", "--delay", "0.05") as pos:
        more = ("--pos", pos.url, "--staff-token-file", str(token), "--retry-limit", "0", *options)
        async with (
            a_server(folder / "house", *more) as server,
            calling(pos.url, folder / "pos" / "ledger.jsonl") as kitchen,
        ):
            yield Evening(server, kitchen)


@dataclass
class Guest:
    """Somebody at a table who adds lines, each under an id of their own, and orders now and then."""

    asked: set[str] = field(default_factory=set)
    acked: set[str] = field(default_factory=set)
    table: TableConnection = field(init=False)

    async def dine(
        self, url: str, code: str, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Sit down and go on until the server is gone."""
        async with open_table(url, code, "Ana") as self.table:
            task_status.started()
            with suppress(ClientError):
                for number in count(1):
                    with suppress(CommandRefused):  # Somebody orders at this very moment.
                        await self._add(f"{self.table.member_id}-{number}")
                        if number % 5 == 0:
                            await self.table.place_order()
                    await self.table.wait_for(lambda store: not store.cart_locked, PATIENCE_SECONDS)
                    await trio.sleep(0.01)  # As fast as the disk allows would fill the cart.

    async def _add(self, public_id: str) -> None:
        self.asked.add(public_id)
        await self.table.add_to_cart(403, 1, public_id=public_id)
        self.acked.add(public_id)

    async def finds(self, server: Server) -> set[str]:
        """Come back as the same member; the lines of this guest that the house has."""
        was = self.table
        async with resume_table(
            server.url, was.session_pid, was.member_id, was.member_token
        ) as table:
            await table.wait_for(lambda store: not store.cart_locked, PATIENCE_SECONDS)
            ordered = (await table.fetch_orders()).orders
            lines = {line.public_id for one in ordered for line in one.lines}
            lines |= {item.public_id for item in table.store.items}
        return {line for line in lines if line.startswith(was.member_id)}


async def came_to(table: TableConnection, status: str) -> None:
    await table.wait_for(lambda store: store.order_processing_status == status, PATIENCE_SECONDS)


async def test_a_backup_taken_while_tables_order_is_one_moment_on_which_the_house_opens(
    tmp_path: Path,
) -> None:
    target = tmp_path / "backup.db"
    async with an_evening(tmp_path) as evening:
        guests = [Guest() for _ in range(6)]
        async with trio.open_nursery() as nursery:
            for number, guest in enumerate(guests):
                code = f"demo-{number % 3 + 1}"
                await nursery.start(guest.dine, evening.server.url, code)
            with trio.fail_after(PATIENCE_SECONDS):
                while min(len(guest.acked) for guest in guests) < 12:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            before = [set(guest.acked) for guest in guests]
            said = await evening.comanda("backup", str(target))
            until = [set(guest.asked) for guest in guests]
            await evening.server.kill()
            nursery.cancel_scope.cancel()
        assert f"is backed up in {target} (" in said
        assert "SQLite finds it sound" in said

        # The disk is lost. A new one gets the backup and the key.
        for ending in ("", "-wal", "-shm"):
            evening.server.database.with_name(f"evening.db{ending}").unlink()
        shutil.copy(target, evening.server.database)
        await evening.server.start()
        for guest, durable, possible in zip(guests, before, until, strict=True):
            assert durable <= await guest.finds(evening.server) <= possible
        # What was under way at the backup is asked for under its own key, with its own bytes.
        with trio.fail_after(PATIENCE_SECONDS):
            while set((await evening.orders()).values()) != {"confirmed"}:  # noqa: ASYNC110
                await trio.sleep(0.05)
        assert set(await evening.orders()) <= set(evening.cooked())
        assert evening.kitchen.summary().doubled == ()


async def test_after_a_restore_the_pos_takes_no_new_order_for_one_that_this_house_has_lost(
    tmp_path: Path,
) -> None:
    async with (
        an_evening(tmp_path) as evening,
        open_table(evening.server.url, "demo-1", "Ana") as ana,
    ):
        await ana.add_to_cart(456, 2)
        assert await ana.place_order() == "ORD-7-1"
        await came_to(ana, "confirmed")
        await ana.add_to_cart(403, 1)
        await evening.comanda("backup", str(tmp_path / "backup.db"))
        assert await ana.place_order() == "ORD-7-2"
        await came_to(ana, "confirmed")
        await evening.server.kill()

        said = await evening.comanda("restore", str(tmp_path / "backup.db"))
        assert "1 order, the last ORD-7-1, placed" in said
        assert "Tables closed: 1. Order numbers left out: 10000" in said
        await evening.server.start()
        assert await evening.orders() == {"ORD-7-1": "confirmed"}
        with pytest.raises(ApiError) as refused:
            async with resume_table(
                evening.server.url, ana.session_pid, ana.member_id, ana.member_token
            ):
                pass
        assert refused.value.status == 401
        async with open_table(evening.server.url, "demo-1", "Ana") as again:
            assert again.store.items == ()  # The lemonade was ordered: it is in no cart any more.
            await again.add_to_cart(457, 1)
            assert await again.place_order() == "ORD-7-10002"
            await came_to(again, "confirmed")
        assert evening.cooked() == {"ORD-7-1": 1, "ORD-7-2": 1, "ORD-7-10002": 1}
        # What was there is kept, and can be looked into.
        [kept] = evening.server.database.parent.glob("evening.db.before-*Z")
        assert kept.with_name(f"{kept.name}-wal").exists()


async def test_a_file_that_is_put_back_by_hand_gives_a_new_order_a_lost_ones_number(
    tmp_path: Path,
) -> None:
    # Why there is `comanda restore`. Nothing is cooked twice, but the staff must settle it.
    async with an_evening(tmp_path, "--pos-timeout", "1", "--lock-limit", "2") as evening:
        async with open_table(evening.server.url, "demo-1", "Ana") as ana:
            await ana.add_to_cart(456, 2)
            await evening.comanda("backup", str(tmp_path / "backup.db"))
            assert await ana.place_order() == "ORD-7-1"
            await came_to(ana, "confirmed")
            await evening.server.kill()
        for ending in ("-wal", "-shm"):
            evening.server.database.with_name(f"evening.db{ending}").unlink()
        shutil.copy(tmp_path / "backup.db", evening.server.database)
        await evening.server.start()
        async with open_table(evening.server.url, "demo-2", "Ben") as ben:
            await ben.add_to_cart(457, 1)
            assert await ben.place_order() == "ORD-7-1"
            await evening.comes_to({"ORD-7-1": "needs_staff"})
        async with evening.staff() as staff:
            [order] = (await staff.list_orders(7, with_incidents=True)).orders
        assert [one.kind for one in order.incidents] == ["key_reused"]
        assert evening.cooked() == {"ORD-7-1": 1}


async def test_tables_that_are_kept_find_their_carts_as_they_were_and_phones_follow(
    tmp_path: Path,
) -> None:
    async with (
        an_evening(tmp_path) as evening,
        open_table(evening.server.url, "demo-1", "Ana") as ana,
    ):
        await ana.add_to_cart(456, 2, public_id="before")
        await evening.comanda("backup", str(tmp_path / "backup.db"))
        await ana.add_to_cart(457, 1, public_id="since")
        await evening.server.kill()
        said = await evening.comanda("restore", "--keep-tables", str(tmp_path / "backup.db"))
        assert "Tables closed: 0." in said
        await evening.server.start()
        await ana.wait_for(
            lambda store: [one.public_id for one in store.items] == ["before"], PATIENCE_SECONDS
        )
        await ana.add_to_cart(403, 1, public_id="again")
        assert [one.public_id for one in ana.store.items] == ["before", "again"]


async def test_an_order_in_doubt_at_the_backup_is_settled_without_its_table_and_cooked_once(
    tmp_path: Path,
) -> None:
    async with an_evening(tmp_path, "--pos-timeout", "1", "--lock-limit", "30") as evening:
        async with open_table(evening.server.url, "demo-1", "Ana") as ana:
            await ana.add_to_cart(456, 2)
            await evening.kitchen.http.post("/control", json={"rates": {"lost": 1.0}})
            assert await ana.place_order() == "ORD-7-1"
            with trio.fail_after(PATIENCE_SECONDS):
                await evening.kitchen.until("ORD-7-1", "accepted")
            await evening.comanda("backup", str(tmp_path / "backup.db"))
            await evening.server.kill()
        said = await evening.comanda("restore", str(tmp_path / "backup.db"))
        assert "Tables closed: 1." in said
        await evening.kitchen.http.post("/control", json={"rates": {"lost": 0.0}})
        await evening.server.start()
        await evening.comes_to({"ORD-7-1": "confirmed"})
        assert evening.cooked() == {"ORD-7-1": 1}
