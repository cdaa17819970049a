"""The real programs: `comanda serve` and `comanda pos`, to be killed, stopped and started again."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import trio

from .plan import LOCK_LIMIT_SECONDS, POS_TIMEOUT_SECONDS, START_SECONDS, Plan

STAFF_TOKEN = "the-house-of-chaos"
POS_SECRET = f"whsec_{base64.b64encode(b'what the two of them know alone.').decode()}"
LOOK_SECONDS = 0.01
"""Between two looks at a starting program's words; part of the measured time to recover."""

END_SECONDS = 20.0
"""A graceful end takes no longer, or it is a violation of its own bounds."""


class Program:
    """One program on one port, through all its lives. Its words go to a file."""

    def __init__(self, command: Sequence[str], log: Path, ready: str) -> None:
        self._command = list(command)
        self._log = log
        self._ready = ready.encode()
        self._process: trio.Process | None = None

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    async def start(self, **environment: str) -> bool:
        """Start it. False: it has ended before it was ready, or was not ready in time and was killed."""
        with self._log.open("ab") as log:
            said_before = log.tell()
            self._process = await trio.lowlevel.open_process(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ.get("PATH", ""), **environment},
                start_new_session=True,  # Ctrl-C is the driver's to hear
            )
        with trio.move_on_after(START_SECONDS):
            while self.running:
                with self._log.open("rb") as log:
                    log.seek(said_before)
                    if self._ready in log.read():
                        return True
                await trio.sleep(LOOK_SECONDS)
        await self.kill()
        return False

    async def kill(self) -> None:
        """As the power would: no signal handler, no `finally`. Harmless where it has ended."""
        if self._process is not None:
            if self.running:
                self._process.send_signal(signal.SIGKILL)
            with trio.CancelScope(shield=True):
                await self._process.wait()

    async def end(self) -> bool:
        """Ask it to end gracefully. False: it did not in time, and was killed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        with trio.move_on_after(END_SECONDS):
            await self._process.wait()
            return True
        await self.kill()
        return False

    async def died(self) -> None:
        """Wait until it has ended."""
        assert self._process is not None
        await self._process.wait()

    def stop(self) -> None:
        """Let it do nothing at all until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on as if no time had passed."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def server_program(plan: Plan, folder: Path, port: int, pos_port: int) -> Program:
    """`comanda serve` on `house.db` in `folder`."""
    command = [sys.executable, "-m", plan.server_module, *plan.server_arguments, "serve"]
    command += ["--port", str(port), "--database", f"sqlite+aiosqlite:///{folder / 'house.db'}"]
    command += ["--demo-tables", str(plan.tables), "--pos", f"http://127.0.0.1:{pos_port}"]
    command += ["--pos-timeout", str(POS_TIMEOUT_SECONDS), "--lock-limit", str(LOCK_LIMIT_SECONDS)]
    command += ["--log-format", "json"]
    return Program(
        command, folder / "server.log", f"Comanda takes orders at http://127.0.0.1:{port}"
    )


SERVER_ENVIRONMENT: Mapping[str, str] = {
    "COMANDA_RATE_LIMITS": "off",
    "COMANDA_STAFF_TOKEN": STAFF_TOKEN,
    "COMANDA_POS_SECRET": POS_SECRET,
    "COMANDA_DRAIN_GRACE": "1",
}


class Pos:
    """`comanda pos` on `port`, its ledger, and its control call. Its callbacks go to `server_port`."""

    def __init__(self, folder: Path, port: int, server_port: int) -> None:
        self.port = port
        self.ledger = folder / "pos-ledger.jsonl"
        command = [sys.executable, "-m", "comanda", "pos", "--port", str(self.port)]
        command += ["--ledger", str(self.ledger), "--delay", "0.05", "--accept-rate", "0.95"]
        command += ["--callback-url", f"http://127.0.0.1:{server_port}/api/pos/callbacks"]
        self.program = Program(command, folder / "pos.log", "The POS takes calls at")
        self._rates: dict[str, float] = {}
        self._http = httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=5)

    @property
    def url(self) -> str:
        """Where it takes calls."""
        return f"http://127.0.0.1:{self.port}"

    async def aclose(self) -> None:
        """Close the connections of the control call."""
        await self._http.aclose()

    async def start(self) -> bool:
        """Start it with the faults that were in force. False: it was not ready in time."""
        started = await self.program.start(COMANDA_POS_SECRET=POS_SECRET)
        return started and await self.set_faults(self._rates)

    async def set_faults(self, rates: Mapping[str, float]) -> bool:
        """Let its calls meet faults by these rates from now on. False: it does not answer."""
        self._rates = dict(rates)
        try:
            answer = await self._http.post("/control", json={"rates": self._rates})
            return answer.status_code == 200
        except httpx.HTTPError:
            return False
