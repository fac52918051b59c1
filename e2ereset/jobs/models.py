"""The table of the queue."""

from sqlalchemy import BigInteger, Index, SmallInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Epoch, Serial, only_where


class Job(Base):
    """A job. `sealed` holds its encrypted facts until it is done, then nothing.

    `recipient` is empty for a job that is for nobody. The lower `urgency` is done first. Of one
    `once` there is one row at most. `due_at` is empty once the job is over. A job that fails
    at `give_up_at` or later is given up; of one that was, `give_up_at` is the time at which it was.
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
    give_up_at: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        # A job leaves it when it is over, so it stays small.
        Index("ix_e2ereset_outbox_due", "urgency", "due_at", **only_where("due_at IS NOT NULL")),
    )
