"""The server that `comanda load` starts where it is given none, and the POS beside it with its ledger."""

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import trio

from comanda.load.words import OrderEnd
from comanda.pos.simulator.entries import cooked_times
from comanda.pos.simulator.ledger import read_ledger

COMANDA = [sys.executable, "-m", "comanda"]
"""What starts the server and the POS. Tests put a broken one here."""

START_SECONDS = 60.0
"""Until a program takes calls: a street of restaurants is written into the database first."""

END_SECONDS = 30.0
"""A graceful end with thousands of connections; then it is killed."""

TABLES_A_RESTAURANT = 50
RESTAURANTS = 100
"""At most: so many copies of the menu fit its file's limit. More tables make them larger."""

ACCEPT_RATE = 0.9
"""As the specification's dummy POS."""

LOG_LINES = 5
CODE = "load-{n}"
"""The tables' codes."""

_ANNOUNCED = re.compile(r"at (http://\S+)\s*$", re.MULTILINE)


class NotStarted(Exception):
    """A program that the run needs did not start, or not end. The text has its last words."""


class Program:
    """One process of ours, which says where it takes calls: `url`. `log` is where its errors go."""

    def __init__(self, process: trio.Process, name: str, log: Path) -> None:
        self.process = process
        self.url = ""
        self._name = name
        self._log = log

    async def wait_announced(self) -> None:
        """Read up to the line with its address. Raises `NotStarted`."""
        said = b""
        assert self.process.stdout is not None
        with trio.move_on_after(START_SECONDS):
            while (announced := _ANNOUNCED.search(said.decode(errors="replace"))) is None:
                chunk = await self.process.stdout.receive_some()
                if not chunk:
                    break
                said += chunk
            else:
                self.url = announced[1]
        if not self.url:
            raise NotStarted(f"{self._name} did not start: {self.last_words()}")

    async def end(self) -> int:
        """SIGTERM, and SIGKILL where that does not do; the exit code. Cancellation is held off."""
        with trio.CancelScope(shield=True):
            self.process.send_signal(signal.SIGTERM)
            with trio.move_on_after(END_SECONDS):
                await self.process.wait()
            self.process.kill()
            await self.process.wait()
            if self.process.stdout is not None:
                await self.process.stdout.aclose()
        return self.process.returncode or 0

    def last_words(self) -> str:
        """The end of its log."""
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return "; ".join(lines[-LOG_LINES:]) or "it said nothing"


class OwnServer:
    """A server on a database of its own. `ledger` is its POS's, where there is one."""

    def __init__(self, server: Program, pos: Program | None, ledger: Path) -> None:
        self._server = server
        self._pos = pos
        self._ledger = ledger
        self.url = server.url
        self.pid = server.process.pid

    @property
    def exit_code(self) -> int | None:
        """What the server has ended with by itself; None while it runs."""
        return self._server.process.poll()

    async def end(self) -> list[str]:
        """End both. What was wrong with that, in sentences."""
        wrongs = []
        for program in filter(None, (self._server, self._pos)):
            code = await program.end()
            if code != 0:
                wrongs.append(f"{program.url} has ended with code {code}: {program.last_words()}")
        return wrongs

    def ledger_wrongs(
        self, orders: Sequence[OrderEnd], restaurant_id: int | None = None
    ) -> list[str]:
        """What the POS has cooked against what the tables were told. After `end`.

        Args:
            restaurant_id: the one whose tables were told `orders`, where others have ordered too; of those
                nothing is checked but that no order reached the kitchen twice.
        """
        if self._pos is None:
            return []
        lines, _ = read_ledger(self._ledger)
        cooked = cooked_times(lines)
        told = {order.order_id: order.stage for order in orders}
        wrongs = [
            f"order {key} reached the kitchen {times} times"
            for key, times in cooked.items()
            if times > 1
        ]
        if restaurant_id is not None:
            for key in [key for key in cooked if not key.startswith(f"ORD-{restaurant_id}-")]:
                del cooked[key]
        wrongs += [
            f"the kitchen cooked order {key}, and no table was told of it: ordered twice"
            for key in cooked.keys() - told.keys()
        ]
        for order_id, stage in told.items():
            if stage == "confirmed" and order_id not in cooked:
                wrongs.append(
                    f"order {order_id} was told as confirmed, and the kitchen has lost it"
                )
            elif stage == "failed" and order_id in cooked:
                wrongs.append(f"order {order_id} was told as failed, and the kitchen cooked it")
        return wrongs


@asynccontextmanager
async def own_server(
    folder: Path,
    tables: int,
    *,
    pos_delay_seconds: float | None,
    menu: str | None = None,
    rate_limits: str = "off",
    environment: Mapping[str, str] | None = None,
    command: Sequence[str] | None = None,
) -> AsyncGenerator[OwnServer, None]:
    """A real `comanda serve` on loopback, all its files in `folder`; ended by its id, however this is left.

    Args:
        pos_delay_seconds: how long the POS takes, which then is `comanda pos` with its ledger. None:
            nobody will order; the POS is the dummy inside the server.
        menu: the menu file's text, a street of so many tables where it is not given.
        rate_limits: "on" or "off", as `comanda serve` takes it.
        environment: variables for both programs, over those that are set here.
        command: a module and words before `serve`, in place of `comanda`'s own.

    Raises:
        NotStarted: one of the two does not start.
    """
    more = environment or {}
    serving = COMANDA if command is None else [sys.executable, "-m", *command]
    ledger = folder / "pos-ledger.jsonl"
    programs: list[Program] = []
    try:
        pos = None
        if pos_delay_seconds is not None:
            words = ["pos", "--port", "0", "--ledger", str(ledger)]
            words += ["--delay", str(pos_delay_seconds), "--accept-rate", str(ACCEPT_RATE)]
            pos = await _start(COMANDA, words, folder / "pos.log", programs, more)
        menu_file = folder / "menu.toml"
        menu_file.write_text(menu or street(tables), encoding="utf-8")
        words = ["serve", "--port", "0", "--menu", str(menu_file), "--rate-limits", rate_limits]
        words += ["--database", f"sqlite+aiosqlite:///{folder / 'comanda.db'}"]
        words += ["--log-level", "warning", "--log-format", "json"]
        if pos is not None:
            words += ["--pos", pos.url]
        server = await _start(serving, words, folder / "server.log", programs, more, live=tables)
        yield OwnServer(server, pos, ledger)
    finally:
        for program in programs:
            if program.process.poll() is None:
                await program.end()


async def _start(
    program: Sequence[str],
    words: Sequence[str],
    log: Path,
    programs: list[Program],
    more: Mapping[str, str],
    live: int = 1,
) -> Program:
    environment = {key: value for key, value in os.environ.items() if key[:8] != "COMANDA_"}
    environment["COMANDA_STAFF_TOKEN"] = secrets.token_hex(16)
    environment["COMANDA_DRAIN_GRACE"] = "0"  # nobody must be told to go elsewhere
    environment["COMANDA_MAX_LIVE_SESSIONS"] = str(max(10_000, live))
    environment.update(more)
    with log.open("wb") as file:
        process = await trio.lowlevel.open_process(
            [*program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=file,
            env=environment,
            start_new_session=True,  # Ctrl-C is the load tester's, which then ends them
        )
    started = Program(process, f"comanda {words[0]}", log)
    programs.append(started)
    await started.wait_announced()
    return started


def street(tables: int) -> str:
    """A menu file of so many tables, in restaurants side by side that all sell what the demo's does."""
    demo = resources.files("comanda").joinpath("demo_menu.toml").read_text("utf-8")
    sells = demo[demo.index("[[restaurants.sections]]") :]
    size = max(TABLES_A_RESTAURANT, -(-tables // RESTAURANTS))
    parts = []
    for number, first in enumerate(range(1, tables + 1, size), start=1):
        parts.append(f'[[restaurants]]\nid = {number}\nname = "Load {number}"\ncurrency = "INR"\n')
        parts.append(sells)
        parts += [
            f'[[restaurants.tables]]\ncode = "{CODE.format(n=n)}"\nlabel = "T{n}"\n'
            for n in range(first, min(first + size, tables + 1))
        ]
    return "\n".join(parts)
