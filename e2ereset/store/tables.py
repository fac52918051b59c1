"""The library's tables, on a MetaData of their own, free of any foreign key into the host's.

`E2EReset` copies them into the host's metadata, where the host's migrations find them. Times are
epoch seconds in UTC. An account id is the host's, and opaque.
"""

from __future__ import annotations

from typing import Annotated

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Key = Annotated[str, mapped_column(String(255), primary_key=True)]
Name = Annotated[str, mapped_column(String(255))]
Epoch = Annotated[int, mapped_column(BigInteger)]
Serial = Annotated[
    int,
    mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
]


class Base(DeclarativeBase):
    """Declarative base of the library's tables."""

    metadata = MetaData(naming_convention=NAMING)


def table(model: type[DeclarativeBase]) -> Table:
    """The Core table of a declarative model, which the hot statements are built on."""
    made = model.__table__
    assert isinstance(made, Table)  # noqa: S101 - true for every declarative class
    return made


class Role(Base):
    """A role; the higher `rank` outranks the lower."""

    __tablename__ = "e2ereset_roles"
    name: Mapped[Key]
    rank: Mapped[int]


class Permission(Base):
    """A permission that roles can hold."""

    __tablename__ = "e2ereset_permissions"
    name: Mapped[Key]


class RolePermission(Base):
    """The role-permission table: a row says that the role holds the permission."""

    __tablename__ = "e2ereset_role_permissions"
    permission: Mapped[str] = mapped_column(ForeignKey(Permission.name), primary_key=True)
    role: Mapped[str] = mapped_column(ForeignKey(Role.name), primary_key=True)


class Totp(Base):
    """A TOTP enrolment; both secrets are sealed. `last_step` is the highest step ever accepted.

    `last_address` and `last_sign_in`, a keyed digest, tell from where it was; None where nobody
    knows.
    """

    __tablename__ = "e2ereset_totp"
    account_id: Mapped[Key]
    secret: Mapped[str | None] = mapped_column(Text)
    pending_secret: Mapped[str | None] = mapped_column(Text)
    enabled_at: Mapped[int | None] = mapped_column(BigInteger)
    last_step: Mapped[Epoch]
    last_address: Mapped[str | None] = mapped_column(String(255))
    last_sign_in: Mapped[str | None] = mapped_column(String(512))


class BackupCode(Base):
    """A keyed digest of a backup code that is still unused."""

    __tablename__ = "e2ereset_backup_codes"
    account_id: Mapped[Key]
    digest: Mapped[str] = mapped_column(String(80), primary_key=True)


class EmailFactor(Base):
    """A row says that e-mail is enabled as the account's second factor."""

    __tablename__ = "e2ereset_email_factors"
    account_id: Mapped[Key]
    enabled_at: Mapped[Epoch]


class EmailChallenge(Base):
    """The live mailed code of an account for an action; bound to the action's target.

    `extra_digest` is of a second code, mailed because somebody who was not signed in asked for it;
    both die with the tries, each at its own time.
    """

    __tablename__ = "e2ereset_email_challenges"
    account_id: Mapped[Key]
    action: Mapped[Key]
    target: Mapped[str] = mapped_column(Text)
    phrase: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(80))
    tries: Mapped[int]
    sent_at: Mapped[Epoch]
    expires_at: Mapped[Epoch]
    extra_digest: Mapped[str | None] = mapped_column(String(80))
    extra_expires_at: Mapped[int | None] = mapped_column(BigInteger)


class Budget(Base):
    """Three counting windows of an account for a purpose, such as `verify:totp`.

    `failures` are those in a row, over whatever time.
    """

    __tablename__ = "e2ereset_budgets"
    account_id: Mapped[Key]
    purpose: Mapped[Key]
    start_1: Mapped[Epoch]
    count_1: Mapped[int]
    start_2: Mapped[Epoch]
    count_2: Mapped[int]
    start_3: Mapped[Epoch]
    count_3: Mapped[int]
    failures: Mapped[int] = mapped_column(server_default="0")


class KeyPair(Base):
    """An account's E2E key pair, opaque to us; the private key is wrapped by its owner."""

    __tablename__ = "e2ereset_key_pairs"
    account_id: Mapped[Key]
    public_key: Mapped[str] = mapped_column(Text)
    private_key: Mapped[str] = mapped_column(Text)
    set_at: Mapped[Epoch]


class OutboxMail(Base):
    """A queued mail. `sealed` holds its facts until it is delivered, then nothing.

    The lower `urgency` is delivered first. Of one `once` key there is one row at most.
    """

    __tablename__ = "e2ereset_outbox"
    id: Mapped[Serial]
    kind: Mapped[str] = mapped_column(String(64))
    recipient: Mapped[str] = mapped_column(String(320))
    sealed: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[Epoch]
    due_at: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int]
    lease: Mapped[str | None] = mapped_column(String(64))
    delivered_at: Mapped[int | None] = mapped_column(BigInteger)
    outcome: Mapped[str | None] = mapped_column(String(255))
    urgency: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    once: Mapped[str | None] = mapped_column(String(80), index=True, unique=True)

    __table_args__ = (
        # Small whatever has been delivered: a mail leaves it with its last delivery attempt.
        Index(
            "ix_e2ereset_outbox_due",
            "urgency",
            "due_at",
            sqlite_where=text("due_at IS NOT NULL"),
            postgresql_where=text("due_at IS NOT NULL"),
        ),
    )


class AuditRow(Base):
    """One thing that happened. `position` is its leaf in the tree, given by the sealer."""

    __tablename__ = "e2ereset_audit"
    id: Mapped[Serial]
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    at: Mapped[Epoch]
    action: Mapped[Name]
    caller: Mapped[Name]
    target: Mapped[Name]
    method: Mapped[Name]
    address: Mapped[Name]
    agent: Mapped[Name]
    outcome: Mapped[Name]
    reason: Mapped[str] = mapped_column(Text, server_default="")
    digest: Mapped[str] = mapped_column(String(80))
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)

    __table_args__ = (
        Index(
            "ix_e2ereset_audit_unsealed",
            "id",
            sqlite_where=text("position IS NULL"),
            postgresql_where=text("position IS NULL"),
        ),
    )


class AuditHead(Base):
    """A signed head: the root of the tree over the first `size` rows (RFC 9162 section 2.1).

    `frontier` is the compact range of the tree: what the next batch is appended to. Whoever signed
    it had seen that the rows from position `since` on carry our digests.
    """

    __tablename__ = "e2ereset_audit_heads"
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[str] = mapped_column(String(64))
    frontier: Mapped[str] = mapped_column(Text)
    since: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[Epoch]
    digest: Mapped[str] = mapped_column(String(80))


class AuditPurge(Base):
    """A signed record that the first `size` rows were dropped; the log goes on from that head."""

    __tablename__ = "e2ereset_audit_purges"
    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[Epoch]
    digest: Mapped[str] = mapped_column(String(80))


class AuditSealer(Base):
    """One row, whose lock makes sealers take turns. Resets never touch it.

    `mark` is a keyed digest of the newest head and purge: older ones can not pass for them.
    """

    __tablename__ = "e2ereset_audit_sealer"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sealed_at: Mapped[Epoch]
    mark: Mapped[str] = mapped_column(String(80))
