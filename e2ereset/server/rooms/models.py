"""Rooms and their members, as far as their keys go."""

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.server.tables import Base
from e2ereset.store.tables import Epoch, Key


class Room(Base):
    """A room; `e2e_key_id` names the key that an encrypted room uses now."""

    __tablename__ = "rooms"
    id: Mapped[Key]
    encrypted: Mapped[bool]
    e2e_key_id: Mapped[str | None] = mapped_column(String(255))


class Subscription(Base):
    """A user's membership of a room, with the room key wrapped for that user."""

    __tablename__ = "subscriptions"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id), primary_key=True, index=True)
    e2e_key: Mapped[str | None] = mapped_column(Text)
    suggested_key: Mapped[str | None] = mapped_column(Text)
    suggested_old_keys: Mapped[str | None] = mapped_column(Text)
    old_keys: Mapped[str | None] = mapped_column(Text)


class Waiting(Base):
    """A user waits for a member of the encrypted room to hand out the room key."""

    __tablename__ = "waiting_for_keys"
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    since: Mapped[Epoch]
