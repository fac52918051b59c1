"""When a sign-in was last used, to the day."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of those that are there it is noted at their next use."""
    op.add_column("tokens", sa.Column("used_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("tokens", "used_at")
