"""Names, kinds and times of rooms, the roles of their members, and who has left which room."""

import sqlalchemy as sa
from alembic import op

from e2ereset.server.roles.seeds import seed

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def moment(name: str) -> sa.Column[int]:
    """A time that is 0 for the rows that are there."""
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")


def columns() -> dict[str, tuple[sa.Column, ...]]:
    """The new columns of each table."""
    return {
        "rooms": (
            sa.Column("kind", sa.String(length=1), nullable=False, server_default="p"),
            sa.Column("name", sa.String(length=255), nullable=True),
            sa.Column("topic", sa.Text(), nullable=True),
            sa.Column("read_only", sa.Boolean(), nullable=False, server_default=sa.false()),
            sa.Column("creator_id", sa.String(length=255), nullable=True),
            moment("created_at"),
            moment("updated_at"),
        ),
        "subscriptions": (moment("joined_at"), moment("updated_at")),
    }


def upgrade() -> None:
    """Rooms that are there become private groups without a name and without an owner."""
    for table, added in columns().items():
        for column in added:
            op.add_column(table, column)
    op.create_table(
        "room_roles",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id", "room_id"],
            ["subscriptions.user_id", "subscriptions.room_id"],
            name="fk_room_roles_user_id_room_id",
        ),
        sa.PrimaryKeyConstraint("user_id", "room_id", "role", name="pk_room_roles"),
    )
    op.create_table(
        "left_rooms",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("left_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_left_rooms_user_id"),
        sa.PrimaryKeyConstraint("user_id", "room_id", name="pk_left_rooms"),
    )
    seed(op.get_bind())


def downgrade() -> None:
    """Drop the tables and the columns. The permissions stay, as roles may hold them."""
    op.drop_table("left_rooms")
    op.drop_table("room_roles")
    for table, added in columns().items():
        for column in reversed(added):
            op.drop_column(table, column.name)
