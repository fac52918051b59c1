"""Waiting for a room key costs less: rows without foreign keys, and pages with room for updates."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAMES = {"room_id": "rooms", "user_id": "users"}


def upgrade() -> None:
    """Drop both keys, which are most of what a reset with many rooms costs."""
    with op.batch_alter_table("waiting_for_keys") as batch:
        for column in NAMES:
            batch.drop_constraint(f"fk_waiting_for_keys_{column}", type_="foreignkey")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscriptions SET (fillfactor = 70)")


def downgrade() -> None:
    """Make them again. A row that waits for a room or user that is gone is dropped."""
    for column, table in NAMES.items():
        op.execute(
            f"DELETE FROM waiting_for_keys WHERE {column} NOT IN (SELECT id FROM {table})"  # noqa: S608
        )
    with op.batch_alter_table("waiting_for_keys") as batch:
        for column, table in NAMES.items():
            name = f"fk_waiting_for_keys_{column}"
            batch.create_foreign_key(name, table, [column], ["id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE subscriptions RESET (fillfactor)")
