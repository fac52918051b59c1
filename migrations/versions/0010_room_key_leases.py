"""Who gives a room another key holds the room, so that nobody else does so at the same time."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are empty while nobody holds the room."""
    op.add_column("rooms", sa.Column("key_lease", sa.String(length=64), nullable=True))
    op.add_column("rooms", sa.Column("key_lease_until", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Drop them: at most ten seconds of holding are lost."""
    op.drop_column("rooms", "key_lease_until")
    op.drop_column("rooms", "key_lease")
