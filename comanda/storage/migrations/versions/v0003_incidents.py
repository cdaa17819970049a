"""Incidents that stand until the staff close them, and orders that the POS is to take back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two tables, and two columns more in the journal; what was settled before has no incident."""
    # Plain ALTERs: SQLite's batch mode would drop the journal, to which other tables refer.
    op.add_column(
        "order_journal",
        sa.Column("key_reused", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("order_journal", sa.Column("heard_by", sa.Text(), nullable=True))
    op.create_table(
        "incidents",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("restaurant_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closed_outcome", sa.String(), nullable=True),
        sa.Column("closed_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closed_by IS NULL)"
            " AND (closed_at IS NULL) = (closed_outcome IS NULL)"
            " AND (closed_at IS NULL) = (closed_reason IS NULL)",
            name=op.f("ck_incidents_closed"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["order_journal.order_id"],
            name=op.f("fk_incidents_order_id"),
        ),
        sa.ForeignKeyConstraint(
            ["restaurant_id"],
            ["restaurants.restaurant_id"],
            name=op.f("fk_incidents_restaurant_id"),
        ),
        sa.PrimaryKeyConstraint("order_id", "kind", name=op.f("pk_incidents")),
        sqlite_with_rowid=False,
    )
    standing = sa.text("closed_at IS NULL")
    op.create_index(
        "ix_incidents_standing",
        "incidents",
        ["restaurant_id", "order_id"],
        sqlite_where=standing,
        postgresql_where=standing,
    )
    op.create_table(
        "voids",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("wanted_at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("voided_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("tries >= 0", name=op.f("ck_voids_tries")),
        sa.CheckConstraint("next_at IS NULL OR voided_at IS NULL", name=op.f("ck_voids_done")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["order_journal.order_id"], name=op.f("fk_voids_order_id")
        ),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_voids")),
    )
    due = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_voids_next_at", "voids", ["next_at"], sqlite_where=due, postgresql_where=due
    )


def downgrade() -> None:
    """There is no way back: an older Comanda refuses a newer schema."""
    raise NotImplementedError
