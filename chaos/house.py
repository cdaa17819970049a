"""The house under test: server, POS, members and staff of one evening, and how the server's lives end."""

import random
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import trio

from . import commands
from .journal import Journal
from .member import Member, Place
from .plan import PREPARE_SECONDS, Plan
from .ports import held_port
from .processes import SERVER_ENVIRONMENT, Pos, Program, server_program
from .samples import Sample, copy_files, read_sample
from .staff import Staff

MEMBERS_A_TABLE = (2, 3)
LINES_PREPARED = 3
"""Lines that each table's cart has before anything is disturbed."""

AT_ONCE = 16
"""Tables that are prepared at one time; their members leave again."""


class ProgramBroken(Exception):
    """A program does not start at all; the text says which and where its words are."""


class House:
    """One evening's programs and people, all in `folder`."""

    def __init__(self, plan: Plan, folder: Path, rng: random.Random) -> None:
        self.plan = plan
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl")
        self._held = ExitStack()
        self.port = self._a_port()
        self.place = Place(self.port)
        self.pos = Pos(folder, self._a_port(), self.port)
        self._servers: list[Program] = []
        self.server = self._server_at(self.place.port)
        self.staff = Staff(self.place, self.pos.url, random.Random(rng.random()))
        self.samples: list[Sample] = []
        self._copies: list[tuple[Path, float, int]] = []
        self.faults = self.place.faults
        self.kills = 0
        self.members = [
            Member(
                f"{table}-{number}",
                f"demo-{table}",
                self.place,
                self.journal,
                random.Random(rng.random()),
            )
            for table in range(1, plan.active + 1)
            for number in range(MEMBERS_A_TABLE[table % 2])
        ]

    async def open(self) -> None:
        """Start the programs and give every table a session with lines. Raises `ProgramBroken`."""
        if not await self.pos.start():
            raise ProgramBroken(f"the POS does not start; see {self.folder / 'pos.log'}")
        await self.start_server()
        await self.place.move(self.place.port)
        limit = trio.CapacityLimiter(AT_ONCE)
        with trio.move_on_after(PREPARE_SECONDS) as preparing:
            async with trio.open_nursery() as nursery:
                for table in range(1, self.plan.tables + 1):
                    nursery.start_soon(self._prepare, table, limit)
        if preparing.cancelled_caught:
            raise ProgramBroken("the tables were not prepared in time")

    async def _prepare(self, table: int, limit: trio.CapacityLimiter) -> None:
        rng = random.Random(table)
        async with limit:
            guest = Member(f"{table}-first", f"demo-{table}", self.place, self.journal, rng)
            ids = [guest.next_request_id() for _ in range(LINES_PREPARED)]
            await guest.bring([commands.add(rng, request_id) for request_id in ids])

    async def close(self) -> None:
        """Kill what still runs."""
        with trio.CancelScope(shield=True):
            for server in self._servers:
                await server.kill()
            await self.pos.program.kill()
            await self.place.aclose()
            await self.staff.aclose()
            await self.pos.aclose()
        self._held.close()
        self.journal.close()

    # --- The server's lives -----------------------------------------------------------------------

    async def start_server(self, failpoints: str = "") -> bool:
        """Start it. False: a failpoint ended it before it was ready. Raises `ProgramBroken` without one."""
        environment = dict(SERVER_ENVIRONMENT)
        if failpoints:
            environment["COMANDA_FAILPOINTS"] = failpoints
        self.journal.new_life()
        if await self.server.start(**environment):
            self.journal.done("ready", failpoints)
            return True
        if not failpoints:
            raise ProgramBroken(f"the server does not start; see {self.folder / 'server.log'}")
        return False

    async def kill_server(self, why: str) -> None:
        """Kill -9, and look at what storage then holds."""
        self.journal.done("gone", why)
        await self.server.kill()
        self.kills += 1
        self.take_sample()

    def take_sample(self) -> None:
        """Copy storage as the dead server has left it. It is read later: members wait for the next one."""
        life = self.journal.life
        copy = copy_files(self.folder / "house.db", self.folder / f"sample-{life}")
        self._copies.append((copy, time.time(), life))

    async def read_samples(self) -> None:
        """Read the copies that wait. The newest one stays in the folder until the next is read."""
        while self._copies:
            sample = await trio.to_thread.run_sync(read_sample, *self._copies[0])
            for older in self.samples[-1:]:
                shutil.rmtree(self.folder / f"sample-{older.life}")
            self.samples.append(sample)
            del self._copies[0]

    def _a_port(self) -> int:
        """A port that is the house's until it closes, over all lives of the program there."""
        return self._held.enter_context(held_port())

    def _server_at(self, port: int) -> Program:
        server = server_program(self.plan, self.folder, port, self.pos.port)
        self._servers.append(server)
        return server

    async def second_server(self) -> Program | None:
        """Another server on the same database, where members go from now on; the first one comes back.

        None where it did not start.
        """
        port = self._a_port()
        second = self._server_at(port)
        self.journal.new_life()
        if not await second.start(**SERVER_ENVIRONMENT):
            return None
        self.journal.done("ready", "a second server")
        first, self.server = self.server, second
        await self.place.move(port)
        return first

    async def back_to_one_server(self, first: Program) -> None:
        """Kill both, and start one on the port that the POS knows."""
        await first.kill()
        self.kills += 1
        await self.kill_server("the second server killed")
        self.server = first
        await self.start_server()
        await self.place.move(self.port)

    async def acknowledged(self, seconds: float) -> bool:
        """Wait until the server's present life has acknowledged something. False: not in time."""
        return await until(lambda: self.journal.acks > 0, seconds)


async def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Look every few milliseconds. False: it did not hold in time."""
    with trio.move_on_after(seconds):
        while not holds():  # noqa: ASYNC110  # many things are waited for so
            await trio.sleep(0.005)
        return True
    return holds()
