"""The tables, as SQLAlchemy Core has them.

Every time is a `BigInteger` of microseconds since 1970 in UTC, every amount one of minor units, both the
same on every engine. What a row may be is said here in named CHECKs; how rows may move in `rules`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from comanda.actors.domain.session import MAX_REQUESTS_KEPT

IN_FLIGHT = "state IN ('prepared', 'sent', 'unknown')"
"""Orders that somebody of ours still works on. The very words of the partial indexes: SQLite uses
such an index only where a query says the same, with no bound values in it."""

UNSETTLED = "state IN ('prepared', 'sent', 'unknown', 'needs_staff')"
"""Orders without an outcome, in the words of their partial index."""

OPEN = "closed_reason IS NULL"
"""Dining sessions whose party is there, in the words of their partial indexes."""

REMEMBERED = "closed_at IS NOT NULL AND forgotten_at IS NULL"
"""Closed dining sessions whose guests are still known by name, in the words of their partial index."""

STANDING = "closed_at IS NULL"
"""Incidents that the staff have not closed, in the words of their partial index."""

VOID_DUE = "next_at IS NOT NULL"
"""Orders that the POS must still be asked to take back, in the words of their partial index."""

MAX_QTY = 99
"""Of one line (the protocol, "Commands")."""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index over the rows that `where` picks, for both engines."""
    return Index(
        name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where)
    )


restaurants = Table(
    "restaurants",
    metadata,
    Column("restaurant_id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("staff_token_hash", String),
    Column("last_order_number", BigInteger, nullable=False, server_default=text("0")),
    Column("menu_digest", String, nullable=False),
    CheckConstraint("minor_digits BETWEEN 0 AND 4", name="minor_digits"),
    CheckConstraint("last_order_number >= 0", name="last_order_number"),
)

tables = Table(
    "tables",
    metadata,
    Column("code", String, primary_key=True),
    Column("restaurant_id", ForeignKey("restaurants.restaurant_id"), nullable=False, index=True),
    Column("label", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("listed", Boolean, nullable=False),
)

menu_items = Table(
    "menu_items",
    metadata,
    Column("restaurant_id", ForeignKey("restaurants.restaurant_id"), nullable=False),
    Column("menu_item_id", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("section", String, nullable=False),
    Column("name", String, nullable=False),
    Column("description", Text, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("available", Boolean, nullable=False),
    PrimaryKeyConstraint("restaurant_id", "menu_item_id"),
    CheckConstraint("price_minor >= 0", name="price"),
    sqlite_with_rowid=False,
)

dining_sessions = Table(
    "dining_sessions",
    metadata,
    Column("pid", String, primary_key=True),
    Column("restaurant_id", ForeignKey("restaurants.restaurant_id"), nullable=False),
    Column("table_code", ForeignKey("tables.code"), nullable=False),
    Column("table_label", String, nullable=False),
    Column("currency", String, nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("next_position", Integer, nullable=False),
    Column("last_order", Text),
    Column("closed_reason", String),
    Column("closed_at", BigInteger),
    Column("join_pin", String),
    Column("forgotten_at", BigInteger),
    CheckConstraint("epoch >= 0 AND seq >= 0 AND next_position >= 0", name="counters"),
    # No index holds what an edit changes: a commit touches none.
    _partial(
        "uq_dining_sessions_open_table", "restaurant_id", "table_code", where=OPEN, unique=True
    ),
    _partial("ix_dining_sessions_open_since", "opened_at", where=OPEN),
    _partial("ix_dining_sessions_remembered", "closed_at", where=REMEMBERED),
    sqlite_with_rowid=False,
)

members = Table(
    "members",
    metadata,
    Column("session_pid", ForeignKey("dining_sessions.pid"), nullable=False),
    Column("member_id", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("session_pid", "member_id"),
    UniqueConstraint("session_pid", "number"),
    sqlite_with_rowid=False,
)

order_journal = Table(
    "order_journal",
    metadata,
    Column("order_id", String, primary_key=True),
    Column("restaurant_id", ForeignKey("restaurants.restaurant_id"), nullable=False),
    Column("order_number", BigInteger, nullable=False),
    Column("session_pid", ForeignKey("dining_sessions.pid"), nullable=False, index=True),
    Column("table_label", String, nullable=False),
    Column("state", String, nullable=False),
    Column("placed_by", String, nullable=False),
    Column("placed_by_name", String, nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("lock_ends_at", BigInteger, nullable=False),
    Column("lines", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("special_instructions", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("taken_by_pos", Boolean, nullable=False),
    Column("expected_by", BigInteger),
    Column("settled_at", BigInteger),
    Column("pos_reference", Text),
    Column("error", Text),
    Column("allow_retry", Boolean, nullable=False),
    Column("decided_by", String),
    Column("decided_reason", Text),
    Column("key_reused", Boolean, nullable=False, server_default=false()),
    Column("heard_by", Text),
    UniqueConstraint("restaurant_id", "order_number"),
    CheckConstraint(
        "state IN ('prepared', 'sent', 'unknown', 'needs_staff', 'confirmed', 'rejected')",
        name="state",
    ),
    CheckConstraint("order_id = 'ORD-' || restaurant_id || '-' || order_number", name="order_id"),
    CheckConstraint("order_number > 0 AND total_minor >= 0 AND attempt >= 0", name="amounts"),
    CheckConstraint(
        "(settled_at IS NOT NULL) = (state IN ('confirmed', 'rejected'))", name="settled_at"
    ),
    _partial("uq_order_journal_in_flight", "session_pid", where=IN_FLIGHT, unique=True),
    _partial("ix_order_journal_lock_ends_at", "lock_ends_at", where=IN_FLIGHT),
    _partial("ix_order_journal_unsettled", "session_pid", where=UNSETTLED),
    Index("ix_order_journal_by_state", "restaurant_id", "state", "order_number"),
)

cart_items = Table(
    "cart_items",
    metadata,
    Column("session_pid", ForeignKey("dining_sessions.pid"), nullable=False),
    Column("public_id", String, nullable=False),
    Column("position", Integer, nullable=False),
    Column("menu_item_id", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("qty", Integer, nullable=False),
    Column("note", Text, nullable=False),
    Column("available", Boolean, nullable=False),
    Column("added_by", String, nullable=False),
    Column("state", String, nullable=False),
    Column("order_id", ForeignKey("order_journal.order_id")),
    Column("removed", Boolean, nullable=False),
    PrimaryKeyConstraint("session_pid", "public_id"),
    CheckConstraint("state IN ('pending', 'locked', 'ordered')", name="state"),
    CheckConstraint(f"qty BETWEEN 1 AND {MAX_QTY}", name="qty"),
    CheckConstraint("price_minor >= 0", name="price"),
    CheckConstraint("position >= 0", name="position"),
    CheckConstraint("(state = 'pending') = (order_id IS NULL)", name="order_holds_line"),
    CheckConstraint("state = 'pending' OR NOT removed", name="removed_is_pending"),
    sqlite_with_rowid=False,
)

requests = Table(
    "requests",
    metadata,
    Column("session_pid", ForeignKey("dining_sessions.pid"), nullable=False),
    Column("member_id", String, nullable=False),
    Column("slot", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("request_id", String, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    PrimaryKeyConstraint("session_pid", "member_id", "slot"),
    CheckConstraint(f"number >= 0 AND slot = number % {MAX_REQUESTS_KEPT}", name="slot"),
    sqlite_with_rowid=False,
)

pos_attempts = Table(
    "pos_attempts",
    metadata,
    Column("order_id", ForeignKey("order_journal.order_id"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    PrimaryKeyConstraint("order_id", "attempt"),
    CheckConstraint("attempt > 0", name="attempt"),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", ForeignKey("order_journal.order_id"), primary_key=True),
    Column("restaurant_id", ForeignKey("restaurants.restaurant_id"), nullable=False),
    Column("order_number", BigInteger, nullable=False),
    Column("session_pid", ForeignKey("dining_sessions.pid"), nullable=False, index=True),
    Column("table_label", String, nullable=False),
    Column("placed_by", String, nullable=False),
    Column("placed_by_name", String, nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("currency", String, nullable=False),
    Column("minor_digits", Integer, nullable=False),
    Column("special_instructions", Text, nullable=False),
    Column("pos_reference", Text),
    UniqueConstraint("restaurant_id", "order_number"),
)

order_lines = Table(
    "order_lines",
    metadata,
    # Lines stand before their order does, so that `orders` can refuse a wrong sum.
    Column("order_id", ForeignKey("order_journal.order_id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("public_id", String, nullable=False),
    Column("menu_item_id", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("qty", Integer, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("added_by", String, nullable=False),
    Column("added_by_name", String, nullable=False),
    PrimaryKeyConstraint("order_id", "number"),
    CheckConstraint(f"qty BETWEEN 1 AND {MAX_QTY}", name="qty"),
    CheckConstraint("price_minor >= 0", name="price"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("order_id", ForeignKey("order_journal.order_id"), nullable=False),
    Column("kind", String, nullable=False),
    Column("restaurant_id", ForeignKey("restaurants.restaurant_id"), nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
    Column("closed_at", BigInteger),
    Column("closed_by", String),
    Column("closed_outcome", String),
    Column("closed_reason", Text),
    PrimaryKeyConstraint("order_id", "kind"),
    CheckConstraint(
        "(closed_at IS NULL) = (closed_by IS NULL) AND (closed_at IS NULL) = (closed_outcome IS NULL)"
        " AND (closed_at IS NULL) = (closed_reason IS NULL)",
        name="closed",
    ),
    _partial("ix_incidents_standing", "restaurant_id", "order_id", where=STANDING),
    sqlite_with_rowid=False,
)

voids = Table(
    "voids",
    metadata,
    Column("order_id", ForeignKey("order_journal.order_id"), primary_key=True),
    Column("wanted_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("voided_at", BigInteger),
    CheckConstraint("tries >= 0", name="tries"),
    CheckConstraint("next_at IS NULL OR voided_at IS NULL", name="done"),
    _partial("ix_voids_next_at", "next_at", where=VOID_DUE),
)
