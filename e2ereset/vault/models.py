"""The E2E key pairs."""

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Epoch, Key


class KeyPair(Base):
    """An account's E2E key pair, opaque to us. The owner has wrapped the private key."""

    __tablename__ = "e2ereset_key_pairs"
    account_id: Mapped[Key]
    public_key: Mapped[str] = mapped_column(Text)
    private_key: Mapped[str] = mapped_column(Text)
    set_at: Mapped[Epoch]
