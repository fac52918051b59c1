"""The signed records of purges of the audit log, and what a head vouches for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# What was signed and digested before, by no release, is made anew: the sealer places and signs all
# rows again, and who used backup codes renews them.
START_ANEW = (
    "UPDATE e2ereset_audit SET position = NULL",
    "DELETE FROM e2ereset_audit_heads",
    "UPDATE e2ereset_audit_sealer SET mark = ''",
    "DELETE FROM e2ereset_backup_codes",
)


def upgrade() -> None:
    """Make the table and the column."""
    for statement in START_ANEW:
        op.execute(statement)
    op.add_column(
        "e2ereset_audit_heads",
        sa.Column("since", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_table(
        "e2ereset_audit_purges",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_e2ereset_audit_purges"),
    )


def downgrade() -> None:
    """Drop both. The log verifies no more then."""
    op.drop_table("e2ereset_audit_purges")
    op.drop_column("e2ereset_audit_heads", "since")
