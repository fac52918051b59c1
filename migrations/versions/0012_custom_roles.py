"""Roles that administrators make."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their table."""
    op.create_table(
        "custom_roles",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_custom_roles"),
    )


def downgrade() -> None:
    """Drop it. The roles stay, as users may have them."""
    op.drop_table("custom_roles")
