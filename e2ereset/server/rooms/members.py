"""Who is in a room: joining and leaving, with all that hangs on it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import BigInteger, Executable, bindparam, delete, select, update

from e2ereset import Account
from e2ereset.server.people import accounts
from e2ereset.store.retained import NOW, Expiring
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table

from .access import OWNER, ROOM_ROLES, ROOMS, SUBSCRIPTIONS, RoomAct
from .models import LeftRoom, Waiting
from .service import wait_for_key

LEFT, WAITING = table(LeftRoom), table(Waiting)
KEEP_LEFT_SECONDS = 90 * 86400
"""For so long a client that asks what is new is told of rooms that its user is not in any more."""
EXPIRING = Expiring("left rooms", LEFT, LEFT.c.left_at <= NOW - KEEP_LEFT_SECONDS)

ROOM: Any = bindparam("room")
USER: Any = bindparam("user")
JOIN = Statement(lambda insert: insert(SUBSCRIPTIONS).on_conflict_do_nothing())
IN_ROOM = {rows: (rows.c.user_id == USER, rows.c.room_id == ROOM) for rows in (LEFT, WAITING)}
COME_BACK, STOP_WAITING = (Statement(delete(rows).where(*IN_ROOM[rows])) for rows in IN_ROOM)
DROP_ROLES = Statement(
    delete(ROOM_ROLES).where(ROOM_ROLES.c.user_id == USER, ROOM_ROLES.c.room_id == ROOM)
)
LEAVE = Statement(
    delete(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.user_id == USER, SUBSCRIPTIONS.c.room_id == ROOM)
)
TOUCH = Statement(
    update(ROOMS).where(ROOMS.c.id == ROOM).values(updated_at=bindparam("now", type_=BigInteger))
)
OTHER_OWNERS = select(ROOM_ROLES.c.user_id).where(
    ROOM_ROLES.c.role == OWNER,
    ROOM_ROLES.c.user_id != USER,
    accounts.is_active(ROOM_ROLES.c.user_id),
)
"""The owners who can sign in, but for this one."""
OTHER_OWNERS_IN = Statement(OTHER_OWNERS.where(ROOM_ROLES.c.room_id == ROOM))


def noted_again(noting: Any) -> Executable:
    """This INSERT of left rooms, for users who have left the room before, too."""
    newer = {"left_at": noting.excluded.left_at}
    again: Executable = noting.on_conflict_do_update(
        index_elements=["user_id", "room_id"], set_=newer
    )
    return again


NOTE_LEFT = Statement(lambda insert: noted_again(insert(LEFT)))


def find_people(act: RoomAct, names: Iterable[str], *, by_id: bool) -> list[Account]:
    """The active accounts of these ids, or else usernames, locked until the commit.

    Names that nobody has are left out.
    """
    find = accounts.get_account if by_id else accounts.find_account
    found = {one.id: one for name in dict.fromkeys(names) if (one := find(act.session, name))}
    # In one order, so that two who invite the same people cannot deadlock.
    return [found[key] for key in sorted(found) if accounts.lock_active(act.session, key)]


def join(act: RoomAct, room_id: str, user_id: str) -> bool:
    """Make the user a member of the room, whose row is locked. False for one who is in it."""
    row = {"user_id": user_id, "room_id": room_id, "joined_at": act.now, "updated_at": act.now}
    if not JOIN(act.session, row).rowcount:
        return False
    COME_BACK(act.session, {"user": user_id, "room": room_id})
    return True


def add_people(act: RoomAct, room_id: str, people: Iterable[Account]) -> None:
    """Make these people members, who wait for the key if the room is encrypted.

    The room's row is locked.
    """
    for person in people:
        if join(act, room_id, person.id):
            wait_for_key(act.session, person.id, room_id, act.now)
            act.note("invite-to-room", room_id, person.id)


def remove(act: RoomAct, room_id: str, user_id: str) -> bool:
    """End a membership, with its roles, keys and place in the waiting list. False for no member.

    The room's row is locked.
    """
    mine = {"user": user_id, "room": room_id}
    accounts.lock_account(act.session, user_id)  # a reset locks it before the memberships, too
    DROP_ROLES(act.session, mine)
    if not LEAVE(act.session, mine).rowcount:
        return False
    STOP_WAITING(act.session, mine)
    NOTE_LEFT(act.session, {"user_id": user_id, "room_id": room_id, "left_at": act.now})
    touch(act, room_id)
    return True


def touch(act: RoomAct, room_id: str) -> None:
    """Note that the room has changed, for clients that ask what is new."""
    TOUCH(act.session, {"room": room_id, "now": act.now})


def is_last_owner(act: RoomAct, room_id: str, user_id: str) -> bool:
    """Whether the user owns the room, whose row is locked, and no other owner can sign in."""
    others = OTHER_OWNERS_IN(act.session, {"room": room_id, "user": user_id})
    return OWNER in act.roles_in(room_id, user_id) and others.first() is None
