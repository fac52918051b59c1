"""Factors that people enrol by themselves: from when they count, and when they were last used."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("e2ereset_totp", "e2ereset_email_factors")
COLUMNS = ("counts_from", "used_at")


def upgrade() -> None:
    """Add the columns. They stay empty for the factors that are there: those count always."""
    for table in TABLES:
        for column in COLUMNS:
            op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for table in TABLES:
        for column in COLUMNS:
            op.drop_column(table, column)
