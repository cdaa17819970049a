"""The server's process and what it says of itself, looked at from outside."""

import os
from collections.abc import Mapping
from pathlib import Path

import httpx
import msgspec
from msgspec import Struct

from comanda.cli.load_server import OwnServer
from comanda.cli.top_figures import Samples, read_samples
from comanda.load.process_cost import used_by

CALL_SECONDS = 20.0
"""A server that does not answer its operator for so long is taken for hung."""

TROUBLES: Mapping[str, str] = {
    "comanda_restarts_total": "sessions have crashed and were restarted",
    "comanda_quarantines_total": "sessions were put into quarantine",
    "comanda_storage_outages_total": "times storage has stopped answering",
}
"""Counters that must not have moved, and what it means where one has."""

LOG_LINES_SHOWN = 5


class Memory(Struct):
    """Of the server's process, in bytes. `first` is after the warm-up."""

    first: int = 0
    last: int = 0
    most: int = 0

    @property
    def growth(self) -> int:
        """From the first to the last look."""
        return self.last - self.first


class Watch:
    """Looks at one server. `descriptors` are those that it has open without anybody."""

    def __init__(self, server: OwnServer, staff_token: str) -> None:
        self._server = server
        self._staff_token = staff_token
        self.memory = Memory()
        self.descriptors = self.open_descriptors()

    def look(self, *, warm: bool) -> int:
        """The memory that the process holds now; kept once it is `warm`."""
        used = used_by(self._server.pid)
        now = 0 if used is None else used.resident_bytes
        if warm and now:
            self.memory.first = self.memory.first or now
            self.memory.last = now
            self.memory.most = max(self.memory.most, now)
        return now

    def open_descriptors(self) -> int:
        """How many files and connections the process has open now; 0 where it has ended."""
        try:
            return len(os.listdir(f"/proc/{self._server.pid}/fd"))
        except OSError:
            return 0

    async def troubles(self) -> list[str]:
        """What the server counts of itself and must not. Raises `httpx.HTTPError`, `ValueError`."""
        async with self._client() as http:
            samples: Samples = read_samples((await http.get("/metrics")).text)
        return [
            f"{value:g} {meaning}"
            for name, meaning in TROUBLES.items()
            if (value := sum(samples[name].values()))
        ]

    async def answered_commands(self) -> int:
        """Commands that the server has answered or refused, of all members. Raises as `troubles`."""
        async with self._client() as http:
            samples = read_samples((await http.get("/metrics")).text)
        return int(sum(samples["comanda_commands_total"].values()))

    async def sessions(self, restaurant_id: int) -> tuple[str, ...]:
        """The sessions at a restaurant's tables. Raises `httpx.HTTPError`, `ValueError`."""
        async with self._client() as http:
            answer = await http.get(
                f"/api/restaurants/{restaurant_id}/tables",
                headers={"Authorization": f"Bearer {self._staff_token}"},
            )
        tables = answer.raise_for_status().json()["tables"]
        return tuple(one["party"]["session_pid"] for one in tables if one["party"] is not None)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self._server.url, trust_env=False, timeout=CALL_SECONDS)


def errors_in_log(log: Path) -> list[str]:
    """Lines of the server's log that tell of a fault of its own, and what is no line of a log."""
    found = []
    with log.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                level = msgspec.json.decode(line).get("level")
            except (msgspec.DecodeError, AttributeError):
                level = "no log line"
            if level not in ("debug", "info", "warning"):
                found.append(f"the log says: {line.strip()[:600]}")
    more = len(found) - LOG_LINES_SHOWN
    return found[:LOG_LINES_SHOWN] + ([f"… and {more} more such lines"] if more > 0 else [])
