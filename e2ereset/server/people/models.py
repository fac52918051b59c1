"""Users, their e-mail addresses and their roles."""

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from e2ereset.server.tables import Base
from e2ereset.store.tables import Epoch, Key, Name, Serial

FEDERATED = "federated"


class User(Base):
    """A person or a program that signs in; `kind` is `user`, `federated`, `bot` and the like."""

    __tablename__ = "users"
    id: Mapped[Key]
    username: Mapped[Name]
    username_key: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[Name]
    password_hash: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool]
    kind: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[Epoch]
    updated_at: Mapped[int | None] = mapped_column(BigInteger)
    """None until the first change."""
    profile: Mapped[str | None] = mapped_column(Text)
    """JSON of what is kept for clients alone, such as `bio`; None for nothing."""
    emails: Mapped[list["Email"]] = relationship(order_by="Email.id")
    roles: Mapped[list["UserRole"]] = relationship(order_by="UserRole.role")


class Email(Base):
    """An address of a user; it belongs to one user only, verified or not."""

    __tablename__ = "emails"
    id: Mapped[Serial]
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id), index=True)
    address: Mapped[str] = mapped_column(String(320))
    address_key: Mapped[str] = mapped_column(String(320), unique=True)
    verified: Mapped[bool]


class UserRole(Base):
    """A row says that the user has the role; the roles themselves are the library's."""

    __tablename__ = "user_roles"
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id), primary_key=True)
    role: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)
