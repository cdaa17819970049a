"""Real processes of the command line: servers to talk to, commands run to their end, pseudo-terminals."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

COMANDA = [sys.executable, "-m", "comanda"]
STAFF_TOKEN = "the-staff"
PATIENCE_SECONDS = 45
"""Far above what anything here takes; only a fault makes it pass."""

SHORT_LOCK = ("--pos-timeout", "0.8", "--lock-limit", "1")
"""Short, and still enough for a busy disk: an order that is not sent by then fails instead of waiting."""

TWO_HOUSES = """
[[restaurants]]
id = 1
name = "Trattoria One"
currency = "EUR"
tables = [{ code = "one-1", label = "A1" }]
sections = [{ name = "All", items = [{ id = 1, name = "Soup", price = 4.50 }] }]

[[restaurants]]
id = 2
name = "Ramen Two"
currency = "JPY"
tables = [{ code = "two-1", label = "B1" }]
sections = [{ name = "All", items = [{ id = 1, name = "Ramen", price = 900 }] }]
"""
"""A menu file of a house with two restaurants."""


def clean_environment(**more: str) -> dict[str, str]:
    """This process's, without settings of ours and with a terminal's size of its own."""
    ours = ("COMANDA_", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    return {**kept, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **more}


def run(*arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A command to its end, with `typed` in the pipe that it reads from."""
    return subprocess.run(
        [*COMANDA, *arguments],
        input=typed,
        capture_output=True,
        encoding="utf-8",
        env=clean_environment(**environment),
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@dataclass
class Server:
    """`comanda serve` as a process. `links` are the lines after the one with the URL, `staff` the next."""

    process: subprocess.Popen[str]
    url: str
    links: list[str] = field(default_factory=list)
    staff: str = ""

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def a_server(
    folder: Path,
    *options: str,
    tables: int = 3,
    port: int = 0,
    staff_token: str | None = STAFF_TOKEN,
) -> Iterator[Server]:
    """A server on a database in `folder`, its first lines read. `tables`: the demo's; 0 with a menu."""
    command = [*COMANDA, "serve", "--port", str(port)]
    command += ["--demo-tables", str(tables)] if tables else []
    command += ["--database", f"sqlite+aiosqlite:///{folder / 'comanda.db'}"]
    token = {} if staff_token is None else {"COMANDA_STAFF_TOKEN": staff_token}
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            env=clean_environment(**token),
        ) as process,
    ):
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            announced = re.fullmatch(r"Comanda takes orders at (http://127\.0\.0\.1:\d+)\n", first)
            assert announced is not None, (first, (folder / "server.log").read_text())
            *links, staff = [process.stdout.readline().rstrip("\n") for _ in range(tables + 1)]
            yield Server(process, announced[1], links, staff)
        finally:
            process.kill()


def wait_left_to_the_staff(server: Server, order_id: str) -> None:
    """Until this order's lock has ended without an outcome. The server is the demonstration's."""
    url = f"{server.url}/api/restaurants/7/orders?state=needs_staff"
    headers = {"Authorization": f"Bearer {STAFF_TOKEN}"}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while order_id not in httpx.get(url, headers=headers, trust_env=False, timeout=None).text:
        assert time.monotonic() < deadline, f"{order_id} does not come to the staff"
        time.sleep(0.05)


class Terminal:
    """A command on a pseudo-terminal. `seen` is all that it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int) -> None:
        self.process = process
        self.seen = ""
        self._ours = ours

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def wait_for(self, pattern: str, after: int = 0) -> int:
        """Read until `pattern` stands in `seen[after:]`; where it ends."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (match := re.compile(pattern).search(self.seen, after)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen[after:]!r}"
            assert self._read(), f"ended without {pattern!r}: {self.seen[after:]!r}"
        return match.end()

    def wait_for_end(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read():
            assert time.monotonic() < deadline, f"no end after {self.seen[-2000:]!r}"
        return self.process.wait(PATIENCE_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._ours], [], [], PATIENCE_SECONDS)
        assert ready, f"silence after {self.seen!r}"
        with suppress(OSError):  # Linux: nobody holds the other side any more
            data = os.read(self._ours, 65536)
            self.seen += data.decode(errors="replace")
            return bool(data)
        return False


_TAKE_THE_TERMINAL = (
    "import os, sys; os.login_tty(0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@contextmanager
def on_a_terminal(*arguments: str, columns: int = 100, rows: int = 30) -> Iterator[Terminal]:
    """A command on a pseudo-terminal of that size, which is its controlling one: Ctrl-C reaches it."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _TAKE_THE_TERMINAL, *COMANDA[1:], *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=clean_environment(COLUMNS=str(columns), LINES=str(rows)),
    ) as process:
        os.close(theirs)
        try:
            yield Terminal(process, ours)
        finally:
            process.kill()
            os.close(ours)
