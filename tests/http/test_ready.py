"""`/readyz` tells the truth: of a store that fails, one that hangs, one that comes back, and of a drain."""

from pathlib import Path

import httpx
import pytest
import trio

from comanda.actors.ports import StorageUnavailable
from comanda.http import front

from .server import Server, serving, until


class Probe:
    """Stands in the store's `probe`: what it does is the test's, how often it was asked is counted."""

    def __init__(self) -> None:
        self.asked = 0
        self.fails = False
        self.hangs = False

    async def __call__(self) -> None:
        self.asked += 1
        if self.hangs:
            await trio.sleep_forever()
        if self.fails:
            raise StorageUnavailable("the disk is gone")


@pytest.fixture
def probe(server: Server, monkeypatch: pytest.MonkeyPatch) -> Probe:
    found = Probe()
    monkeypatch.setattr(server.running.house.store, "probe", found)
    monkeypatch.setattr(front, "READY_SECONDS", 0.0)
    return found


async def test_storage_that_fails_is_not_ready_and_is_again_when_it_is_back(
    server: Server, probe: Probe
) -> None:
    probe.fails = True
    await server.refused("storage_unavailable", 503, "GET", "/readyz")
    assert (await server.call("GET", "/healthz")).json()["status"] == "alive"
    probe.fails = False
    assert (await server.call("GET", "/readyz")).json()["status"] == "ready"


async def test_storage_that_does_not_answer_in_time_is_not_ready(
    server: Server, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "PROBE_SECONDS", 0.05)
    probe.hangs = True
    await server.refused("storage_unavailable", 503, "GET", "/readyz")


async def test_however_many_ask_storage_is_asked_once_in_a_while(
    server: Server, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front, "READY_SECONDS", 3600.0)

    async def ask() -> None:
        await server.call("GET", "/readyz")

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask)
    assert probe.asked == 1


async def test_a_database_that_another_program_holds_is_not_ready(server: Server) -> None:
    with server.storage_held():
        await server.refused("storage_unavailable", 503, "GET", "/readyz")

    async def ready() -> bool:
        return (await server.http.get("/readyz")).status_code == httpx.codes.OK

    await until(ready)


async def test_a_server_that_drains_while_it_asks_is_not_ready(tmp_path: Path) -> None:
    async with serving(tmp_path, drain_grace=5) as server:
        store = server.running.house.store
        asked, answer = trio.Event(), trio.Event()

        async def probe() -> None:
            asked.set()
            await answer.wait()

        store.probe = probe  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                await server.refused("too_busy", 503, "GET", "/readyz")

            nursery.start_soon(ask)
            await asked.wait()
            server.shutdown.set()
            await trio.testing.wait_all_tasks_blocked()
            answer.set()
