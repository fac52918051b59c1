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
    # Room in each page for the row without its keys, so that a reset changes no index.
    __table_args__ = ({"postgresql_with": {"fillfactor": 70}},)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    room_id: Mapped[str] = mapped_column(ForeignKey(Room.id), primary_key=True, index=True)
    e2e_key: Mapped[str | None] = mapped_column(Text)
    suggested_key: Mapped[str | None] = mapped_column(Text)
    suggested_old_keys: Mapped[str | None] = mapped_column(Text)
    old_keys: Mapped[str | None] = mapped_column(Text)


class Waiting(Base):
    """A user waits for a member of the encrypted room to hand out the room key.

    Without foreign keys, whose checks would be half of what a reset with many rooms costs. Who
    deletes a room, a user or a membership deletes these rows too.
    """

    __tablename__ = "waiting_for_keys"
    room_id: Mapped[Key]
    user_id: Mapped[Key]
    since: Mapped[Epoch]
