"""The cart service that one writes first: FastAPI, uvicorn with uvloop, a lock a table, carts in memory.

What it does not do: a restart loses every cart; nobody is asked who they are; a command that is sent
twice is done twice; nothing is acknowledged; fields are not checked; a member who reads slowly, or is
gone without a word, holds up the whole table; nothing is bounded; there are no orders.

With the word `older` it uses uvicorn's older implementation of websockets, which was the default for years
and takes more CPU; else the one that is the default now.
"""

import asyncio
import json
import sys
from collections import defaultdict

from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from .cart import Cart
from .listening import serve


class Table:
    """A cart, its lock, and who is connected."""

    def __init__(self) -> None:
        self.cart = Cart()
        self.lock = asyncio.Lock()
        self.members: set[WebSocket] = set()


app = FastAPI()
tables: dict[int, Table] = defaultdict(Table)


@app.websocket("/ws/tables/{number}")
async def attend(socket: WebSocket, number: int) -> None:
    """One member, from their join until they leave."""
    await socket.accept()
    name = (await socket.receive_json())["token"]
    table = tables[number]
    async with table.lock:
        await socket.send_text(table.cart.snapshot())
        table.members.add(socket)
    try:
        while True:
            edit = json.loads(await socket.receive_text())
            async with table.lock:
                event = table.cart.adopt(table.cart.edited(edit), name)
                for member in list(table.members):
                    await member.send_text(event)
    except WebSocketDisconnect:
        pass
    finally:
        table.members.discard(socket)


if __name__ == "__main__":
    serve(app, "websockets" if "older" in sys.argv else "auto")
