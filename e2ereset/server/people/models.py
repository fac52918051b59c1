"""The standalone server's own tables: users, what they sign in with, and their rooms."""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from e2ereset.store.tables import NAMING, Epoch, Key, Name, Serial

FEDERATED = "federated"
LOGIN = "login"
PERSONAL = "personal"


class Base(DeclarativeBase):
    """Declarative base of the server's tables."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base)


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
    emails: Mapped[list[Email]] = relationship(order_by="Email.id")
    roles: Mapped[list[UserRole]] = relationship(order_by="UserRole.role")


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
    role: Mapped[Key]


class Token(Base):
    """A live sign-in or a personal access token; `digest` is base64(SHA-256(token)).

    `expires_at` is None, and `name` is set, for personal tokens only.
    """

    __tablename__ = "tokens"
    digest: Mapped[str] = mapped_column(String(44), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str | None] = mapped_column(String(255))
    bypass_two_factor: Mapped[bool]
    created_at: Mapped[Epoch]
    expires_at: Mapped[Epoch | None]

    # Also the index by which a reset finds a user's tokens.
    __table_args__ = (UniqueConstraint("user_id", "name"),)


class KnownAddress(Base):
    """A network (an IPv4 address, an IPv6 /64) from which the user signed in, and when last."""

    __tablename__ = "known_addresses"
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id), primary_key=True)
    network: Mapped[Key]
    seen_at: Mapped[Epoch] = mapped_column(index=True)


class Room(Base):
    """A room; `e2e_key_id` names the key that an encrypted room uses now."""

    __tablename__ = "rooms"
    id: Mapped[Key]
    encrypted: Mapped[bool]
    e2e_key_id: Mapped[str | None] = mapped_column(String(255))


class Subscription(Base):
    """A user's membership of a room, with the room key wrapped for that user."""

    __tablename__ = "subscriptions"
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id), primary_key=True)
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id), primary_key=True, index=True)
    e2e_key: Mapped[str | None] = mapped_column(Text)
    suggested_key: Mapped[str | None] = mapped_column(Text)
    suggested_old_keys: Mapped[str | None] = mapped_column(Text)
    old_keys: Mapped[str | None] = mapped_column(Text)


class Waiting(Base):
    """A user waits for a member of the encrypted room to hand out the room key."""

    __tablename__ = "waiting_for_keys"
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id), primary_key=True)
    since: Mapped[Epoch]
