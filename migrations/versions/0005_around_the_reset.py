"""The API around the reset: people, roles, rooms, personal tokens, grants, factors, pages."""

from functools import partial

import sqlalchemy as sa
from alembic import op

from e2ereset.server.roles.seeds import seed

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

needed = partial(sa.Column, nullable=False)
optional = partial(sa.Column, nullable=True)
since = partial(sa.Column, type_=sa.BigInteger(), nullable=False, server_default="0")
"""A time that is 0 for the rows that are there."""


def columns() -> dict[str, tuple[sa.Column, ...]]:
    """The new columns of each table that is there."""
    counted = ("counts_from", "used_at")
    return {
        "users": (optional("updated_at", sa.BigInteger()), optional("profile", sa.Text())),
        "e2ereset_permissions": (optional("updated_at", sa.BigInteger()),),
        "tokens": (
            optional("last_part", sa.String(length=6)),
            optional("proven_mark", sa.String(length=80)),
            optional("proven_until", sa.BigInteger()),
        ),
        "rooms": (
            needed("kind", sa.String(length=1), server_default="p"),
            optional("name", sa.String(length=255)),
            optional("topic", sa.Text()),
            needed("read_only", sa.Boolean(), server_default=sa.false()),
            optional("creator_id", sa.String(length=255)),
            since("created_at"),
            since("updated_at"),
            optional("key_lease", sa.String(length=64)),
            optional("key_lease_until", sa.BigInteger()),
        ),
        "subscriptions": (since("joined_at"), since("updated_at")),
        # Those of factors stay empty: a factor that is there counts always.
        "e2ereset_totp": tuple(optional(name, sa.BigInteger()) for name in counted),
        "e2ereset_email_factors": tuple(optional(name, sa.BigInteger()) for name in counted),
    }


WAITS_FOR = {"room_id": "rooms", "user_id": "users"}
TABLES = ("room_roles", "left_rooms", "machine_grants", "custom_roles", "e2ereset_kept_requests")


def upgrade() -> None:
    """Rooms that are there become private groups without a name and without an owner."""
    for table, added in columns().items():
        for column in added:
            op.add_column(table, column)
    # Both foreign keys were most of what a reset with many rooms cost.
    with op.batch_alter_table("waiting_for_keys") as batch:
        for column in WAITS_FOR:
            batch.drop_constraint(f"fk_waiting_for_keys_{column}", type_="foreignkey")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscriptions SET (fillfactor = 70)")
    make_tables_of_rooms()
    make_other_tables()
    seed(op.get_bind())


def make_tables_of_rooms() -> None:
    """Roles in rooms, and who has left which room."""
    name = sa.String(length=255)
    op.create_table(
        "room_roles",
        needed("user_id", name),
        needed("room_id", name),
        needed("role", name),
        sa.ForeignKeyConstraint(
            ["user_id", "room_id"],
            ["subscriptions.user_id", "subscriptions.room_id"],
            name="fk_room_roles_user_id_room_id",
        ),
        sa.PrimaryKeyConstraint("user_id", "room_id", "role", name="pk_room_roles"),
    )
    op.create_table(
        "left_rooms",
        needed("user_id", name),
        needed("room_id", name),
        needed("left_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_left_rooms_user_id"),
        sa.PrimaryKeyConstraint("user_id", "room_id", name="pk_left_rooms"),
    )


def make_other_tables() -> None:
    """Grants of machines' tokens, roles of one's own, and requests that wait for a proof."""
    name, text, number = sa.String(length=255), sa.Text(), sa.BigInteger()
    op.create_table(
        "machine_grants",
        needed("user_id", name),
        needed("name", name),
        *(needed(column, text) for column in ("actions", "roles", "networks")),
        needed("per_day", sa.Integer()),
        needed("day", number),
        needed("used", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["user_id", "name"],
            ["tokens.user_id", "tokens.name"],
            name="fk_machine_grants_user_id_name",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "name", name="pk_machine_grants"),
    )
    op.create_table(
        "custom_roles",
        needed("name", name),
        needed("description", name),
        sa.PrimaryKeyConstraint("name", name="pk_custom_roles"),
    )
    op.create_table(
        "e2ereset_kept_requests",
        needed("id", name),
        needed("browser", sa.String(length=80)),
        needed("action", name),
        *(needed(column, text) for column in ("target", "content")),
        optional("proven_until", number),
        needed("expires_at", number),
        sa.PrimaryKeyConstraint("id", name="pk_e2ereset_kept_requests"),
    )
    op.create_index("ix_e2ereset_kept_requests_browser", "e2ereset_kept_requests", ["browser"])


def downgrade() -> None:
    """Drop tables and columns. Roles and permissions stay, as users may hold them.

    A row that waits for a room or user that is gone is dropped, too.
    """
    for table in reversed(TABLES):
        op.drop_table(table)
    for column, table in WAITS_FOR.items():
        op.execute(
            f"DELETE FROM waiting_for_keys WHERE {column} NOT IN (SELECT id FROM {table})"  # noqa: S608
        )
    with op.batch_alter_table("waiting_for_keys") as batch:
        for column, table in WAITS_FOR.items():
            name = f"fk_waiting_for_keys_{column}"
            batch.create_foreign_key(name, table, [column], ["id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscriptions RESET (fillfactor)")
    for table, added in columns().items():
        for column in reversed(added):
            op.drop_column(table, column.name)
