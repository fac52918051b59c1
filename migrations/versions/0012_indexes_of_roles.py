"""Indexes by which roles find who has them, and the help desk what was done to others."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

LOG, OTHERS = "e2ereset_audit", "ix_e2ereset_audit_others"
OF_OTHERS = sa.text("caller <> target")


def upgrade() -> None:
    """Who has a role, who has one in a room, and rows about others are found, newest first."""
    op.create_index("ix_user_roles_role", "user_roles", ["role"])
    op.create_index("ix_room_roles_room_id", "room_roles", ["room_id"])
    where = {f"{dialect}_where": OF_OTHERS for dialect in ("sqlite", "postgresql")}
    op.create_index(OTHERS, LOG, ["id"], **where)


def downgrade() -> None:
    """Read the whole tables again."""
    op.drop_index(OTHERS, LOG)
    op.drop_index("ix_room_roles_room_id", "room_roles")
    op.drop_index("ix_user_roles_role", "user_roles")
