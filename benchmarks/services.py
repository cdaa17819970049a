"""The services that are measured: Comanda and its peers, each a process of its own on a new database."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE

import trio

from comanda.cli.load_server import CODE, Program, own_server
from comanda.load.plan import COMANDA

from . import node_peer

ROOT = Path(__file__).parents[1]
PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""The Python peers' environment, which `make` sets up from `benchmarks/requirements.lock`."""

PEERS = "benchmarks.peers.dialect:Peers"


@dataclass(frozen=True)
class Started:
    """A service that takes calls."""

    url: str
    pid: int


@dataclass(frozen=True)
class Service:
    """One that can be measured. `start` is given a folder for its files and the number of tables."""

    name: str
    start: Callable[[Path, int], AbstractAsyncContextManager[Started]]
    dialect: str = PEERS
    request_ids: bool = False


@asynccontextmanager
async def comanda(folder: Path, tables: int) -> AsyncIterator[Started]:
    """`comanda serve`, as `comanda load` starts it."""
    async with own_server(folder, tables, pos_delay_seconds=None) as server:
        yield Started(server.url, server.pid)


@asynccontextmanager
async def peer(words: Sequence[str | Path], folder: Path, tables: int) -> AsyncIterator[Started]:
    """A peer's process; its database, where it has one, is its last argument. Ended by its id."""
    log = folder / "peer.log"
    with log.open("wb") as file:
        process = await trio.lowlevel.open_process(
            [*words, folder / "peer.db"],
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=file,
            cwd=ROOT,
            start_new_session=True,
        )
    program = Program(process, str(words[-1]), log)
    try:
        await program.wait_announced()
        yield Started(program.url, process.pid)
    finally:
        await program.end()


OURS = Service("Comanda", comanda, COMANDA)
OURS_ACKNOWLEDGED = Service("Comanda, with request ids", comanda, COMANDA, request_ids=True)
IN_MEMORY = Service(
    "FastAPI, carts in memory",
    partial(peer, [PEERS_PYTHON, "-m", "benchmarks.peers.fastapi_memory"]),
)
IN_MEMORY_OLDER = Service(
    "the same, uvicorn's older way",
    partial(peer, [PEERS_PYTHON, "-m", "benchmarks.peers.fastapi_memory", "older"]),
)
SQLALCHEMY = Service(
    "FastAPI, SQLAlchemy, aiosqlite",
    partial(peer, [PEERS_PYTHON, "-m", "benchmarks.peers.fastapi_sqlite"]),
)
NODE = Service("node, ws, better-sqlite3", partial(peer, ["node", node_peer.SERVER]))


NAMES = tuple(
    one.name for one in (OURS, OURS_ACKNOWLEDGED, IN_MEMORY, IN_MEMORY_OLDER, SQLALCHEMY, NODE)
)
"""Of all there are, in the order in which they take turns."""


def services(say: Callable[[str], None]) -> list[Service]:
    """All that can be measured here; those that cannot are named in a line."""
    found = [OURS, OURS_ACKNOWLEDGED]
    if PEERS_PYTHON.exists():
        found += [IN_MEMORY, IN_MEMORY_OLDER, SQLALCHEMY]
    else:
        say("Without the FastAPI services: `make bench` sets up what they need.")
    missing = node_peer.make_ready(say)
    if missing is None:
        found.append(NODE)
    else:
        say(f"Without node's service: {missing}.")
    return found


def table_code(service: Service) -> str:
    """How the plan names Comanda's tables; peers go by number."""
    return CODE if service.dialect == COMANDA else "{n}"
