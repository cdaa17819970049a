"""A kitchen's POS, for evenings in which it is switched off, hangs, and comes back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import trio

from chaos.ports import held_port
from comanda.http.worker import bind
from comanda.pos.simulator.entries import summarize
from comanda.pos.simulator.ledger import read_ledger
from comanda.pos.simulator.outcomes import Habits
from comanda.pos.simulator.server import SimulatorSettings, run_simulator

HOST = "127.0.0.1"
LOOK_AGAIN_SECONDS = 0.05


class Kitchen:
    """A POS simulator on one port. It is off until `switch_on`."""

    def __init__(self, nursery: trio.Nursery, port: int, ledger: Path, seconds: float) -> None:
        self._nursery = nursery
        self._settings = SimulatorSettings(ledger, Habits(delay_seconds=seconds))
        self._ended = trio.Event()
        self._runs = trio.CancelScope()
        self._port = port

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}"

    async def switch_on(self) -> None:
        sockets = bind(HOST, self._port)
        self._ended = trio.Event()
        self._runs = trio.CancelScope()

        async def serving(
            task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            with self._runs:
                await run_simulator(
                    self._settings, sockets, shutdown=trio.Event(), task_status=task_status
                )
            self._ended.set()

        await self._nursery.start(serving)

    async def switch_off(self) -> None:
        """At once. The ledger stays, and nobody listens on the port."""
        self._runs.cancel()
        await self._ended.wait()

    def cooked(self) -> int:
        """How many orders the kitchen was left with."""
        return summarize(read_ledger(self._settings.ledger)[0]).cooked

    async def will(self, *faults: str) -> None:
        """Each of the next calls meets one of these faults, in this order."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            answer = await http.post("/control", json={"next": list(faults)})
        assert answer.is_success, answer.text

    async def has_met_its_faults(self) -> None:
        """Until none of the faults that it was told of is left: the last one's call has come."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http:
            while True:
                if not (await http.get("/control")).json()["next"]:
                    return
                await trio.sleep(LOOK_AGAIN_SECONDS)


@asynccontextmanager
async def a_kitchen(folder: Path, *, seconds: float) -> AsyncIterator[Kitchen]:
    """A kitchen that is on and takes `seconds` for an order; off after the block."""
    with held_port() as port:
        async with trio.open_nursery() as nursery:
            kitchen = Kitchen(nursery, port, folder / "pos-ledger.jsonl", seconds)
            await kitchen.switch_on()
            yield kitchen
            await kitchen.switch_off()
