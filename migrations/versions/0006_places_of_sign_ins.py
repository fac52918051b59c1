"""Where a sign-in came from, which its owner is shown."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PLACE = ("address", "agent")


def upgrade() -> None:
    """Of those that are there it stays unknown."""
    for name in PLACE:
        op.add_column("tokens", sa.Column(name, sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Forget it."""
    for name in PLACE:
        op.drop_column("tokens", name)
