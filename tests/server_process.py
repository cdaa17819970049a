"""A real `comanda serve`, to be killed, stopped and started again on the same file and port."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from chaos.ports import held_port

SERVING = b"Comanda takes orders at "
START_SECONDS = 30
END_SECONDS = 10


class Server:
    """`comanda serve` on one file and one port."""

    def __init__(
        self, folder: Path, port: int, options: Sequence[str], settings: Mapping[str, str]
    ) -> None:
        self.database = folder / "evening.db"
        self.log = folder.parent / f"{folder.name}.log"
        self.port = port
        self.url = ""
        self._options = options
        self._settings = settings
        self._process: trio.Process | None = None

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None

    async def start(self, failpoints: str | None = None) -> None:
        """Start it and wait until it takes traffic."""
        command = [sys.executable, "-m", "comanda", "serve", "--port", str(self.port)]
        command += ["--database", f"sqlite+aiosqlite:///{self.database}", *self._options]
        environment = {"COMANDA_RATE_LIMITS": "off", **self._settings}
        if failpoints is not None:
            environment["COMANDA_FAILPOINTS"] = failpoints
        with self.log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                command, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        assert self._process.stdout is not None
        said = b""
        with trio.fail_after(START_SECONDS):
            while b"\n" not in said:
                some = await self._process.stdout.receive_some()
                assert some, self.log.read_text()
                said += some
        assert said.startswith(SERVING), said
        self.url = said.split()[4].decode()

    async def wait_killed(self) -> None:
        """It ends by SIGKILL, by its own hand or another's."""
        assert self._process is not None
        assert self._process.stdout is not None
        with trio.fail_after(START_SECONDS):
            assert await self._process.wait() == -signal.SIGKILL
        await self._process.stdout.aclose()

    async def stop(self) -> None:
        """As a service manager would: it is asked, and ends by itself."""
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGTERM)
        with trio.fail_after(START_SECONDS):
            assert await self._process.wait() == 0, self.log.read_text()
        await self._process.stdout.aclose()

    async def kill(self) -> None:
        """As the power would: no signal handler, no `finally`."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            with trio.move_on_after(END_SECONDS, shield=True):
                await self.wait_killed()


@asynccontextmanager
async def a_server(
    folder: Path, *options: str, failpoints: str | None = None, **settings: str
) -> AsyncIterator[Server]:
    """A server on a database in `folder`, `settings` in its environment; killed after the block."""
    with held_port() as port:
        server = Server(folder, port, options or ("--pos-delay", "1"), settings)
        try:
            await server.start(failpoints)
            yield server
        finally:
            await server.kill()
