"""The demo's server: a real process of its own, so that it can be killed as the power would kill it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import trio

from comanda.pos.dummy import accepts

START_SECONDS = 30.0
"""Until a server takes traffic; some two are usual, a loaded machine takes longer."""

STOP_SECONDS = 20.0
"""A graceful end: longer than the server's own deadline for it."""

LOG_LINES = 5
"""Of the server's log, shown where it did not do what it should."""

SUCCESS_RATE = 0.9
"""Of the dummy POS, as in the specification."""

DATABASE_NAME = "comanda-demo.db"
TABLES = 3

ServerState = Literal["starting", "running", "killed", "restarting", "stopped"]

_ANNOUNCED = re.compile(r"at (http://\S+:(\d+))\s*$", re.MULTILINE)


class Broken(Exception):
    """The story went another way than it must. `expected` and `found` are sentences for a person."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected: {expected}; found: {found}")
        self.expected = expected
        self.found = found


def seed_for(refused: str, accepted: str) -> int:
    """The first seed with which the dummy POS refuses one order and accepts the other."""
    seed = 0
    while accepts(seed, refused, SUCCESS_RATE) or not accepts(seed, accepted, SUCCESS_RATE):
        seed += 1
    return seed


class DemoServer:
    """`comanda serve` on one SQLite file, and always the same port. Made by `demo_server`."""

    def __init__(self, folder: Path, pos_delay_seconds: float, pos_seed: int) -> None:
        self.database = folder / DATABASE_NAME
        self.state: ServerState = "starting"
        self.url = ""
        self._log = folder / "server.log"
        self._pos_delay_seconds = pos_delay_seconds
        self._pos_seed = pos_seed
        self._port = 0
        self._process: trio.Process | None = None

    @property
    def pid(self) -> int:
        """The process's number; 0 before the first start."""
        return 0 if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start, on the port of last time; returns when it takes traffic.

        Raises:
            Broken: it ended, or did not announce itself in time.
        """
        if self._port:
            self.state = "restarting"
        with self._log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("COMANDA_")},
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the server
            )
        said = ""
        with trio.move_on_after(START_SECONDS):
            said = await self._first_words(self._process)
        announced = _ANNOUNCED.search(said)
        if announced is None:
            raise Broken("a server that takes orders", self._last_words())
        self.url, self._port = announced[1], int(announced[2])
        self.state = "running"

    async def kill(self) -> None:
        """SIGKILL: no good-bye, nothing flushed.

        Raises:
            Broken: it had ended by itself before.
        """
        assert self._process is not None
        self._process.kill()
        self.state = "killed"
        if await self._process.wait() != -signal.SIGKILL:
            raise Broken("a server that only SIGKILL ends", self._last_words())

    async def stop(self) -> None:
        """SIGTERM; the server must end by itself, with exit code 0.

        Raises:
            Broken: it did not.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_SECONDS):
            code = await self._process.wait()
            self.state = "stopped"
            if code == 0:
                return
            raise Broken("the server's exit code 0 after SIGTERM", f"{code}; {self._last_words()}")
        raise Broken("a server that ends after SIGTERM", f"it still ran after {STOP_SECONDS:.0f} s")

    async def end_for_sure(self) -> None:
        """No process is left. Cancellation is held off: SIGKILL does not take long."""
        if self._process is None:
            return
        with trio.CancelScope(shield=True):
            if self._process.poll() is None:
                self._process.kill()
            await self._process.wait()
            if self._process.stdout is not None:
                await self._process.stdout.aclose()

    def _command(self) -> list[str]:
        options = {
            "--port": str(self._port),
            "--database": f"sqlite+aiosqlite:///{self.database}",
            "--demo-tables": str(TABLES),
            "--pos-delay": str(self._pos_delay_seconds),
            "--pos-success-rate": str(SUCCESS_RATE),
            "--pos-seed": str(self._pos_seed),
            "--log-format": "console",
        }
        return [
            sys.executable,
            "-m",
            "comanda",
            "serve",
            *(word for option in options.items() for word in option),
        ]

    async def _first_words(self, process: trio.Process) -> str:
        """Up to the line with the URL, or to the end of the output. A few lines more fit into the pipe."""
        said = b""
        assert process.stdout is not None
        while _ANNOUNCED.search(said.decode(errors="replace")) is None:
            chunk = await process.stdout.receive_some()
            if not chunk:
                break
            said += chunk
        return said.decode(errors="replace")

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", errors="replace").strip().splitlines()
        return "; ".join(lines[-LOG_LINES:]) or "it said nothing"


@asynccontextmanager
async def demo_server(
    folder: Path, pos_delay_seconds: float, pos_seed: int
) -> AsyncGenerator[DemoServer, None]:
    """A server that is not started yet. However this is left, no process stays."""
    server = DemoServer(folder, pos_delay_seconds, pos_seed)
    try:
        yield server
    finally:
        await server.end_for_sure()
