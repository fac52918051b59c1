"""What clients are told of people, when a permission changed, and the server's own permissions."""

import sqlalchemy as sa
from alembic import op

from e2ereset.server.roles.seeds import seed

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, which are empty until the first change; add roles and permissions."""
    op.add_column("users", sa.Column("updated_at", sa.BigInteger(), nullable=True))
    op.add_column("users", sa.Column("profile", sa.Text(), nullable=True))
    op.add_column("e2ereset_permissions", sa.Column("updated_at", sa.BigInteger(), nullable=True))
    seed(op.get_bind())


def downgrade() -> None:
    """Drop the columns. Roles and permissions stay, as users may hold them."""
    op.drop_column("e2ereset_permissions", "updated_at")
    op.drop_column("users", "profile")
    op.drop_column("users", "updated_at")
