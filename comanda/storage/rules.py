"""How rows may move, held by the database itself: triggers, written once and rendered for each engine.

The first line is the domain's own tables; these refuse what a wrong program, or a hand at a SQL prompt,
would do to them. A refusal is an `IntegrityError` whose text is the rule's sentence.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from comanda.actors.domain.order import ORDER_TRANSITIONS

from .rows import ORDER_FIXED, ORDER_MOVING
from .tables import UNSETTLED, order_lines, orders

A_GUEST = "a guest"
"""The name of whoever is forgotten, as people read it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`event` on `table` is refused where `refused_when` holds (SQL over OLD and NEW; "": always).

    With `columns` an UPDATE is looked at only if it sets one of them, which costs other ones nothing.
    """

    name: str
    table: str
    event: Literal["INSERT", "UPDATE", "DELETE"]
    sentence: str
    refused_when: str = ""
    columns: tuple[str, ...] = ()


_ORDER_MOVES = " OR ".join(
    f"(OLD.state = '{state}' AND NEW.state IN ({', '.join(repr(to) for to in sorted(leads_to))}))"
    for state, leads_to in ORDER_TRANSITIONS.items()
    if leads_to
)

_ORDER_OF_LINE = "EXISTS (SELECT 1 FROM order_journal WHERE order_id = {order_id} AND {that})"

_LINE_MOVES = " OR ".join(
    (
        "(OLD.state = 'pending' AND NEW.state = 'locked' AND NOT OLD.removed AND "
        + _ORDER_OF_LINE.format(
            order_id="NEW.order_id", that="order_journal.session_pid = NEW.session_pid"
        )
        + ")",
        "(OLD.state = 'locked' AND NEW.state = 'ordered' AND NEW.order_id = OLD.order_id AND "
        + _ORDER_OF_LINE.format(order_id="OLD.order_id", that="order_journal.state = 'confirmed'")
        + ")",
        "(OLD.state = 'locked' AND NEW.state = 'pending' AND "
        + _ORDER_OF_LINE.format(order_id="OLD.order_id", that="order_journal.state = 'rejected'")
        + ")",
    )
)

_FORGOTTEN = "EXISTS (SELECT 1 FROM dining_sessions WHERE pid = {pid} AND forgotten_at IS NOT NULL)"
_SESSION_FORGOTTEN = _FORGOTTEN.format(pid="OLD.session_pid")
_ORDERS_SESSION_FORGOTTEN = _FORGOTTEN.format(
    pid="(SELECT session_pid FROM order_journal WHERE order_id = OLD.order_id)"
)

_JOURNAL_WORDS = ("placed_by_name", "lines", "special_instructions", "payload")
_HISTORY_WORDS = ("placed_by_name", "special_instructions")
_LINE_WORDS = ("note", "added_by_name")
"""Columns of the journal, the history and its lines that go when their guests are forgotten."""


def _but(columns: Iterable[str], left_out: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(column for column in columns if column not in left_out)


RULES = (
    # --- restaurants and dining sessions
    Rule(
        "restaurants_number_back",
        "restaurants",
        "UPDATE",
        "order numbers never go back",
        "NEW.last_order_number < OLD.last_order_number",
        ("last_order_number",),
    ),
    Rule(
        "dining_sessions_back",
        "dining_sessions",
        "UPDATE",
        "epoch and seq never go back",
        "NEW.epoch < OLD.epoch OR NEW.seq < OLD.seq",
        ("epoch", "seq"),
    ),
    Rule(
        "dining_sessions_fixed",
        "dining_sessions",
        "UPDATE",
        "what a dining session was opened with never changes",
        columns=(
            "pid",
            "restaurant_id",
            "table_code",
            "table_label",
            "currency",
            "minor_digits",
            "opened_at",
        ),
    ),
    Rule(
        "dining_sessions_closed",
        "dining_sessions",
        "UPDATE",
        "a closed dining session stays closed",
        "OLD.closed_reason IS NOT NULL",
        ("closed_reason", "closed_at"),
    ),
    Rule(
        "dining_sessions_pin",
        "dining_sessions",
        "UPDATE",
        "a join PIN never changes, it only goes",
        "NEW.join_pin IS NOT NULL AND (OLD.join_pin IS NULL OR NEW.join_pin <> OLD.join_pin)",
        ("join_pin",),
    ),
    Rule(
        "dining_sessions_forgotten",
        "dining_sessions",
        "UPDATE",
        "guests are forgotten once, of a closed session whose orders all have an outcome",
        "OLD.forgotten_at IS NOT NULL OR NEW.closed_reason IS NULL OR EXISTS"
        f" (SELECT 1 FROM order_journal WHERE session_pid = OLD.pid AND {UNSETTLED})",
        ("forgotten_at",),
    ),
    Rule("dining_sessions_kept", "dining_sessions", "DELETE", "dining sessions are never deleted"),
    Rule(
        "members_name",
        "members",
        "UPDATE",
        "a member's name stays until it is forgotten",
        f"NEW.name <> '{A_GUEST}' OR NOT {_SESSION_FORGOTTEN}",
        ("name",),
    ),
    # --- cart lines
    Rule(
        "cart_items_first",
        "cart_items",
        "INSERT",
        "a cart line begins pending",
        "NEW.state <> 'pending'",
    ),
    Rule(
        "cart_items_moves",
        "cart_items",
        "UPDATE",
        "this is no move of a cart line, or its order is not in the state for it",
        f"NOT ({_LINE_MOVES})",
        ("state", "order_id"),
    ),
    Rule(
        "cart_items_content",
        "cart_items",
        "UPDATE",
        "a cart line changes only while it is pending and in the cart",
        "OLD.state <> 'pending' OR OLD.removed",
        ("name", "price_minor", "qty", "available"),
    ),
    Rule(
        "cart_items_note",
        "cart_items",
        "UPDATE",
        "a cart line's note changes only while it is pending and in the cart, or is forgotten",
        f"(OLD.state <> 'pending' OR OLD.removed) AND NOT (NEW.note = '' AND {_SESSION_FORGOTTEN})",
        ("note",),
    ),
    Rule(
        "cart_items_removed",
        "cart_items",
        "UPDATE",
        "only a pending cart line is removed, and for good",
        "OLD.state <> 'pending' OR NOT NEW.removed",
        ("removed",),
    ),
    Rule(
        "cart_items_fixed",
        "cart_items",
        "UPDATE",
        "a cart line's identity never changes",
        columns=("session_pid", "public_id", "position", "menu_item_id", "added_by"),
    ),
    Rule(
        "cart_items_kept",
        "cart_items",
        "DELETE",
        "cart lines that an order holds are never deleted",
        "OLD.state <> 'pending'",
    ),
    # --- the order journal
    Rule(
        "order_journal_first",
        "order_journal",
        "INSERT",
        "an order begins prepared",
        "NEW.state <> 'prepared'",
    ),
    Rule(
        "order_journal_moves",
        "order_journal",
        "UPDATE",
        "this is no move of an order",
        f"NOT (OLD.state NOT IN ('confirmed', 'rejected') AND NEW.state = OLD.state"
        f" OR {_ORDER_MOVES})",
        ORDER_MOVING,
    ),
    Rule(
        "order_journal_fixed",
        "order_journal",
        "UPDATE",
        "an order's key and total never change",
        columns=_but(ORDER_FIXED, _JOURNAL_WORDS),
    ),
    Rule(
        "order_journal_content",
        "order_journal",
        "UPDATE",
        "an order's lines and payload never change, until its guests are forgotten",
        f"NEW.placed_by_name <> '{A_GUEST}' OR NEW.special_instructions <> ''"
        f" OR length(NEW.payload) > 0 OR NOT {_SESSION_FORGOTTEN}",
        _JOURNAL_WORDS,
    ),
    Rule(
        "order_journal_decided",
        "order_journal",
        "UPDATE",
        "only a settled order was decided by the staff, who say who and why",
        "(NEW.decided_by IS NULL) <> (NEW.decided_reason IS NULL)"
        " OR (NEW.decided_by IS NOT NULL AND NEW.settled_at IS NULL)",
        ("decided_by", "decided_reason"),
    ),
    Rule("order_journal_kept", "order_journal", "DELETE", "the order journal keeps every order"),
    Rule("pos_attempts_kept", "pos_attempts", "DELETE", "the order journal keeps every attempt"),
    # --- incidents and voids
    Rule(
        "incidents_settled",
        "incidents",
        "UPDATE",
        "what an incident is never changes, and a closed one stays closed",
        "OLD.closed_at IS NOT NULL OR NEW.order_id <> OLD.order_id OR NEW.kind <> OLD.kind"
        " OR NEW.restaurant_id <> OLD.restaurant_id OR NEW.opened_at <> OLD.opened_at"
        " OR NEW.detail <> OLD.detail",
    ),
    Rule("incidents_kept", "incidents", "DELETE", "incidents are never deleted"),
    Rule(
        "voids_of_rejected",
        "voids",
        "INSERT",
        "only a rejected order is taken back from the POS",
        "NOT EXISTS (SELECT 1 FROM order_journal WHERE order_id = NEW.order_id"
        " AND state = 'rejected')",
    ),
    Rule(
        "voids_done",
        "voids",
        "UPDATE",
        "a void that the POS has confirmed is final",
        "OLD.voided_at IS NOT NULL",
    ),
    Rule("voids_kept", "voids", "DELETE", "voids are never deleted"),
    # --- the history
    Rule(
        "order_lines_first",
        "order_lines",
        "INSERT",
        "an order of the history has all its lines already",
        "EXISTS (SELECT 1 FROM orders WHERE order_id = NEW.order_id)",
    ),
    Rule(
        "order_lines_fixed",
        "order_lines",
        "UPDATE",
        "the history never changes",
        columns=_but(order_lines.c.keys(), _LINE_WORDS),
    ),
    Rule(
        "order_lines_guests",
        "order_lines",
        "UPDATE",
        "the history never changes, until its guests are forgotten",
        f"NEW.note <> '' OR NEW.added_by_name <> '{A_GUEST}' OR NOT {_ORDERS_SESSION_FORGOTTEN}",
        _LINE_WORDS,
    ),
    Rule("order_lines_kept", "order_lines", "DELETE", "the history never changes"),
    Rule(
        "orders_confirmed",
        "orders",
        "INSERT",
        "the history holds confirmed orders only, as the journal has them",
        "NOT EXISTS (SELECT 1 FROM order_journal WHERE order_id = NEW.order_id"
        " AND state = 'confirmed' AND total_minor = NEW.total_minor"
        " AND session_pid = NEW.session_pid AND order_number = NEW.order_number)",
    ),
    Rule(
        "orders_total",
        "orders",
        "INSERT",
        "an order's total is the sum of its lines",
        "NEW.total_minor <> COALESCE((SELECT SUM(qty * price_minor) FROM order_lines"
        " WHERE order_id = NEW.order_id), 0)",
    ),
    Rule(
        "orders_fixed",
        "orders",
        "UPDATE",
        "the history never changes",
        columns=_but(orders.c.keys(), _HISTORY_WORDS),
    ),
    Rule(
        "orders_guests",
        "orders",
        "UPDATE",
        "the history never changes, until its guests are forgotten",
        f"NEW.placed_by_name <> '{A_GUEST}' OR NEW.special_instructions <> ''"
        f" OR NOT {_SESSION_FORGOTTEN}",
        _HISTORY_WORDS,
    ),
    Rule("orders_kept", "orders", "DELETE", "the history never changes"),
)


def install_rules(connection: Connection) -> None:
    """Put the rules of this version in the place of whatever rules are there.

    Run after every migration: SQLite drops a table's triggers where a migration rebuilds the table.
    """
    sqlite = connection.dialect.name == "sqlite"
    for name, table in connection.exec_driver_sql(_SQLITE_THERE if sqlite else _POSTGRESQL_THERE):
        on = "" if sqlite else f" ON {table}"
        connection.exec_driver_sql(f"DROP TRIGGER {name}{on}")
    for rule in RULES:
        for statement in _for_sqlite(rule) if sqlite else _for_postgresql(rule):
            connection.exec_driver_sql(statement)


_SQLITE_THERE = "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'"
_POSTGRESQL_THERE = (
    "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
    " WHERE NOT t.tgisinternal AND c.relnamespace = CURRENT_SCHEMA()::regnamespace"
)


def _moment(rule: Rule) -> str:
    columns = f" OF {', '.join(rule.columns)}" if rule.columns else ""
    return f"BEFORE {rule.event}{columns} ON {rule.table} FOR EACH ROW"


def _for_sqlite(rule: Rule) -> tuple[str, ...]:
    when = f"WHEN {rule.refused_when} " if rule.refused_when else ""
    return (
        f"CREATE TRIGGER {rule.name} {_moment(rule)} {when}"
        f"BEGIN SELECT RAISE(ABORT, '{rule.sentence.replace(chr(39), chr(39) * 2)}'); END",
    )


def _for_postgresql(rule: Rule) -> tuple[str, ...]:
    # A trigger's WHEN takes no subquery there, so the condition stands in the function.
    row = "OLD" if rule.event == "DELETE" else "NEW"
    sentence = rule.sentence.replace("'", "''")
    return (
        f"CREATE OR REPLACE FUNCTION {rule.name}() RETURNS trigger LANGUAGE plpgsql AS $rule$ "
        f"BEGIN IF {rule.refused_when or 'TRUE'} THEN RAISE EXCEPTION USING "
        f"ERRCODE = 'integrity_constraint_violation', MESSAGE = '{sentence}'; END IF; "
        f"RETURN {row}; END $rule$",
        f"CREATE TRIGGER {rule.name} {_moment(rule)} EXECUTE FUNCTION {rule.name}()",
    )
