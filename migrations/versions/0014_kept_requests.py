"""Requests of browsers that wait for a proof."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "e2ereset_kept_requests",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("browser", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("proven_until", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_e2ereset_kept_requests")),
    )
    op.create_index("ix_e2ereset_kept_requests_browser", "e2ereset_kept_requests", ["browser"])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("e2ereset_kept_requests")
