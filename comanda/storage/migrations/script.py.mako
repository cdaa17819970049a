"""${message}."""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema here from the one before."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """There is no way back: an older Comanda refuses a newer schema."""
    raise NotImplementedError
