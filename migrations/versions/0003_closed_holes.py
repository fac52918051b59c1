"""Failures in a row, second mailed codes, urgent mails, reasons, known addresses, longer hashes."""

from collections.abc import Callable
from unicodedata import normalize

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

from e2ereset.permissions import seed

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DUE = "ix_e2ereset_outbox_due"
WAITING = {f"{name}_where": sa.text("due_at IS NOT NULL") for name in ("sqlite", "postgresql")}
ONCE = "ix_e2ereset_outbox_once"


def columns() -> dict[str, tuple[sa.Column, ...]]:
    """The new columns of each table."""
    return {
        "e2ereset_audit": (sa.Column("reason", sa.Text(), nullable=False, server_default=""),),
        "e2ereset_budgets": (
            sa.Column("failures", sa.Integer(), nullable=False, server_default="0"),
        ),
        "e2ereset_email_challenges": (
            sa.Column("extra_digest", sa.String(length=80), nullable=True),
            sa.Column("extra_expires_at", sa.BigInteger(), nullable=True),
        ),
        "e2ereset_outbox": (
            sa.Column("urgency", sa.SmallInteger(), nullable=False, server_default="1"),
            sa.Column("once", sa.String(length=80), nullable=True),
        ),
        "e2ereset_totp": (
            sa.Column("last_address", sa.String(length=255), nullable=True),
            sa.Column("last_sign_in", sa.String(length=512), nullable=True),
        ),
    }


def resize_hashes(length: int) -> None:
    """Let the column of password hashes hold texts of this length."""
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("users", "password_hash", type_=sa.String(length=length))
        return
    # Not Alembic's way, a new table: other tables refer to this one, with foreign keys switched on.
    op.execute("ALTER TABLE users RENAME COLUMN password_hash TO old_hash")
    op.add_column("users", sa.Column("password_hash", sa.String(length=length), nullable=True))
    op.execute("UPDATE users SET password_hash = old_hash")
    op.execute("ALTER TABLE users DROP COLUMN old_hash")


def name_key(name: str) -> str:
    """As names and addresses are compared from now on."""
    return normalize("NFC", normalize("NFC", name).lower())


def rekey(table: str, column: str, fold: Callable[[str], str]) -> None:
    """Fold the names of this column anew. Raises CommandError where two of them become one."""
    rows = sa.table(table, sa.column("id"), sa.column(column), sa.column(f"{column}_key"))
    name, key = rows.c[column], rows.c[f"{column}_key"]
    held: dict[str, str] = {}
    changed = []
    for row_id, given, present in op.get_bind().execute(sa.select(rows.c.id, name, key)):
        folded = fold(given)
        if folded in held:
            raise CommandError(
                f"{table}: {held[folded]!r} and {given!r} are one {column} from now on."
                " Rename or delete one of them, then run this again."
            )
        held[folded] = given
        if folded != present:
            changed.append({"row": row_id, "parked": f" {len(changed)}", "folded": folded})
    # Parked first: the new key of one row may be the old key of another.
    for value in ("parked", "folded") if changed else ():
        update = rows.update().where(rows.c.id == sa.bindparam("row"))
        op.get_bind().execute(update.values({key.name: sa.bindparam(value)}), changed)


def upgrade() -> None:
    """Add columns and the table; keep everything that is stored."""
    for table, added in columns().items():
        for column in added:
            op.add_column(table, column)
    for kind, urgency in (("code", 0), ("code-asked", 2)):
        op.execute(f"UPDATE e2ereset_outbox SET urgency = {urgency} WHERE kind = '{kind}'")  # noqa: S608 - ours
    op.drop_index(DUE, table_name="e2ereset_outbox")
    op.create_index(DUE, "e2ereset_outbox", ["urgency", "due_at"], **WAITING)
    op.create_index(ONCE, "e2ereset_outbox", ["once"], unique=True)
    resize_hashes(255)
    rekey("users", "username", name_key)
    rekey("emails", "address", name_key)
    op.create_table(
        "known_addresses",
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("network", sa.String(length=255), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_known_addresses_user_id"),
        sa.PrimaryKeyConstraint("user_id", "network", name="pk_known_addresses"),
    )
    op.create_index("ix_known_addresses_seen_at", "known_addresses", ["seen_at"])
    seed(op.get_bind())


def downgrade() -> None:
    """Drop them. Audit rows with a reason verify no more then."""
    op.drop_table("known_addresses")
    rekey("emails", "address", str.casefold)
    rekey("users", "username", str.casefold)
    resize_hashes(80)
    op.drop_index(ONCE, table_name="e2ereset_outbox")
    op.drop_index(DUE, table_name="e2ereset_outbox")
    op.create_index(DUE, "e2ereset_outbox", ["due_at"], **WAITING)
    for table, added in columns().items():
        for column in added:
            op.drop_column(table, column.name)
