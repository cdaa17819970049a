"""The same with a database: FastAPI, SQLAlchemy and aiosqlite, one commit an edit before it is told.

SQLite runs as Comanda's does: WAL, `synchronous=FULL`. The cart is kept in memory besides, so that an
edit only writes. One connection: SQLite has one writer, and those that wait for a pooled connection are
served in turn, where those that find the database locked sleep and try again.

What it does not do: nobody is asked who they are; a command that is sent twice is done twice; nothing
is acknowledged; fields are not checked, and the database knows no rules; a member who reads slowly, or
is gone without a word, holds up the whole table; nothing is bounded; there are no orders; carts are not
read back after a restart.
"""

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, event, insert, update
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import create_async_engine

from .cart import FIRST_LINE, Cart, Line
from .listening import serve

metadata = MetaData()
carts = Table(
    "carts", metadata, Column("number", Integer, primary_key=True), Column("seq", Integer)
)
lines = Table(
    "lines",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("public_id", String, primary_key=True),
    Column("menu_item_id", Integer),
    Column("qty", Integer),
    Column("note", String),
)
set_seq = update(carts).where(carts.c.number == bindparam("table")).values(seq=bindparam("told"))
set_qty = (
    update(lines)
    .where(lines.c.number == bindparam("table"), lines.c.public_id == bindparam("line"))
    .values(qty=bindparam("wanted"))
)

engine = create_async_engine(
    f"sqlite+aiosqlite:///{sys.argv[1]}", pool_size=1, max_overflow=0, pool_timeout=60
)


@event.listens_for(engine.sync_engine, "connect")
def set_pragmas(connection: DBAPIConnection, _: object) -> None:
    """As Comanda's database is set."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


class Party:
    """A cart, its lock, and who is connected."""

    def __init__(self) -> None:
        self.cart = Cart()
        self.lock = asyncio.Lock()
        self.members: set[WebSocket] = set()
        self.on_record = False


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Make the database's tables, and let go of it at the end."""
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)
parties: dict[int, Party] = defaultdict(Party)


async def put_on_record(number: int) -> None:
    """A table's first lines."""
    async with engine.begin() as connection:
        await connection.execute(insert(carts).values(number=number, seq=0))
        first = {key: FIRST_LINE[key] for key in ("public_id", "menu_item_id", "qty", "note")}
        await connection.execute(insert(lines).values(number=number, **first))


async def commit(number: int, line: Line, seq: int) -> None:
    """One edit, durable when this returns."""
    async with engine.begin() as connection:
        where = {"table": number, "line": line["public_id"]}
        await connection.execute(set_qty, {**where, "wanted": line["qty"]})
        await connection.execute(set_seq, {"table": number, "told": seq})


@app.websocket("/ws/tables/{number}")
async def attend(socket: WebSocket, number: int) -> None:
    """One member, from their join until they leave."""
    await socket.accept()
    name = (await socket.receive_json())["token"]
    party = parties[number]
    cart = party.cart
    async with party.lock:
        if not party.on_record:
            await put_on_record(number)
            party.on_record = True
        await socket.send_text(cart.snapshot())
        party.members.add(socket)
    try:
        while True:
            edit = json.loads(await socket.receive_text())
            async with party.lock:
                line = cart.edited(edit)
                await commit(number, line, cart.seq + 1)
                told = cart.adopt(line, name)
                for member in list(party.members):
                    await member.send_text(told)
    except WebSocketDisconnect:
        pass
    finally:
        party.members.discard(socket)


if __name__ == "__main__":
    serve(app)
