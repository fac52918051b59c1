"""Rooms and memberships that were made on another server, with their keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from e2ereset.store.statements import Statement
from e2ereset.store.tables import table

from .access import ADD_ROLE
from .models import LeftRoom, Room, Subscription
from .service import wait_for_key

ROOMS, MEMBERS, LEFT = table(Room), table(Subscription), table(LeftRoom)
ADD_ROOM = Statement(lambda insert: insert(ROOMS).on_conflict_do_nothing())
ADD_MEMBER = Statement(lambda insert: insert(MEMBERS).on_conflict_do_nothing())
THERE = Statement(select(ROOMS.c.id).where(ROOMS.c.id == bindparam("room")))
HAS_LEFT = Statement(
    select(LEFT.c.left_at).where(
        LEFT.c.user_id == bindparam("user"), LEFT.c.room_id == bindparam("room")
    )
)


def keep_room(session: Session, room: Mapping[str, Any]) -> bool:
    """Store a room, by the names of the columns. False where one of this id is there."""
    return ADD_ROOM(session, room).rowcount == 1


def has_room(session: Session, room_id: str) -> bool:
    """Whether there is this room."""
    return bool(THERE(session, {"room": room_id}))


def has_left(session: Session, user_id: str, room_id: str) -> bool:
    """Whether the user was a member of the room on this server, and is none any more."""
    return bool(HAS_LEFT(session, {"user": user_id, "room": room_id}))


def keep_membership(
    session: Session, member: Mapping[str, Any], roles: Sequence[str], now: int
) -> bool:
    """Store a membership by the names of the columns; the user and the room are there.

    Without a key, or a suggested one, of an encrypted room the member waits for it since `now`.
    False where the user is a member already.
    """
    if not ADD_MEMBER(session, member).rowcount:
        return False
    user_id, room_id = member["user_id"], member["room_id"]
    for role in dict.fromkeys(roles):
        ADD_ROLE(session, {"user_id": user_id, "room_id": room_id, "role": role})
    if member["suggested_key"] is None:
        wait_for_key(session, user_id, room_id, now)
    return True
