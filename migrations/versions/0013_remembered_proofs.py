"""That a sign-in was proven a while ago, for the routes that remember it."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are empty until a proof is remembered."""
    op.add_column("tokens", sa.Column("proven_mark", sa.String(length=80), nullable=True))
    op.add_column("tokens", sa.Column("proven_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("tokens", "proven_until")
    op.drop_column("tokens", "proven_mark")
