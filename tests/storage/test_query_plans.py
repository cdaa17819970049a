"""What is asked every few seconds: no answer may take longer because the restaurant is older."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from comanda.actors.ports import SessionKey
from comanda.storage import forgetting, history, incidents, occupancy, sessions
from comanda.storage.inline import open_inline

from .house import NOW

OF_FEW_ORDERS = (
    "ix_order_journal_lock_ends_at",
    "ix_order_journal_unsettled",
    "uq_order_journal_in_flight",
)
"""Partial indexes of the journal, which hold what has no outcome yet."""

ONE_RESTAURANTS = "sqlite_autoindex_order_journal_2 (restaurant_id=?"
"""The index of order numbers, from whichever on: all that a restaurant was ever ordered."""


def plan_of(ask: Callable[[Connection], object]) -> list[str]:
    """The steps in which SQLite answers each question of `ask`."""
    asked: list[tuple[str, Any]] = []
    with open_inline() as store:
        connection = store._connection

        @event.listens_for(connection, "before_cursor_execute")
        def note(_c: Any, _cursor: Any, statement: str, given: Any, *_more: Any) -> None:
            if statement.startswith(("SELECT", "WITH")):
                asked.append((statement, given))

        ask(connection)
        return [
            row.detail
            for statement, given in tuple(asked)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
        ]


def reads_the_whole_journal(step: str) -> bool:
    if "order_journal" not in step:
        return False
    return ONE_RESTAURANTS in step or (
        step.startswith("SCAN") and not any(index in step for index in OF_FEW_ORDERS)
    )


@pytest.mark.parametrize(
    "ask",
    [
        incidents.standing,
        lambda c: incidents.waiting_for_staff(c, 10),
        lambda c: incidents.voids_due(c, NOW, 10),
        lambda c: sessions.overdue_orders(c, NOW, 10),
        sessions.unsettled_sessions,
        lambda c: sessions.claimed_since(c, [(SessionKey(7, "S1"), 1)]),
        lambda c: forgetting.forget_closed(c, NOW, NOW, 10),
        lambda c: forgetting.forget_session(c, SessionKey(7, "S1"), NOW),
        lambda c: forgetting._forget(c, ["S1", "S2"], NOW),
        lambda c: occupancy.open_tables(c, 7),
        lambda c: history.orders_page(c, 7, ("needs_staff",), None, 10),
        lambda c: history.orders_page(c, 7, ("needs_staff", "unknown"), None, 10),
        lambda c: history.orders_page(c, 7, ("needs_staff", "unknown"), "bjk", 10),
        lambda c: history.orders_page(c, 7, (), None, 10, with_incidents=True),
    ],
    ids=[
        "what stands",
        "orders for the staff",
        "voids",
        "locks",
        "orders in flight",
        "claims",
        "guests to be forgotten",
        "a session to be forgotten",
        "what its guests have ordered",
        "tables",
        "a page of what waits",
        "a page of what has no outcome",
        "its next page",
        "a page of incidents",
    ],
)
def test_what_is_asked_again_and_again_never_reads_the_whole_journal(
    ask: Callable[[Connection], object],
) -> None:
    steps = plan_of(ask)
    assert steps
    assert not [step for step in steps if reads_the_whole_journal(step)], steps
