"""Requests of browsers that wait for a proof."""

from sqlalchemy import BigInteger, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.store.tables import Base, Epoch, Key, Name


class KeptRequest(Base):
    """A request that waits for the proof of its action; its `content` is encrypted.

    `browser` is a keyed digest of the browser's cookie, the account and its sign-in. The account's
    id is empty for a sign-in. `owner` is one of the account and the network. `proven_until`: no
    more than the fact is kept that the proof was right, for a page that is then asked for again.
    """

    __tablename__ = "e2ereset_kept_requests"
    id: Mapped[Key]
    browser: Mapped[str] = mapped_column(String(80), index=True)
    owner: Mapped[str | None] = mapped_column(String(80), index=True)
    action: Mapped[Name]
    target: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    proven_until: Mapped[int | None] = mapped_column(BigInteger)
    expires_at: Mapped[Epoch]
