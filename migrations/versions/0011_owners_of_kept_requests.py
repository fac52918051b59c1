"""Whose a kept request is, so that one account keeps a few only."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLE, INDEX = "e2ereset_kept_requests", "ix_e2ereset_kept_requests_owner"


def upgrade() -> None:
    """It is not known of those that are there, which are over within ten minutes."""
    op.add_column(TABLE, sa.Column("owner", sa.String(80), nullable=True))
    op.create_index(INDEX, TABLE, ["owner"])


def downgrade() -> None:
    """Forget it."""
    op.drop_index(INDEX, TABLE)
    op.drop_column(TABLE, "owner")
