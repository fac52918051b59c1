"""Indexes by which an account finds the audit rows about it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLE, TARGET, CALLER = "e2ereset_audit", "ix_e2ereset_audit_target", "ix_e2ereset_audit_caller"
OF_OTHERS = sa.text("caller <> target")


def upgrade() -> None:
    """Rows are found by whom they were done to, and by who did it to others, newest first."""
    op.create_index(TARGET, TABLE, ["target", "id"])
    where = {f"{dialect}_where": OF_OTHERS for dialect in ("sqlite", "postgresql")}
    op.create_index(CALLER, TABLE, ["caller", "id"], **where)


def downgrade() -> None:
    """Read the whole log again."""
    op.drop_index(CALLER, TABLE)
    op.drop_index(TARGET, TABLE)
