"""Rooms and their members, as far as their keys go."""

from sqlalchemy import ForeignKey, ForeignKeyConstraint, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from e2ereset.server.tables import Base
from e2ereset.store.tables import Epoch, Key

PRIVATE, DIRECT = "p", "d"
"""The kinds of private groups and direct messages, as the wire spells them."""


class Room(Base):
    """A room; `e2e_key_id` names the key that an encrypted room uses now.

    `kind` is the letter of the wire, such as `p`. `created_at` and `updated_at` are 0 where nobody
    has noted them. `key_lease` is held by who gives the room another key, at most until
    `key_lease_until`.
    """

    __tablename__ = "rooms"
    id: Mapped[Key]
    encrypted: Mapped[bool]
    e2e_key_id: Mapped[str | None] = mapped_column(String(255))
    kind: Mapped[str] = mapped_column(String(1), server_default=PRIVATE)
    name: Mapped[str | None] = mapped_column(String(255))
    topic: Mapped[str | None] = mapped_column(Text)
    read_only: Mapped[bool] = mapped_column(server_default=false())
    creator_id: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[Epoch] = mapped_column(server_default="0")
    updated_at: Mapped[Epoch] = mapped_column(server_default="0")
    key_lease: Mapped[str | None] = mapped_column(String(64))
    key_lease_until: Mapped[Epoch | None]


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
    joined_at: Mapped[Epoch] = mapped_column(server_default="0")
    updated_at: Mapped[Epoch] = mapped_column(server_default="0")


class RoomRole(Base):
    """A row says that the member has the role in this room, such as `owner`."""

    __tablename__ = "room_roles"
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    room_id: Mapped[str] = mapped_column(String(255), primary_key=True, index=True)
    role: Mapped[Key]

    __table_args__ = (
        ForeignKeyConstraint(["user_id", "room_id"], [Subscription.user_id, Subscription.room_id]),
    )


class LeftRoom(Base):
    """A user was a member of this room, which may be gone, and is not since `left_at`."""

    __tablename__ = "left_rooms"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    room_id: Mapped[Key]
    left_at: Mapped[Epoch]


class Waiting(Base):
    """A user waits for a member of the encrypted room to hand out the room key.

    Without foreign keys, whose checks would be half of what a reset with many rooms costs. Who
    deletes a room, a user or a membership deletes these rows too.
    """

    __tablename__ = "waiting_for_keys"
    room_id: Mapped[Key]
    user_id: Mapped[Key]
    since: Mapped[Epoch]
