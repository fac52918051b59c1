"""The queue."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Epoch, Serial


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
