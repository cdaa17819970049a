"""What storage holds when its server is dead: a copy of its files, looked at apart from them.

The copy is opened, not the database: its log must be there for the next server to recover from.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from comanda.pos.simulator.entries import Books
from comanda.pos.simulator.ledger import read_ledger

from .state import cart_digest

FILES = ("", "-wal")
"""Of a database that nobody has open; the third, `-shm`, is made anew from the log."""

IN_FLIGHT = ("prepared", "sent", "unknown")


class SessionRow(Struct, frozen=True, gc=False):
    """One of `dining_sessions`. `cart`: its `cart_digest`, from its rows."""

    pid: str
    epoch: int
    seq: int
    closed: bool
    cart: str


class LineRow(Struct, frozen=True, gc=False):
    """One of `cart_items`."""

    session: str
    public_id: str
    menu_item_id: int
    qty: int
    note: str
    price_minor: int
    state: str
    order_id: str | None
    removed: bool


class OrderRow(Struct, frozen=True):
    """One of `order_journal`. `lines`: public id, quantity and price of each."""

    order_id: str
    session: str
    state: str
    placed_by: str
    instructions: str
    payload: bytes
    total_minor: int
    lock_ends_at: float
    decided_by: str | None
    lines: tuple[tuple[str, int, int], ...]


class Sample(Struct):
    """Storage after the server's life `life`, at the moment `at`. `faults`: of the integrity check."""

    at: float
    life: int
    faults: list[str]
    sessions: dict[str, SessionRow]
    lines: dict[tuple[str, str], LineRow]
    orders: dict[str, OrderRow]
    confirmed: dict[str, tuple[tuple[str, int, int], ...]]
    """The history: confirmed orders, and their lines as in `OrderRow`."""
    confirmed_totals: dict[str, int]
    incidents: set[str]
    """Orders of which one is on record: the POS has contradicted itself."""


def copy_files(database: Path, to: Path) -> Path:
    """Copy a database that no process has open; the copy's path."""
    to.mkdir(parents=True, exist_ok=True)
    for ending in FILES:
        source, target = Path(f"{database}{ending}"), to / f"{database.name}{ending}"
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, target)
    (to / f"{database.name}-shm").unlink(missing_ok=True)
    return to / database.name


def read_sample(copy: Path, at: float, life: int) -> Sample:
    """Check the copy's integrity and read it. Columns and tables that are not named here do not matter."""
    with closing(sqlite3.connect(copy)) as database:
        database.row_factory = sqlite3.Row
        faults = [row[0] for row in database.execute("PRAGMA integrity_check")]
        faults += [
            f"foreign key of {row[0]}" for row in database.execute("PRAGMA foreign_key_check")
        ]
        orders = {row["order_id"]: _order(row) for row in _all(database, "order_journal")}
        rows = _all(database, "cart_items ORDER BY session_pid, position")
        lines = {(row["session_pid"], row["public_id"]): _line(row) for row in rows}
        confirmed: dict[str, list[tuple[str, int, int]]] = {}
        for row in _all(database, "order_lines ORDER BY order_id, number"):
            line = (row["public_id"], row["qty"], row["price_minor"])
            confirmed.setdefault(row["order_id"], []).append(line)
        incidents = {row["order_id"] for row in _all(database, "incidents")}
        totals = {row["order_id"]: row["total_minor"] for row in _all(database, "orders")}
        carts = _carts(lines, orders)
        empty = cart_digest((), 0, None, ())
        sessions = {
            row["pid"]: SessionRow(
                row["pid"],
                row["epoch"],
                row["seq"],
                row["closed_reason"] is not None,
                carts.get(row["pid"], empty),
            )
            for row in _all(database, "dining_sessions")
        }
    return Sample(
        at,
        life,
        [fault for fault in faults if fault != "ok"],
        sessions,
        lines,
        orders,
        {order_id: tuple(confirmed.get(order_id, ())) for order_id in totals},
        totals,
        incidents,
    )


def unsettled_orders(database: Path) -> list[str]:
    """Orders without an outcome, with their state, in a database that is being served."""
    uri = f"{database.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
        query = "SELECT order_id, state FROM order_journal WHERE settled_at IS NULL"
        return [f"{order_id} {state}" for order_id, state in connection.execute(query)]


def unsettled_at_pos(ledger: Path) -> list[str]:
    """What the POS will still do by itself: settle what is due later, and tell of it."""
    books = Books(read_ledger(ledger)[0])
    due = [f"{one.key} is due at the POS" for one in books.outcomes.values() if one.due_at]
    return due + [f"{one.key} is to be called back for" for one in books.owed.values()]


def _all(database: sqlite3.Connection, what: str) -> sqlite3.Cursor:
    return database.execute(f"SELECT * FROM {what}")


def _line(row: sqlite3.Row) -> LineRow:
    return LineRow(
        row["session_pid"],
        row["public_id"],
        row["menu_item_id"],
        row["qty"],
        row["note"],
        row["price_minor"],
        row["state"],
        row["order_id"],
        bool(row["removed"]),
    )


def _order(row: sqlite3.Row) -> OrderRow:
    lines: list[dict[str, Any]] = msgspec.json.decode(row["lines"])
    return OrderRow(
        row["order_id"],
        row["session_pid"],
        row["state"],
        row["placed_by"],
        row["special_instructions"],
        bytes(row["payload"]),
        row["total_minor"],
        row["lock_ends_at"] / 1e6,
        row["decided_by"],
        tuple((line["public_id"], line["qty"], line["price_minor"]) for line in lines),
    )


def _carts(lines: dict[tuple[str, str], LineRow], orders: dict[str, OrderRow]) -> dict[str, str]:
    """Each session's `cart_digest`: free lines, and those that its order in flight holds."""
    pending = {one.session: one.order_id for one in orders.values() if one.state in IN_FLIGHT}
    in_doubt: dict[str, list[str]] = {}
    for order in orders.values():
        if order.state == "needs_staff":
            in_doubt.setdefault(order.session, []).append(order.order_id)
    carts: dict[str, list[LineRow]] = {}
    for line in lines.values():
        free = line.state == "pending" and not line.removed
        if free or (line.state == "locked" and line.order_id == pending.get(line.session)):
            carts.setdefault(line.session, []).append(line)
    return {
        session: cart_digest(
            [(one.public_id, one.menu_item_id, one.qty, one.note, one.state) for one in cart],
            sum(one.qty * one.price_minor for one in cart),
            pending.get(session),
            in_doubt.get(session, ()),
        )
        for session in {*carts, *pending, *in_doubt}
        for cart in [carts.get(session, [])]
    }
