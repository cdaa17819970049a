import json
from datetime import timedelta
from typing import Any

import pytest

from comanda.actors.domain.messages import AddItem, RemoveItem, encode
from comanda.actors.domain.order import Accepted, Pending, PosOutcome, Rejected, Unknown

from .helpers import MARGHERITA, ATable

FIELDS = {
    "type",
    "session_pid",
    "seq",
    "items",
    "total",
    "currency",
    "cart_locked",
    "locked_by_member",
    "locked_by_name",
    "pending_order_id",
    "order_processing_status",
    "pending_order",
    "orders_in_doubt",
    "last_order",
    "members",
    "last_updated",
    "join_pin",
}
SPECIFIED = {
    "items",
    "total",
    "cart_locked",
    "pending_order_id",
    "order_processing_status",
    "last_updated",
}


def seen(table: ATable, *online: str) -> dict[str, Any]:
    """The snapshot as a client reads it."""
    shown = json.loads(encode(table.session.snapshot(frozenset(online))))
    assert isinstance(shown, dict)
    return shown


def a_table() -> ATable:
    table = ATable("Ana", "Ben")
    table.says(AddItem(MARGHERITA, 2, "Extra spicy", "x"), by="member_2")
    return table


def test_a_snapshot_has_the_fields_of_the_protocol_in_every_state() -> None:
    table = a_table()
    assert set(seen(table)) == FIELDS
    assert set(seen(table)) >= SPECIFIED
    table.places()
    assert set(seen(table)) == FIELDS


def test_an_empty_table_says_so() -> None:
    table = ATable("Ana")
    assert seen(table) == {
        "type": "cart_snapshot",
        "session_pid": "session_1",
        "seq": 1,
        "items": [],
        "total": 0.0,
        "currency": "INR",
        "cart_locked": False,
        "locked_by_member": None,
        "locked_by_name": None,
        "pending_order_id": None,
        "order_processing_status": "idle",
        "pending_order": None,
        "orders_in_doubt": [],
        "last_order": None,
        "members": [{"member_id": "member_1", "name": "Ana", "online": False}],
        "last_updated": "2024-01-15T10:30:00Z",
        "join_pin": None,
    }


def test_a_snapshot_shows_each_line_and_who_is_there() -> None:
    table = a_table()
    shown = seen(table, "member_2")
    assert shown["items"] == [
        {
            "public_id": "x",
            "menu_item_id": 456,
            "name": "Margherita",
            "unit_price": 625.0,
            "qty": 2,
            "note": "Extra spicy",
            "state": "pending",
            "available": True,
            "added_by": "member_2",
        }
    ]
    assert shown["total"] == 1250.0
    assert [member["online"] for member in shown["members"]] == [False, True]


def test_a_snapshot_shows_who_holds_the_lock_and_for_which_order() -> None:
    table = a_table()
    table.passes(1)
    table.places(by="member_1")
    shown = seen(table)
    assert shown["cart_locked"] is True
    assert (shown["locked_by_member"], shown["locked_by_name"]) == ("member_1", "Ana")
    assert shown["pending_order_id"] == "ORD-7-42"
    assert shown["order_processing_status"] == "processing"
    assert shown["pending_order"] == {
        "order_id": "ORD-7-42",
        "stage": "sent",
        "attempt": 0,
        "placed_by": "member_1",
        "placed_at": "2024-01-15T10:30:01Z",
        "lock_ends_at": "2024-01-15T10:31:01Z",
    }
    assert [item["state"] for item in shown["items"]] == ["locked"]
    assert shown["total"] == 1250.0
    table.sends()
    assert (seen(table)["pending_order"]["stage"], seen(table)["pending_order"]["attempt"]) == (
        "sent",
        1,
    )


@pytest.mark.parametrize(
    ("outcome", "stage"),
    [(Unknown("silence"), "unknown"), (Pending("K", None), "pending")],
)
def test_a_snapshot_tells_at_which_stage_the_order_is(outcome: PosOutcome, stage: str) -> None:
    table = a_table()
    table.places()
    table.sends()
    table.answers(outcome)
    shown = seen(table)
    assert shown["pending_order"]["stage"] == stage
    assert shown["order_processing_status"] == "processing"
    assert shown["cart_locked"] is True


def test_the_status_goes_from_idle_to_processing_to_confirmed_to_idle() -> None:
    table = a_table()
    statuses = [seen(table)["order_processing_status"]]
    table.places()
    statuses.append(seen(table)["order_processing_status"])
    table.sends()
    statuses.append(seen(table)["order_processing_status"])
    table.answers(Accepted("K"))
    shown = seen(table)
    statuses.append(shown["order_processing_status"])
    assert (shown["items"], shown["total"], shown["cart_locked"]) == ([], 0.0, False)
    assert (shown["pending_order"], shown["locked_by_member"]) == (None, None)
    assert shown["last_order"] == {
        "order_id": "ORD-7-42",
        "status": "confirmed",
        "error": None,
        "allow_retry": False,
        "placed_by": "member_1",
        "tries": 0,
        "special_instructions": "",
    }
    table.adds()
    statuses.append(seen(table)["order_processing_status"])
    assert statuses == ["idle", "processing", "processing", "confirmed", "idle"]
    assert seen(table)["last_order"] is None


def test_the_status_goes_from_failed_to_idle_at_the_next_edit() -> None:
    table = a_table()
    table.places(said="By the window")
    table.sends()
    table.answers(Rejected("unavailable", "POS system unavailable", True))
    shown = seen(table)
    assert shown["order_processing_status"] == "failed"
    assert [item["state"] for item in shown["items"]] == ["pending"]
    assert (shown["cart_locked"], shown["pending_order_id"]) == (False, None)
    assert shown["last_order"] == {
        "order_id": "ORD-7-42",
        "status": "failed",
        "error": "POS system unavailable",
        "allow_retry": True,
        "placed_by": "member_1",
        "tries": 1,
        "special_instructions": "By the window",
    }
    table.says(RemoveItem("x"))
    assert seen(table)["order_processing_status"] == "idle"


def test_an_order_again_goes_from_failed_to_processing() -> None:
    table = a_table()
    table.places()
    table.sends()
    table.answers(Rejected("unavailable", "POS system unavailable", True))
    table.places(by="member_2")
    shown = seen(table)
    assert shown["order_processing_status"] == "processing"
    assert (shown["locked_by_member"], shown["locked_by_name"]) == ("member_2", "Ben")


def test_with_an_order_at_the_staff_the_cart_is_open_and_nothing_is_pending() -> None:
    table = a_table()
    table.places()
    table.sends()
    table.lock_ends()
    shown = seen(table)
    assert shown["cart_locked"] is False
    assert shown["order_processing_status"] == "idle"
    for field in ("pending_order", "pending_order_id", "locked_by_member", "locked_by_name"):
        assert shown[field] is None
    assert (shown["items"], shown["total"], shown["last_order"]) == ([], 0.0, None)
    assert shown["orders_in_doubt"] == [
        {
            "order_id": "ORD-7-42",
            "stage": "needs_staff",
            "lines": [
                {
                    "public_id": "x",
                    "menu_item_id": 456,
                    "name": "Margherita",
                    "qty": 2,
                    "unit_price": 625.0,
                    "line_total": 1250.0,
                    "note": "Extra spicy",
                    "added_by": "Ben",
                }
            ],
        }
    ]
    table.answers(Accepted("K"), "ORD-7-42")
    shown = seen(table)
    assert (shown["orders_in_doubt"], shown["order_processing_status"]) == ([], "idle")


def test_a_late_outcome_leaves_the_status_of_the_next_round_alone() -> None:
    table = a_table()
    table.places()
    table.sends()
    table.lock_ends()
    table.adds()
    table.places()
    table.answers(Rejected("closed", "No", True), "ORD-7-42")
    shown = seen(table)
    assert shown["order_processing_status"] == "processing"
    assert shown["pending_order_id"] == "ORD-7-43"
    assert [item["state"] for item in shown["items"]] == ["locked"]


def test_a_snapshot_says_when_the_table_last_changed() -> None:
    table = a_table()
    table.now += timedelta(minutes=1, microseconds=500_000)
    table.adds()
    assert seen(table)["last_updated"] == "2024-01-15T10:31:00.500000Z"
    table.passes(600)
    assert seen(table)["last_updated"] == "2024-01-15T10:31:00.500000Z"
