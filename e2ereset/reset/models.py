"""The holds of resets."""

from sqlalchemy.orm import Mapped

from e2ereset.store.tables import Base, Epoch, Key


class ResetHold(Base):
    """Nobody resets the key of this account from `since` until `until`, in epoch seconds."""

    __tablename__ = "e2ereset_reset_holds"
    account_id: Mapped[Key]
    since: Mapped[Epoch]
    until: Mapped[Epoch]
