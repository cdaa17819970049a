"""Fills a database with dining sessions, written as rows: an evening of them would take hours to play."""

import time
from pathlib import Path

from sqlalchemy import insert

from comanda.actors.ports import SessionKey
from comanda.storage.engines import sync_engine
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import open_database
from comanda.storage.tables import (
    cart_items,
    dining_sessions,
    members,
    menu_items,
    restaurants,
    tables,
)

RESTAURANT = 9000
"""Not one of a menu file that a benchmark serves: its tables are on record and not listed."""

AT_ONCE = 5_000
"""Sessions a statement."""

MEMBERS = 4
LINES = 4


def fill(database: Path, sessions: int, *, closed_every: int = 0) -> list[SessionKey]:
    """Make a database with so many sessions, each of four members and four lines.

    Args:
        closed_every: every so many sessions one is over; 0: all are open.

    Returns:
        The keys of all of them.
    """
    url = open_database(f"sqlite:///{database}")
    engine = sync_engine(url, StoreLimits())
    now = time.time_ns() // 1000
    keys = [SessionKey(RESTAURANT, f"session_full_{number:08}") for number in range(sessions)]
    with engine.begin() as connection:
        connection.execute(insert(restaurants), _restaurant())
        connection.execute(insert(menu_items), _dish())
        for first in range(0, sessions, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, sessions))
            pids = [keys[number].pid for number in numbers]
            connection.execute(insert(tables), [_table(number) for number in numbers])
            over = [bool(closed_every) and number % closed_every == 0 for number in numbers]
            rows = [_session(*each, now) for each in zip(numbers, pids, over, strict=True)]
            connection.execute(insert(dining_sessions), rows)
            rows = [_member(pid, number, now) for pid in pids for number in range(MEMBERS)]
            connection.execute(insert(members), rows)
            rows = [_line(pid, number) for pid in pids for number in range(LINES)]
            connection.execute(insert(cart_items), rows)
    engine.dispose()
    return keys


Row = dict[str, object]


def _restaurant() -> Row:
    return {
        "restaurant_id": RESTAURANT,
        "name": "Full house",
        "currency": "INR",
        "minor_digits": 2,
        "menu_digest": "",
    }


def _dish() -> Row:
    return {
        "restaurant_id": RESTAURANT,
        "menu_item_id": 101,
        "position": 0,
        "section": "Pizza",
        "name": "Margherita",
        "description": "",
        "price_minor": 62500,
        "available": True,
    }


def _table(number: int) -> Row:
    return {
        "code": f"full-{number}",
        "restaurant_id": RESTAURANT,
        "label": f"T{number}",
        "position": number,
        "listed": True,
    }


def _session(number: int, pid: str, over: bool, now: int) -> Row:
    return {
        "pid": pid,
        "restaurant_id": RESTAURANT,
        "table_code": f"full-{number}",
        "table_label": f"T{number}",
        "currency": "INR",
        "minor_digits": 2,
        "opened_at": now,
        "updated_at": now,
        "epoch": 1,
        "seq": 8,
        "next_position": LINES,
        "last_order": None,
        "closed_reason": "The party has left" if over else None,
    }


def _member(pid: str, number: int, now: int) -> Row:
    return {
        "session_pid": pid,
        "member_id": f"member_{pid[-8:]}_{number}",
        "number": number,
        "name": f"Guest {number + 1}",
        "joined_at": now,
    }


def _line(pid: str, number: int) -> Row:
    return {
        "session_pid": pid,
        "public_id": f"line-{number}",
        "position": number,
        "menu_item_id": 101,
        "name": "Margherita",
        "price_minor": 62500,
        "qty": 2,
        "note": "",
        "available": True,
        "added_by": f"member_{pid[-8:]}_0",
        "state": "pending",
        "order_id": None,
        "removed": False,
    }
