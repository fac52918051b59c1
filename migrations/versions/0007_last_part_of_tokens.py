"""The last characters of a personal access token, by which its owner knows it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. It stays empty for the tokens that are there: only digests of them are."""
    op.add_column("tokens", sa.Column("last_part", sa.String(length=6), nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("tokens", "last_part")
