"""Passkeys, and what they are to sign."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KEYS, CHALLENGES = "e2ereset_passkeys", "e2ereset_passkey_challenges"


def upgrade() -> None:
    """Make their tables."""
    name, text, number = sa.String(length=255), sa.Text(), sa.BigInteger()
    op.create_table(
        KEYS,
        *(sa.Column(column, name, nullable=False) for column in ("id", "account_id", "name")),
        sa.Column("credential", text, nullable=False),
        sa.Column("transports", name, nullable=False),
        *(sa.Column(column, number, nullable=False) for column in ("counter", "created_at")),
        *(sa.Column(column, number, nullable=True) for column in ("counts_from", "used_at")),
        sa.PrimaryKeyConstraint("id", name=f"pk_{KEYS}"),
    )
    op.create_index(f"ix_{KEYS}_account_id", KEYS, ["account_id"])
    op.create_table(
        CHALLENGES,
        *(sa.Column(column, name, nullable=False) for column in ("account_id", "action")),
        sa.Column("target", text, nullable=False),
        sa.Column("plan", name, nullable=False),
        sa.Column("phrase", text, nullable=False),
        sa.Column("nonce", sa.String(length=80), nullable=True),
        sa.Column("expires_at", number, nullable=False),
        sa.Column("code_digest", sa.String(length=80), nullable=True),
        sa.Column("code_expires_at", number, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "action", name=f"pk_{CHALLENGES}"),
    )


def downgrade() -> None:
    """Drop them: nobody has a passkey then."""
    op.drop_table(CHALLENGES)
    op.drop_table(KEYS)
