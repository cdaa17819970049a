"""`drive` against a server that is not Comanda: a dialect is all that it needs."""

from pathlib import Path

import pytest
import trio

from comanda.load import DriverFailed, Figures, Plan, drive
from tests.client.embedded import embedded_server

from .peer import serve_peer

PATIENCE_SECONDS = 60


def plan_for(port: int, **more: object) -> Plan:
    """Three tables in two processes, for a second."""
    given: dict[str, object] = {
        "server": f"http://127.0.0.1:{port}",
        "tables": 3,
        "members": 3,
        "seconds": 1.0,
        "ramp_seconds": 0.1,
        "settle_seconds": 1.0,
        "processes": 2,
        "closed_loop": True,
        "request_ids": False,
        "dialect": "tests.load.peer:Peers",
        **more,
    }
    return Plan(**given)  # type: ignore[arg-type]


async def figures_of(
    *, deaf: bool = False, stop: trio.Event | None = None, **more: object
) -> Figures:
    """What a run against the peer brings."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            port = await nursery.start(serve_peer, deaf)
            figures = await drive(plan_for(port, **more), stop=stop)
            nursery.cancel_scope.cancel()
    return figures


async def test_another_server_is_driven_with_a_dialect_of_its_own() -> None:
    figures = await figures_of()
    assert figures.seated == 3
    assert figures.wrongs == []
    assert figures.edits > 0
    assert figures.deliveries >= figures.edits * 3 - 3 * 3
    assert figures.latencies["last_member"].count >= figures.raw_latencies["last_member"].count
    assert figures.latencies["last_member"].p50 >= figures.latencies["own_echo"].p50
    assert figures.server is not None, "the server listens on loopback: its process can be seen"
    assert figures.server.delivery_micros is not None
    assert figures.driver_cores > 0
    assert figures.driver_processes == 2


async def test_a_member_who_is_not_told_is_found_on_another_server_too() -> None:
    figures = await figures_of(deaf=True)
    assert any("was told" in sentence for sentence in figures.wrongs), figures.wrongs


async def test_a_run_that_is_stopped_early_has_the_figures_until_then() -> None:
    stop = trio.Event()
    stop.set()
    figures = await figures_of(stop=stop, seconds=10 * PATIENCE_SECONDS)
    assert figures.interrupted
    assert figures.wrongs == []


async def test_a_table_that_asks_for_its_pin_is_joined_with_what_its_first_member_was_told(
    tmp_path: Path,
) -> None:
    async with embedded_server(tmp_path, join_pin="on", rate_limits="off") as server:
        with trio.fail_after(PATIENCE_SECONDS):
            plan = Plan(server=server.url, tables=2, members=3, seconds=0.5, ramp_seconds=0.1)
            figures = await drive(plan)
    assert figures.seated == 2
    assert figures.errors == {}
    assert figures.wrongs == []


async def test_a_dialect_that_breaks_ends_the_run_with_its_error() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        with pytest.raises(DriverFailed, match="has ended by itself"):
            await drive(plan_for(1, dialect="tests.load.test_driving:broken_dialect"))


def broken_dialect(plan: Plan) -> object:
    """What cannot be made."""
    raise RuntimeError("broken")
