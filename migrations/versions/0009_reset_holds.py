"""Holds of resets."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

HOLDS = "e2ereset_reset_holds"


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        HOLDS,
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=f"pk_{HOLDS}"),
    )


def downgrade() -> None:
    """Drop it: no reset is held then."""
    op.drop_table(HOLDS)
