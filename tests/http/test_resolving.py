"""The staff settle an order that was left to them, over real sockets."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from comanda.actors.domain.messages import MAX_REASON_CHARACTERS, MAX_REFERENCE_CHARACTERS

from .server import (
    HOUSE_TOKEN,
    LEMONADE,
    ORDER_FIELDS,
    STAFF_ORDER_FIELDS,
    Gate,
    Member,
    Phone,
    Server,
    TestPos,
    serving,
)
from .test_staff import two_restaurants

RESOLVE = "/api/orders/ORD-7-1/resolve"
CONFIRMED = {"outcome": "confirmed", "pos_reference": "A-1", "reason": "Asked Luca"}
REJECTED = {"outcome": "rejected", "reason": "Nobody has it"}

LOCK_LIMIT_SECONDS = 0.6
"""Short, and still enough for a busy disk: an order that is not sent by then fails instead of waiting."""


def decisions(folder: Path) -> list[tuple[object, ...]]:
    (database,) = folder.glob("*.db")
    connection = sqlite3.connect(database)
    try:
        return connection.execute("SELECT decided_by, decided_reason FROM order_journal").fetchall()
    finally:
        connection.close()


@asynccontextmanager
async def left_to_the_staff(
    folder: Path, table: str = "demo-1", item: int = LEMONADE, **given: Any
) -> AsyncIterator[tuple[Server, Member, Phone]]:
    """A server with one table, whose order got no answer before its lock ended."""
    pos = TestPos(Gate(), Gate())
    async with (
        serving(folder, pos, pos_timeout=0.2, lock_limit=LOCK_LIMIT_SECONDS, **given) as server,
        server.phone(ana := await server.join(table)) as phone,
    ):
        await phone.add(item)
        await phone.order()
        await phone.until("cart_unlocked")
        yield server, ana, phone


async def test_the_staff_confirm_an_order_and_its_table_hears_of_it(tmp_path: Path) -> None:
    async with left_to_the_staff(tmp_path) as (server, ana, phone):
        order = (await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=CONFIRMED)).json()
        assert order.keys() >= STAFF_ORDER_FIELDS
        assert (order["decided_by"], order["decided_reason"]) == (
            "the house's staff",
            CONFIRMED["reason"],
        )
        assert (order["state"], order["pos_reference"]) == ("confirmed", "A-1")
        assert order["confirmed_at"] is not None
        heard = await phone.until("order_confirmed", order_id="ORD-7-1")
        for_guests = {name: order[name] for name in ORDER_FIELDS | {"placed_by_name"}}
        assert heard["order"] == for_guests
        path = f"/api/sessions/{ana.pid}/orders"
        history = (await server.call("GET", path, token=ana.token)).json()["orders"]
        assert history == [for_guests]
        assert (await server.cart(ana))["orders_in_doubt"] == []


async def test_the_staff_cancel_an_order_and_its_lines_stay_away(tmp_path: Path) -> None:
    async with left_to_the_staff(tmp_path) as (server, ana, phone):
        order = (await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=REJECTED)).json()
        assert (order["state"], order["confirmed_at"]) == ("rejected", None)
        heard = await phone.until("order_failed", order_id="ORD-7-1")
        assert heard["allow_retry"] is False
        assert REJECTED["reason"] not in "".join(phone.texts)
        cart = await server.cart(ana)
        assert (cart["items"], cart["orders_in_doubt"]) == ([], [])
        assert (cart["order_processing_status"], cart["last_order"]) == ("idle", None)


async def test_the_journal_keeps_whose_staff_it_was_and_why(tmp_path: Path) -> None:
    async with left_to_the_staff(tmp_path) as (server, _, _phone):
        body = {**REJECTED, "reason": "  Nobody \n has it\x1b "}
        await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=body)
        assert decisions(tmp_path) == [("the house's staff", "Nobody has it")]


async def test_an_order_that_waits_for_nobody_is_a_conflict(tmp_path: Path) -> None:
    gate = Gate()
    async with (
        serving(tmp_path, TestPos(gate)) as server,
        server.phone(await server.join()) as phone,
    ):
        await phone.add()
        await phone.order()
        await phone.until("order_processing", stage="sent")
        await server.refused("conflict", 409, "POST", RESOLVE, token=HOUSE_TOKEN, json=CONFIRMED)


async def test_an_order_is_settled_once(tmp_path: Path) -> None:
    async with left_to_the_staff(tmp_path) as (server, _, _phone):
        await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=CONFIRMED)
        for body in (CONFIRMED, REJECTED):
            await server.refused("conflict", 409, "POST", RESOLVE, token=HOUSE_TOKEN, json=body)


async def test_only_the_staff_of_the_orders_restaurant_settle_it(tmp_path: Path) -> None:
    menu = two_restaurants(tmp_path)
    async with left_to_the_staff(tmp_path, "two-1", 1, menu=menu) as (server, ana, _phone):
        path = "/api/orders/ORD-2-1/resolve"
        refused = server.refused
        await refused("unauthorized", 401, "POST", path, json=CONFIRMED)
        await refused("unauthorized", 401, "POST", path, token="x", json=CONFIRMED)
        await refused("forbidden", 403, "POST", path, token=ana.token, json=CONFIRMED)
        await refused("forbidden", 403, "POST", path, token="token-of-one", json=CONFIRMED)
        await server.call("POST", path, token=HOUSE_TOKEN, json=CONFIRMED)


@pytest.mark.parametrize(
    "order_id", ["ORD-7-1", "ord", "ORD-7-1%00", "%F0%9F%8D%95", "x" * 65, "ORD-7-1%2F"]
)
async def test_an_unknown_order_is_not_found(server: Server, order_id: str) -> None:
    path = f"/api/orders/{order_id}/resolve"
    await server.refused("not_found", 404, "POST", path, token=HOUSE_TOKEN, json=CONFIRMED)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"outcome": "confirmed"},
        {"reason": "x"},
        {"outcome": "unknown", "reason": "x"},
        {"outcome": "confirmed", "reason": ""},
        {"outcome": "confirmed", "reason": " \n "},
        {"outcome": "confirmed", "reason": None},
        {"outcome": "confirmed", "reason": "x" * (MAX_REASON_CHARACTERS + 1)},
        {"outcome": "confirmed", "reason": "x", "pos_reference": ""},
        {"outcome": "confirmed", "reason": "x", "pos_reference": "\x1b"},
        {
            "outcome": "confirmed",
            "reason": "x",
            "pos_reference": "x" * (MAX_REFERENCE_CHARACTERS + 1),
        },
        {"outcome": "confirmed", "reason": "x", "pos_reference": 7},
        [],
    ],
)
async def test_a_bad_body_settles_nothing(tmp_path: Path, body: Any) -> None:
    async with left_to_the_staff(tmp_path) as (server, ana, _phone):
        await server.refused("bad_message", 400, "POST", RESOLVE, token=HOUSE_TOKEN, json=body)
        assert (await server.cart(ana))["orders_in_doubt"]


@pytest.mark.parametrize("reference", [None, "x" * MAX_REFERENCE_CHARACTERS])
async def test_the_longest_reason_is_taken_and_a_reference_may_be_null(
    tmp_path: Path, reference: str | None
) -> None:
    async with left_to_the_staff(tmp_path) as (server, _, _phone):
        body = {**CONFIRMED, "pos_reference": reference, "reason": "é" * MAX_REASON_CHARACTERS}
        order = (await server.call("POST", RESOLVE, token=HOUSE_TOKEN, json=body)).json()
        assert order["pos_reference"] == reference
