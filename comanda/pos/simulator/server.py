"""The simulator's wiring: ledger, desk, faults and the HTTP worker around them."""

import socket as stdlib_socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import trio
from msgspec import Struct

from comanda.http.worker import WorkerLimits, serve
from comanda.logs import get_log

from .app import make_simulator_app
from .courier import CallbackSettings, open_courier
from .desk import Desk, utc_now
from .faults import Fault, Faults
from .ledger import Ledger
from .outcomes import Habits

LIMITS = WorkerLimits(graceful_seconds=3, close_timeout_seconds=1)
"""A call that hangs on purpose shall not hold up the end."""

log = get_log("comanda.pos.simulator")


class SimulatorSettings(Struct, frozen=True):
    """All that a simulator is told. `rates` are those of faults, from 0 to 1.

    Without `callbacks` none are sent.
    """

    ledger: Path
    habits: Habits = Habits()
    rates: Mapping[Fault, float] = {}
    token: str | None = None
    callbacks: CallbackSettings | None = None


async def run_simulator(
    settings: SimulatorSettings,
    sockets: Sequence[stdlib_socket.socket],
    *,
    shutdown: trio.Event,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve on `sockets`, which are closed in any case, until `shutdown`; then end gracefully.

    Orders at work whose callers have left are dropped at the end: they had no effect. What waits for
    its time, and callbacks owed, stand in the ledger for the next run. Raises `LedgerUnusable`, then or
    at any time. Cancelling is an end at once.
    """
    try:
        ledger = Ledger(settings.ledger)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    try:
        async with (
            open_courier(settings.callbacks, ledger, utc_now) as courier,
            trio.open_nursery() as work,
        ):
            desk = Desk(ledger, settings.habits, work, courier=courier)
            desk.take_up()
            faults = Faults(settings.habits.seed, settings.rates)
            app = make_simulator_app(desk, faults, settings.token)
            await serve(
                app,
                sockets,
                shutdown=shutdown,
                log_error=log.error,
                limits=LIMITS,
                task_status=task_status,
            )
            work.cancel_scope.cancel()
    finally:
        ledger.close()
