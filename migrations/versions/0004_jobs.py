"""When a job is given up: so far a week after it was queued, from now on a week after it is due."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. It stays empty for the jobs that are there: their week is as it was."""
    op.add_column("e2ereset_outbox", sa.Column("give_up_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("e2ereset_outbox", "give_up_at")
