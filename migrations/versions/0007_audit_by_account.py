"""Indexes by which an account finds the audit rows about it."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE, WHO = "e2ereset_audit", ("target", "caller")


def upgrade() -> None:
    """Rows are found by who they were done to, and by who did it, newest first."""
    for name in WHO:
        op.create_index(f"ix_{TABLE}_{name}", TABLE, [name, "id"])


def downgrade() -> None:
    """Read the whole log again."""
    for name in WHO:
        op.drop_index(f"ix_{TABLE}_{name}", TABLE)
