"""The first schema. Rules (triggers) are put in after every migration, see `rules.py`."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "restaurants",
        sa.Column("restaurant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("minor_digits", sa.Integer(), nullable=False),
        sa.Column("staff_token_hash", sa.String(), nullable=True),
        sa.Column(
            "last_order_number", sa.BigInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("menu_digest", sa.String(), nullable=False),
        sa.CheckConstraint("last_order_number >= 0", name=op.f("ck_restaurants_last_order_number")),
        sa.CheckConstraint(
            "minor_digits BETWEEN 0 AND 4", name=op.f("ck_restaurants_minor_digits")
        ),
        sa.PrimaryKeyConstraint("restaurant_id", name=op.f("pk_restaurants")),
    )
    op.create_table(
        "menu_items",
        sa.Column("restaurant_id", sa.BigInteger(), nullable=False),
        sa.Column("menu_item_id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("section", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_menu_items_price")),
        sa.ForeignKeyConstraint(
            ["restaurant_id"],
            ["restaurants.restaurant_id"],
            name=op.f("fk_menu_items_restaurant_id"),
        ),
        sa.PrimaryKeyConstraint("restaurant_id", "menu_item_id", name=op.f("pk_menu_items")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tables",
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("restaurant_id", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["restaurant_id"], ["restaurants.restaurant_id"], name=op.f("fk_tables_restaurant_id")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_tables")),
    )
    op.create_index(op.f("ix_tables_restaurant_id"), "tables", ["restaurant_id"], unique=False)
    op.create_table(
        "dining_sessions",
        sa.Column("pid", sa.String(), nullable=False),
        sa.Column("restaurant_id", sa.BigInteger(), nullable=False),
        sa.Column("table_code", sa.String(), nullable=False),
        sa.Column("table_label", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("minor_digits", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("next_position", sa.Integer(), nullable=False),
        sa.Column("last_order", sa.Text(), nullable=True),
        sa.Column("closed_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "epoch >= 0 AND seq >= 0 AND next_position >= 0",
            name=op.f("ck_dining_sessions_counters"),
        ),
        sa.ForeignKeyConstraint(
            ["restaurant_id"],
            ["restaurants.restaurant_id"],
            name=op.f("fk_dining_sessions_restaurant_id"),
        ),
        sa.ForeignKeyConstraint(
            ["table_code"], ["tables.code"], name=op.f("fk_dining_sessions_table_code")
        ),
        sa.PrimaryKeyConstraint("pid", name=op.f("pk_dining_sessions")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_dining_sessions_open_since",
        "dining_sessions",
        ["opened_at"],
        unique=False,
        sqlite_where=sa.text("closed_reason IS NULL"),
        postgresql_where=sa.text("closed_reason IS NULL"),
    )
    op.create_index(
        "uq_dining_sessions_open_table",
        "dining_sessions",
        ["restaurant_id", "table_code"],
        unique=True,
        sqlite_where=sa.text("closed_reason IS NULL"),
        postgresql_where=sa.text("closed_reason IS NULL"),
    )
    op.create_table(
        "members",
        sa.Column("session_pid", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_pid"], ["dining_sessions.pid"], name=op.f("fk_members_session_pid")
        ),
        sa.PrimaryKeyConstraint("session_pid", "member_id", name=op.f("pk_members")),
        sa.UniqueConstraint("session_pid", "number", name=op.f("uq_members_session_pid")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "order_journal",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("restaurant_id", sa.BigInteger(), nullable=False),
        sa.Column("order_number", sa.BigInteger(), nullable=False),
        sa.Column("session_pid", sa.String(), nullable=False),
        sa.Column("table_label", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_by_name", sa.String(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("lock_ends_at", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("minor_digits", sa.Integer(), nullable=False),
        sa.Column("special_instructions", sa.Text(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("taken_by_pos", sa.Boolean(), nullable=False),
        sa.Column("expected_by", sa.BigInteger(), nullable=True),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("pos_reference", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("allow_retry", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(settled_at IS NOT NULL) = (state IN ('confirmed', 'rejected'))",
            name=op.f("ck_order_journal_settled_at"),
        ),
        sa.CheckConstraint(
            "order_id = 'ORD-' || restaurant_id || '-' || order_number",
            name=op.f("ck_order_journal_order_id"),
        ),
        sa.CheckConstraint(
            "state IN ('prepared', 'sent', 'unknown', 'needs_staff', 'confirmed', 'rejected')",
            name=op.f("ck_order_journal_state"),
        ),
        sa.CheckConstraint(
            "order_number > 0 AND total_minor >= 0 AND attempt >= 0",
            name=op.f("ck_order_journal_amounts"),
        ),
        sa.ForeignKeyConstraint(
            ["restaurant_id"],
            ["restaurants.restaurant_id"],
            name=op.f("fk_order_journal_restaurant_id"),
        ),
        sa.ForeignKeyConstraint(
            ["session_pid"], ["dining_sessions.pid"], name=op.f("fk_order_journal_session_pid")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_journal")),
        sa.UniqueConstraint(
            "restaurant_id", "order_number", name=op.f("uq_order_journal_restaurant_id")
        ),
    )
    op.create_index(
        "ix_order_journal_by_state",
        "order_journal",
        ["restaurant_id", "state", "order_number"],
        unique=False,
    )
    op.create_index(
        "ix_order_journal_lock_ends_at",
        "order_journal",
        ["lock_ends_at"],
        unique=False,
        sqlite_where=sa.text("state IN ('prepared', 'sent', 'unknown')"),
        postgresql_where=sa.text("state IN ('prepared', 'sent', 'unknown')"),
    )
    op.create_index(
        "ix_order_journal_unsettled",
        "order_journal",
        ["session_pid"],
        unique=False,
        sqlite_where=sa.text("state IN ('prepared', 'sent', 'unknown', 'needs_staff')"),
        postgresql_where=sa.text("state IN ('prepared', 'sent', 'unknown', 'needs_staff')"),
    )
    op.create_index(
        "uq_order_journal_in_flight",
        "order_journal",
        ["session_pid"],
        unique=True,
        sqlite_where=sa.text("state IN ('prepared', 'sent', 'unknown')"),
        postgresql_where=sa.text("state IN ('prepared', 'sent', 'unknown')"),
    )
    op.create_table(
        "requests",
        sa.Column("session_pid", sa.String(), nullable=False),
        sa.Column("member_id", sa.String(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("number >= 0 AND slot = number % 256", name=op.f("ck_requests_slot")),
        sa.ForeignKeyConstraint(
            ["session_pid"], ["dining_sessions.pid"], name=op.f("fk_requests_session_pid")
        ),
        sa.PrimaryKeyConstraint("session_pid", "member_id", "slot", name=op.f("pk_requests")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "cart_items",
        sa.Column("session_pid", sa.String(), nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("menu_item_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("qty", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("available", sa.Boolean(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "(state = 'pending') = (order_id IS NULL)", name=op.f("ck_cart_items_order_holds_line")
        ),
        sa.CheckConstraint(
            "state = 'pending' OR NOT removed", name=op.f("ck_cart_items_removed_is_pending")
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'locked', 'ordered')", name=op.f("ck_cart_items_state")
        ),
        sa.CheckConstraint("position >= 0", name=op.f("ck_cart_items_position")),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_cart_items_price")),
        sa.CheckConstraint("qty BETWEEN 1 AND 99", name=op.f("ck_cart_items_qty")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order_journal.order_id"], name=op.f("fk_cart_items_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_pid"], ["dining_sessions.pid"], name=op.f("fk_cart_items_session_pid")
        ),
        sa.PrimaryKeyConstraint("session_pid", "public_id", name=op.f("pk_cart_items")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "order_lines",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(), nullable=False),
        sa.Column("menu_item_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("qty", sa.Integer(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_by_name", sa.String(), nullable=False),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_order_lines_price")),
        sa.CheckConstraint("qty BETWEEN 1 AND 99", name=op.f("ck_order_lines_qty")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order_journal.order_id"], name=op.f("fk_order_lines_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "number", name=op.f("pk_order_lines")),
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("restaurant_id", sa.BigInteger(), nullable=False),
        sa.Column("order_number", sa.BigInteger(), nullable=False),
        sa.Column("session_pid", sa.String(), nullable=False),
        sa.Column("table_label", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("placed_by_name", sa.String(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("minor_digits", sa.Integer(), nullable=False),
        sa.Column("special_instructions", sa.Text(), nullable=False),
        sa.Column("pos_reference", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order_journal.order_id"], name=op.f("fk_orders_order_id")
        ),
        sa.ForeignKeyConstraint(
            ["restaurant_id"], ["restaurants.restaurant_id"], name=op.f("fk_orders_restaurant_id")
        ),
        sa.ForeignKeyConstraint(
            ["session_pid"], ["dining_sessions.pid"], name=op.f("fk_orders_session_pid")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_orders")),
        sa.UniqueConstraint("restaurant_id", "order_number", name=op.f("uq_orders_restaurant_id")),
    )
    op.create_index(op.f("ix_orders_session_pid"), "orders", ["session_pid"], unique=False)
    op.create_table(
        "pos_attempts",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.CheckConstraint("attempt > 0", name=op.f("ck_pos_attempts_attempt")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order_journal.order_id"], name=op.f("fk_pos_attempts_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", "attempt", name=op.f("pk_pos_attempts")),
    )


def downgrade() -> None:
    """There is no way back: an older Comanda refuses a newer schema."""
    raise NotImplementedError
