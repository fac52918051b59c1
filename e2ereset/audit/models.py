"""The audit log: its rows, signed heads, purges, and who signs."""

from sqlalchemy import BigInteger, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Epoch, Name, Serial, only_where


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
        Index("ix_e2ereset_audit_unsealed", "id", **only_where("position IS NULL")),
        Index("ix_e2ereset_audit_target", "target", "id"),
        # Few rows: what people do to themselves is found by the target.
        Index("ix_e2ereset_audit_caller", "caller", "id", **only_where("caller <> target")),
        Index("ix_e2ereset_audit_others", "id", **only_where("caller <> target")),
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
