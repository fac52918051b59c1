"""Sign-ins, personal access tokens, and the networks that people sign in from."""

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.server.tables import Base
from e2ereset.store.tables import Epoch, Key

LOGIN = "login"
PERSONAL = "personal"
GRANT = "grant"


class Token(Base):
    """A live sign-in or a personal access token; `digest` is base64(SHA-256(token)).

    A `kind` of its own has a personal token with a grant, which is in a table of the grants.
    `name` is set for personal tokens only, and `last_part`, the end of the token, for those made
    since it is kept. `expires_at` is None for one that never expires. `address` and `agent` say
    from where it was made; None or empty where that is not known. `used_at` is within a day of its
    last use; None for one that was not used later than a day after it was made.
    """

    __tablename__ = "tokens"
    digest: Mapped[str] = mapped_column(String(44), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str | None] = mapped_column(String(255))
    bypass_two_factor: Mapped[bool]
    created_at: Mapped[Epoch]
    expires_at: Mapped[Epoch | None]
    used_at: Mapped[int | None] = mapped_column(BigInteger)
    last_part: Mapped[str | None] = mapped_column(String(6))
    address: Mapped[str | None] = mapped_column(String(255))
    agent: Mapped[str | None] = mapped_column(String(255))
    proven_mark: Mapped[str | None] = mapped_column(String(80))
    proven_until: Mapped[int | None] = mapped_column(BigInteger)
    """The mark of a remembered proof (`ports.RemembersProofs`), and when that is over."""

    # Also the index by which a reset finds a user's tokens.
    __table_args__ = (UniqueConstraint("user_id", "name"),)


class KnownAddress(Base):
    """A network (an IPv4 address, an IPv6 /64) from which the user signed in, and when last."""

    __tablename__ = "known_addresses"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    network: Mapped[Key]
    seen_at: Mapped[Epoch] = mapped_column(index=True)
