"""Who of the staff has settled an order, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two columns more in the journal; orders that are there were settled by the POS or not at all."""
    # Plain ALTERs: SQLite's batch mode would drop the journal, to which other tables refer.
    op.add_column("order_journal", sa.Column("decided_by", sa.String(), nullable=True))
    op.add_column("order_journal", sa.Column("decided_reason", sa.Text(), nullable=True))


def downgrade() -> None:
    """There is no way back: an older Comanda refuses a newer schema."""
    raise NotImplementedError
