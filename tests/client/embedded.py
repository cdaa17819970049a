"""A real server for tests of the client: real sockets, real SQLite, in a folder of the test."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from comanda.actors.ports import Pos
from comanda.app import Running, serve
from comanda.config import make_settings


@asynccontextmanager
async def embedded_server(
    folder: Path, *, pos: Pos | None = None, **settings: object
) -> AsyncGenerator[Running, None]:
    """Serves until the context is left."""
    chosen = make_settings(
        host="127.0.0.1",
        port=0,
        database=f"sqlite+aiosqlite:///{folder / 'comanda.db'}",
        stop_deadline=2.0,
        **settings,
    )
    shutdown = trio.Event()
    async with trio.open_nursery() as nursery:
        running: Running = await nursery.start(partial(serve, chosen, shutdown=shutdown, pos=pos))
        try:
            yield running
        finally:
            shutdown.set()
