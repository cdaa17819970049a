"""What guests are owed: a PIN that keeps strangers from their table, and to be forgotten afterwards."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three columns more. Of a session that is closed already, its last change is when it was closed."""
    # Plain ALTERs: SQLite's batch mode would drop the sessions, to which other tables refer.
    op.add_column("dining_sessions", sa.Column("closed_at", sa.BigInteger(), nullable=True))
    op.add_column("dining_sessions", sa.Column("join_pin", sa.String(), nullable=True))
    op.add_column("dining_sessions", sa.Column("forgotten_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE dining_sessions SET closed_at = updated_at WHERE closed_reason IS NOT NULL")
    remembered = sa.text("closed_at IS NOT NULL AND forgotten_at IS NULL")
    op.create_index(
        "ix_dining_sessions_remembered",
        "dining_sessions",
        ["closed_at"],
        sqlite_where=remembered,
        postgresql_where=remembered,
    )
    op.create_index(op.f("ix_order_journal_session_pid"), "order_journal", ["session_pid"])


def downgrade() -> None:
    """There is no way back: an older Comanda refuses a newer schema."""
    raise NotImplementedError
