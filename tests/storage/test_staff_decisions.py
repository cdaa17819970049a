"""What the staff have decided, in storage: who, when, why, and under a schema that was there before."""

import sqlite3
from datetime import timedelta
from typing import Literal

import pytest
from alembic import command
from sqlalchemy import text

from comanda.actors.domain.inputs import CallStarting, LockEnded, StaffResolved
from comanda.actors.ports import SessionKey, Store
from comanda.storage.engines import sync_engine
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import make_ready, migration_config
from comanda.storage.rows import micros

from .house import LOCK_LIMIT_SECONDS, NOW, Party, key_of, seat

AFTER_THE_LOCK = timedelta(seconds=LOCK_LIMIT_SECONDS + 1)
ORDER_ID = "ORD-7-1"
DECIDED = "SELECT state, decided_by, decided_reason, settled_at FROM order_journal"


async def with_staff(store: Store) -> Party:
    """A party whose order was left to the staff."""
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    await store.commit(party.calls())
    party.now += AFTER_THE_LOCK
    await store.commit(party.decided(LockEnded(ORDER_ID)))
    return party


def decides(outcome: Literal["confirmed", "rejected"]) -> StaffResolved:
    return StaffResolved(ORDER_ID, outcome, "A-1", "Asked Luca", "restaurant 7's staff")


def journal(url: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return connection.execute(DECIDED).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
async def test_the_journal_says_who_decided_when_and_why(
    store: Store, url: str, outcome: Literal["confirmed", "rejected"]
) -> None:
    party = await with_staff(store)
    assert journal(url) == [("needs_staff", None, None, None)]
    await store.commit(party.decided(decides(outcome)))
    by, why = "restaurant 7's staff", "Asked Luca"
    assert journal(url) == [(outcome, by, why, micros(party.now))]
    assert (await store.activate(key_of(party.session))).session == party.session
    (listed,) = (await store.orders(7, [outcome], None, 10)).orders
    assert (listed.order_id, listed.pos_reference) == (ORDER_ID, "A-1")
    history = await store.confirmed_orders("S1")
    assert [one.order_id for one in history] == ([ORDER_ID] if outcome == "confirmed" else [])


@pytest.mark.parametrize("outcome", ["confirmed", "rejected"])
async def test_the_end_of_a_lock_and_the_staffs_decision_may_be_one_unit(
    store: Store, url: str, outcome: Literal["confirmed", "rejected"]
) -> None:
    party = await seat(store)
    await store.commit(party.arrives())
    await store.commit(party.adds())
    await store.commit(party.orders(await store.reserve_order_number(7)))
    party.now += timedelta(seconds=1)
    calls = CallStarting(ORDER_ID)
    await store.commit(party.decided(calls))
    party.now += AFTER_THE_LOCK
    await store.commit(party.decided(LockEnded(ORDER_ID), decides(outcome)))
    assert [row[:3] for row in journal(url)] == [(outcome, "restaurant 7's staff", "Asked Luca")]
    assert (await store.activate(key_of(party.session))).session == party.session


async def test_an_order_is_found_by_its_id(store: Store) -> None:
    party = await with_staff(store)
    assert await store.find_order(ORDER_ID) == (SessionKey(7, "S1"), "needs_staff")
    await store.commit(party.decided(decides("rejected")))
    assert await store.find_order(ORDER_ID) == (SessionKey(7, "S1"), "rejected")
    for nobodys in ("ORD-7-2", "ord-7-1", "", "\0", "ORD-7-1'--"):
        assert await store.find_order(nobodys) is None


def test_a_database_of_the_first_schema_keeps_its_orders_and_takes_decisions() -> None:
    engine = sync_engine("sqlite://", StoreLimits())
    with engine.connect() as connection:
        with connection.begin():
            command.upgrade(migration_config(connection), "0001")
            for statement in (
                "INSERT INTO restaurants VALUES (7, 'Trattoria', 'INR', 2, NULL, 1, 'd')",
                "INSERT INTO tables VALUES ('T1', 7, 'Table 1', 0, TRUE)",
                "INSERT INTO dining_sessions VALUES ('S1', 7, 'T1', 'Table 1', 'INR', 2, 1, 1, 5, 5,"
                " 3, NULL, NULL)",
                "INSERT INTO order_journal VALUES ('ORD-7-1', 7, 1, 'S1', 'Table 1', 'needs_staff',"
                f" 'm', 'Ana', {micros(NOW)}, 2, '[]', 0, 'INR', 2, '', x'7b7d', 3, FALSE, NULL,"
                " NULL, NULL, NULL, FALSE)",
                "INSERT INTO pos_attempts VALUES ('ORD-7-1', 1, 1, NULL, NULL)",
            ):
                connection.execute(text(statement))
        make_ready(connection)
        assert connection.execute(text(DECIDED)).all() == [("needs_staff", None, None, None)]
        connection.execute(
            text(
                "UPDATE order_journal SET state = 'rejected', settled_at = 9, decided_by = 'staff',"
                " decided_reason = 'Gone'"
            )
        )
        assert connection.execute(text(DECIDED)).all() == [("rejected", "staff", "Gone", 9)]
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        connection.rollback()
    engine.dispose()
