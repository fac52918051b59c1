"""The first revision: all tables, roles and permissions.

It is called 0002, as a database that was made before 0001 and 0002 became one says so.
"""

import sqlalchemy as sa
from alembic import op

from e2ereset.permissions import seed

revision = "0002"
down_revision = None
branch_labels = None
depends_on = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = (
    "e2ereset_audit",
    "e2ereset_audit_heads",
    "e2ereset_audit_purges",
    "e2ereset_audit_sealer",
    "e2ereset_backup_codes",
    "e2ereset_budgets",
    "e2ereset_email_challenges",
    "e2ereset_email_factors",
    "e2ereset_key_pairs",
    "e2ereset_outbox",
    "e2ereset_permissions",
    "e2ereset_roles",
    "e2ereset_totp",
    "e2ereset_role_permissions",
    "rooms",
    "users",
    "emails",
    "subscriptions",
    "tokens",
    "user_roles",
    "waiting_for_keys",
)


def upgrade() -> None:
    """Make the library's tables, seed them, make the server's."""
    make_library_tables()
    seed(op.get_bind())
    make_server_tables()


def downgrade() -> None:
    """Drop every table, and all that is in them."""
    for name in reversed(TABLES):
        op.drop_table(name)


def make_library_tables() -> None:
    """The tables of the library."""
    op.create_table(
        "e2ereset_audit",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("uid", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("caller", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("method", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=255), nullable=False),
        sa.Column("agent", sa.String(length=255), nullable=False),
        sa.Column("outcome", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("position", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_e2ereset_audit"),
        sa.UniqueConstraint("position", name="uq_e2ereset_audit_position"),
        sa.UniqueConstraint("uid", name="uq_e2ereset_audit_uid"),
    )
    op.create_index(
        "ix_e2ereset_audit_unsealed",
        "e2ereset_audit",
        ["id"],
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_table(
        "e2ereset_audit_heads",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("frontier", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("size", name="pk_e2ereset_audit_heads"),
    )
    op.create_table(
        "e2ereset_audit_purges",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("size", name="pk_e2ereset_audit_purges"),
    )
    op.create_table(
        "e2ereset_audit_sealer",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_e2ereset_audit_sealer"),
    )
    op.create_table(
        "e2ereset_backup_codes",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "digest", name="pk_e2ereset_backup_codes"),
    )
    op.create_table(
        "e2ereset_budgets",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("purpose", sa.String(length=255), nullable=False),
        sa.Column("start_1", sa.BigInteger(), nullable=False),
        sa.Column("count_1", sa.Integer(), nullable=False),
        sa.Column("start_2", sa.BigInteger(), nullable=False),
        sa.Column("count_2", sa.Integer(), nullable=False),
        sa.Column("start_3", sa.BigInteger(), nullable=False),
        sa.Column("count_3", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "purpose", name="pk_e2ereset_budgets"),
    )
    op.create_table(
        "e2ereset_email_challenges",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=255), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("phrase", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "action", name="pk_e2ereset_email_challenges"),
    )
    op.create_table(
        "e2ereset_email_factors",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("enabled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_e2ereset_email_factors"),
    )
    op.create_table(
        "e2ereset_key_pairs",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("private_key", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_e2ereset_key_pairs"),
    )
    op.create_table(
        "e2ereset_outbox",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("sealed", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", sa.String(length=64)),
        sa.Column("delivered_at", sa.BigInteger()),
        sa.Column("outcome", sa.String(length=255)),
        sa.PrimaryKeyConstraint("id", name="pk_e2ereset_outbox"),
    )
    op.create_index(
        "ix_e2ereset_outbox_due",
        "e2ereset_outbox",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "e2ereset_permissions",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_e2ereset_permissions"),
    )
    op.create_table(
        "e2ereset_roles",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_e2ereset_roles"),
    )
    op.create_table(
        "e2ereset_totp",
        sa.Column("account_id", sa.String(length=255), nullable=False),
        sa.Column("secret", sa.Text()),
        sa.Column("pending_secret", sa.Text()),
        sa.Column("enabled_at", sa.BigInteger()),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_e2ereset_totp"),
    )
    op.create_table(
        "e2ereset_role_permissions",
        sa.Column("permission", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["permission"],
            ["e2ereset_permissions.name"],
            name="fk_e2ereset_role_permissions_permission",
        ),
        sa.ForeignKeyConstraint(
            ["role"], ["e2ereset_roles.name"], name="fk_e2ereset_role_permissions_role"
        ),
        sa.PrimaryKeyConstraint("permission", "role", name="pk_e2ereset_role_permissions"),
    )


def make_server_tables() -> None:
    """The tables of the standalone server."""
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("e2e_key_id", sa.String(length=255)),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=False),
        sa.Column("username_key", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.String(length=80)),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
    )
    op.create_table(
        "emails",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("address_key", sa.String(length=320), nullable=False),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_emails_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_emails"),
        sa.UniqueConstraint("address_key", name="uq_emails_address_key"),
    )
    op.create_index("ix_emails_user_id", "emails", ["user_id"])
    op.create_table(
        "subscriptions",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("e2e_key", sa.Text()),
        sa.Column("suggested_key", sa.Text()),
        sa.Column("suggested_old_keys", sa.Text()),
        sa.Column("old_keys", sa.Text()),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_subscriptions_room_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_subscriptions_user_id"),
        sa.PrimaryKeyConstraint("user_id", "room_id", name="pk_subscriptions"),
    )
    op.create_index("ix_subscriptions_room_id", "subscriptions", ["room_id"])
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(length=44), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255)),
        sa.Column("bypass_two_factor", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_tokens_user_id"),
        sa.PrimaryKeyConstraint("digest", name="pk_tokens"),
        sa.UniqueConstraint("user_id", "name", name="uq_tokens_user_id_name"),
    )
    op.create_table(
        "user_roles",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_roles_user_id"),
        sa.PrimaryKeyConstraint("user_id", "role", name="pk_user_roles"),
    )
    op.create_table(
        "waiting_for_keys",
        sa.Column("room_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_waiting_for_keys_room_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_waiting_for_keys_user_id"),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_waiting_for_keys"),
    )
