"""The database refuses illegal writes by itself, tried in plain SQL."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from comanda.actors.domain.messages import OrderStateName
from comanda.actors.domain.order import ORDER_TRANSITIONS
from comanda.storage.engines import sync_engine
from comanda.storage.limits import StoreLimits
from comanda.storage.opening import make_ready

STATES: tuple[OrderStateName, ...] = tuple(ORDER_TRANSITIONS)

GROUND = """
INSERT INTO restaurants VALUES (7, 'Trattoria', 'INR', 2, NULL, 0, 'd');
INSERT INTO tables VALUES ('T1', 7, 'Table 1', 0, TRUE);
INSERT INTO dining_sessions SELECT 'S1', 7, 'T1', 'T', 'INR', 2, 1, 1, 5, 5, 3, NULL, NULL, NULL, NULL, NULL;
"""


@pytest.fixture
def sql() -> Iterator[Connection]:
    """A database with one dining session, in a transaction that is never committed."""
    engine = sync_engine("sqlite://", StoreLimits())
    with engine.connect() as connection:
        make_ready(connection)
        connection.begin()
        for statement in GROUND.strip().splitlines():
            connection.execute(text(statement))
        yield connection
        connection.rollback()
    engine.dispose()


def journal(sql: Connection, number: int, *way: OrderStateName, session: str = "S1") -> str:
    """An order of the session, moved on through `way`."""
    order_id = f"ORD-7-{number}"
    sql.execute(
        text(
            "INSERT INTO order_journal (order_id, restaurant_id, order_number, session_pid,"
            " table_label, state, placed_by, placed_by_name, placed_at, lock_ends_at, lines,"
            " total_minor, currency, minor_digits, special_instructions, payload, attempt,"
            " taken_by_pos, allow_retry) VALUES (:id, 7, :number, :session, 'Table 1', 'prepared',"
            " 'm', 'Ana', 1, 2, '[]', 1250, 'INR', 2, '', :payload, 0, FALSE, FALSE)"
        ),
        {"id": order_id, "number": number, "session": session, "payload": b"{}"},
    )
    for state in way:
        move(sql, order_id, state)
    return order_id


def move(sql: Connection, order_id: str, state: OrderStateName) -> None:
    settled = 9 if state in ("confirmed", "rejected") else None
    sql.execute(
        text("UPDATE order_journal SET state = :state, settled_at = :at WHERE order_id = :id"),
        {"state": state, "at": settled, "id": order_id},
    )


def line(sql: Connection, public_id: str = "L1", state: str = "pending", qty: int = 2) -> None:
    sql.execute(
        text(
            "INSERT INTO cart_items VALUES ('S1', :id, 0, 456, 'Margherita', 62500, :qty, '',"
            " TRUE, 'm', :state, NULL, FALSE)"
        ),
        {"id": public_id, "qty": qty, "state": state},
    )


def set_line(sql: Connection, what: str) -> None:
    sql.execute(text(f"UPDATE cart_items SET {what} WHERE public_id = 'L1'"))


def refused(sql: Connection, statement: str, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        sql.execute(text(statement))


WAYS: dict[OrderStateName, tuple[OrderStateName, ...]] = {
    "prepared": (),
    "sent": ("sent",),
    "unknown": ("sent", "unknown"),
    "needs_staff": ("sent", "unknown", "needs_staff"),
    "confirmed": ("sent", "confirmed"),
    "rejected": ("rejected",),
}


@pytest.mark.parametrize("was", STATES)
@pytest.mark.parametrize("now", STATES)
def test_an_order_moves_as_the_domains_table_says_and_no_otherwise(
    sql: Connection, was: OrderStateName, now: OrderStateName
) -> None:
    order_id = journal(sql, 1, *WAYS[was])
    stays = was == now and was not in ("confirmed", "rejected")
    if now in ORDER_TRANSITIONS[was] or stays:
        move(sql, order_id, now)
    else:
        with pytest.raises(IntegrityError, match="no move of an order"):
            move(sql, order_id, now)


def test_an_order_begins_prepared(sql: Connection) -> None:
    journal(sql, 1, "rejected")
    refused(
        sql,
        "INSERT INTO order_journal SELECT 'ORD-7-2', restaurant_id, 2, session_pid, table_label,"
        " 'sent', placed_by, placed_by_name, placed_at, lock_ends_at, lines, total_minor, currency,"
        " minor_digits, special_instructions, payload, 0, FALSE, NULL, NULL, NULL, NULL, FALSE,"
        " NULL, NULL, FALSE, NULL FROM order_journal",
        "an order begins prepared",
    )


@pytest.mark.parametrize(
    "what",
    ["payload = x'00'", "total_minor = 1", "lines = '[1]'", "order_id = 'ORD-7-9'"],
)
def test_an_orders_key_lines_total_and_payload_never_change(sql: Connection, what: str) -> None:
    journal(sql, 1)
    refused(sql, f"UPDATE order_journal SET {what}", "never change")


def test_a_settled_order_is_final(sql: Connection) -> None:
    journal(sql, 1, "rejected")
    refused(sql, "UPDATE order_journal SET error = 'x'", "no move of an order")


@pytest.mark.parametrize("state", ["confirmed", "rejected"])
def test_the_staffs_decision_says_who_and_why_with_the_outcome(
    sql: Connection, state: OrderStateName
) -> None:
    journal(sql, 1, *WAYS["needs_staff"])
    why = "only a settled order was decided by the staff"
    both = "decided_by = 'staff', decided_reason = 'Asked'"
    settled = f"state = '{state}', settled_at = 9"
    refused(sql, f"UPDATE order_journal SET {both}", why)
    for half in both.split(", "):
        refused(sql, f"UPDATE order_journal SET {settled}, {half}", why)
    sql.execute(text(f"UPDATE order_journal SET {settled}, {both}"))
    refused(sql, "UPDATE order_journal SET decided_by = 'x'", "no move of an order")


@pytest.mark.parametrize("way", [(), ("sent",), ("sent", "unknown")])
def test_a_session_has_one_order_in_flight(
    sql: Connection, way: tuple[OrderStateName, ...]
) -> None:
    journal(sql, 1, *way)
    with pytest.raises(IntegrityError, match=r"order_journal\.session_pid"):
        journal(sql, 2)


def test_a_session_may_order_again_beside_an_order_left_to_the_staff(sql: Connection) -> None:
    journal(sql, 1, "sent", "unknown", "needs_staff")
    journal(sql, 2)


def test_an_order_number_is_used_once_and_names_the_order(sql: Connection) -> None:
    journal(sql, 1, "rejected")
    with pytest.raises(IntegrityError, match="order_journal"):
        journal(sql, 1)
    refused(
        sql,
        "INSERT INTO order_journal SELECT 'ORD-7-5', restaurant_id, 4, session_pid, table_label,"
        " 'prepared', placed_by, placed_by_name, placed_at, lock_ends_at, lines, total_minor,"
        " currency, minor_digits, special_instructions, payload, 0, FALSE, NULL, NULL, NULL, NULL,"
        " FALSE, NULL, NULL, FALSE, NULL FROM order_journal",
        "ck_order_journal_order_id",
    )


def test_the_journal_forgets_nothing(sql: Connection) -> None:
    journal(sql, 1)
    sql.execute(text("INSERT INTO pos_attempts VALUES ('ORD-7-1', 1, 5, NULL, NULL)"))
    refused(sql, "DELETE FROM pos_attempts", "every attempt")
    refused(sql, "DELETE FROM order_journal", "keeps every order")
    refused(
        sql,
        "INSERT OR REPLACE INTO order_journal SELECT * FROM order_journal",
        "keeps every order",
    )


@pytest.mark.parametrize("state", ["locked", "ordered"])
def test_a_line_begins_pending(sql: Connection, state: str) -> None:
    with pytest.raises(IntegrityError, match="begins pending"):
        line(sql, state=state)


@pytest.mark.parametrize("qty", [0, 100, -1])
def test_a_quantity_is_one_to_ninety_nine(sql: Connection, qty: int) -> None:
    with pytest.raises(IntegrityError, match="ck_cart_items_qty"):
        line(sql, qty=qty)


def test_a_price_is_not_negative(sql: Connection) -> None:
    line(sql)
    refused(sql, "UPDATE cart_items SET price_minor = -1", "ck_cart_items_price")


def test_a_pending_line_is_not_ordered_at_once(sql: Connection) -> None:
    line(sql)
    journal(sql, 1, "sent", "confirmed")
    refused(sql, "UPDATE cart_items SET state = 'ordered', order_id = 'ORD-7-1'", "no move")


def test_a_line_is_locked_by_an_order_of_its_own_session_only(sql: Connection) -> None:
    line(sql)
    refused(sql, "UPDATE cart_items SET state = 'locked'", "no move")
    refused(sql, "UPDATE cart_items SET state = 'locked', order_id = 'ORD-7-1'", "no move")
    sql.execute(text("INSERT INTO tables VALUES ('T2', 7, 'Table 2', 1, TRUE)"))
    sql.execute(
        text(
            "INSERT INTO dining_sessions VALUES"
            " ('S2', 7, 'T2', 'Table 2', 'INR', 2, 1, 1, 0, 0, 0, NULL, NULL, NULL, NULL, NULL)"
        )
    )
    journal(sql, 1, session="S2")
    refused(sql, "UPDATE cart_items SET state = 'locked', order_id = 'ORD-7-1'", "no move")


def locked(sql: Connection) -> str:
    line(sql)
    order_id = journal(sql, 1)
    set_line(sql, f"state = 'locked', order_id = '{order_id}'")
    return order_id


@pytest.mark.parametrize("way", [(), ("sent",), ("sent", "unknown"), ("rejected",)])
def test_a_line_is_ordered_only_when_its_order_is_confirmed(
    sql: Connection, way: tuple[OrderStateName, ...]
) -> None:
    order_id = locked(sql)
    for state in way:
        move(sql, order_id, state)
    refused(sql, "UPDATE cart_items SET state = 'ordered'", "not in the state for it")


@pytest.mark.parametrize("way", [(), ("sent",), ("sent", "unknown"), ("sent", "confirmed")])
def test_a_line_is_freed_only_when_its_order_is_rejected(
    sql: Connection, way: tuple[OrderStateName, ...]
) -> None:
    order_id = locked(sql)
    for state in way:
        move(sql, order_id, state)
    refused(
        sql, "UPDATE cart_items SET state = 'pending', order_id = NULL", "not in the state for it"
    )


def test_a_line_goes_its_whole_way(sql: Connection) -> None:
    order_id = locked(sql)
    move(sql, order_id, "rejected")
    set_line(sql, "state = 'pending', order_id = NULL")
    set_line(sql, "qty = 3")
    again = journal(sql, 2)
    set_line(sql, f"state = 'locked', order_id = '{again}'")
    move(sql, again, "sent")
    move(sql, again, "confirmed")
    set_line(sql, "state = 'ordered'")
    refused(sql, "UPDATE cart_items SET state = 'pending', order_id = NULL", "no move")


@pytest.mark.parametrize("what", ["qty = 3", "price_minor = 1", "note = 'x'", "name = 'x'"])
@pytest.mark.parametrize("confirmed", [False, True])
def test_a_line_that_an_order_holds_does_not_change(
    sql: Connection, what: str, confirmed: bool
) -> None:
    order_id = locked(sql)
    if confirmed:
        move(sql, order_id, "sent")
        move(sql, order_id, "confirmed")
        set_line(sql, "state = 'ordered'")
    refused(sql, f"UPDATE cart_items SET {what}", "only while it is pending")
    refused(sql, "UPDATE cart_items SET removed = TRUE", "only a pending cart line is removed")
    refused(sql, "DELETE FROM cart_items", "never deleted")
    refused(
        sql,
        "INSERT OR REPLACE INTO cart_items SELECT session_pid, public_id, position, menu_item_id,"
        " name, price_minor, 9, note, available, added_by, 'pending', NULL, FALSE FROM cart_items",
        "never deleted",
    )


def test_a_held_line_stays_with_its_order(sql: Connection) -> None:
    locked(sql)
    sql.execute(text("UPDATE order_journal SET state = 'rejected', settled_at = 1"))
    other = journal(sql, 2)
    refused(sql, f"UPDATE cart_items SET order_id = '{other}'", "no move")


def test_a_removed_line_comes_back_never(sql: Connection) -> None:
    line(sql)
    set_line(sql, "removed = TRUE")
    journal(sql, 1)
    refused(sql, "UPDATE cart_items SET removed = FALSE", "for good")
    refused(sql, "UPDATE cart_items SET qty = 4", "in the cart")
    refused(sql, "UPDATE cart_items SET state = 'locked', order_id = 'ORD-7-1'", "no move")
    with pytest.raises(IntegrityError):
        line(sql)


@pytest.mark.parametrize("what", ["public_id = 'L2'", "menu_item_id = 1", "added_by = 'x'"])
def test_a_lines_identity_never_changes(sql: Connection, what: str) -> None:
    line(sql)
    refused(sql, f"UPDATE cart_items SET {what}", "identity")


def test_epoch_and_seq_never_go_back(sql: Connection) -> None:
    refused(sql, "UPDATE dining_sessions SET epoch = 4", "never go back")
    refused(sql, "UPDATE dining_sessions SET seq = 4", "never go back")
    refused(sql, "DELETE FROM dining_sessions", "never deleted")
    refused(sql, "UPDATE dining_sessions SET currency = 'EUR'", "never changes")


def test_a_table_has_one_open_session_and_a_closed_one_stays_closed(sql: Connection) -> None:
    second = (
        "INSERT INTO dining_sessions VALUES"
        " ('S2', 7, 'T1', 'Table 1', 'INR', 2, 1, 1, 0, 0, 0, NULL, NULL, NULL, NULL, NULL)"
    )
    refused(sql, second, "dining_sessions.table_code")
    sql.execute(text("UPDATE dining_sessions SET closed_reason = 'staff'"))
    refused(sql, "UPDATE dining_sessions SET closed_reason = NULL", "stays closed")
    sql.execute(text(second))


def test_order_numbers_never_go_back(sql: Connection) -> None:
    sql.execute(text("UPDATE restaurants SET last_order_number = 5"))
    refused(sql, "UPDATE restaurants SET last_order_number = 4", "never go back")


def history(sql: Connection, *, total_minor: int = 1250) -> str:
    return (
        "INSERT INTO orders SELECT order_id, restaurant_id, order_number, session_pid, table_label,"
        f" placed_by, placed_by_name, placed_at, 9, {total_minor}, currency, minor_digits, '', 'r'"
        " FROM order_journal"
    )


def order_line(price_minor: int, number: int = 0) -> str:
    return (
        f"INSERT INTO order_lines VALUES ('ORD-7-1', {number}, 'L1', 456, 'Margherita', 2,"
        f" {price_minor}, '', 'm', 'Ana')"
    )


def test_the_history_holds_confirmed_orders_only(sql: Connection) -> None:
    order_id = journal(sql, 1, "sent")
    sql.execute(text(order_line(625)))
    refused(sql, history(sql), "confirmed orders only")
    move(sql, order_id, "confirmed")
    refused(sql, history(sql, total_minor=1), "history holds|sum of its lines")
    sql.execute(text(history(sql)))


def test_an_orders_total_is_the_sum_of_its_lines(sql: Connection) -> None:
    journal(sql, 1, "sent", "confirmed")
    refused(sql, history(sql), "sum of its lines")
    sql.execute(text(order_line(624)))
    refused(sql, history(sql), "sum of its lines")


def test_the_history_never_changes(sql: Connection) -> None:
    journal(sql, 1, "sent", "confirmed")
    sql.execute(text(order_line(625)))
    sql.execute(text(history(sql)))
    refused(sql, order_line(1, number=1), "all its lines already")
    for table in ("orders", "order_lines"):
        refused(sql, f"DELETE FROM {table}", "never changes")
    refused(sql, "UPDATE orders SET total_minor = 0", "never changes")
    refused(sql, "UPDATE order_lines SET qty = 1", "never changes")


def test_a_remembered_request_lies_in_its_slot(sql: Connection) -> None:
    sql.execute(text("INSERT INTO requests VALUES ('S1', 'm', 1, 257, 'r', x'00', 3)"))
    refused(
        sql, "INSERT INTO requests VALUES ('S1', 'm', 2, 257, 'r', x'00', 3)", "ck_requests_slot"
    )


def test_rows_of_nobody_are_refused(sql: Connection) -> None:
    refused(
        sql,
        "INSERT INTO members VALUES ('nobody', 'm', 0, 'Ana', 1)",
        "FOREIGN KEY",
    )
