"""The statements on room keys. Each names its room and its user, and changes one row."""

from typing import Any

from sqlalchemy import Text, bindparam, delete, exists, func, select, update

from e2ereset.server.rooms.members import ROOM, USER
from e2ereset.server.rooms.models import Room, Subscription, Waiting
from e2ereset.server.rooms.service import NOW
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table

ROOMS, MEMBERS, WAITING = table(Room), table(Subscription), table(Waiting)
BY: Any = bindparam("by")
KEY: Any = bindparam("key", type_=Text)
TOUCHED: dict[str, Any] = {"updated_at": NOW}

THIS = (MEMBERS.c.room_id == ROOM, MEMBERS.c.user_id == USER)
OTHERS = MEMBERS.alias()
BY_MEMBER = exists().where(OTHERS.c.room_id == ROOM, OTHERS.c.user_id == BY)
"""Whether `by`, the caller, is a member of the room."""
SUGGESTED = MEMBERS.c.suggested_key.is_not(None)
NO_SUGGESTION: dict[str, Any] = {"suggested_key": None, "suggested_old_keys": None}

SET_KEY_ID = Statement(
    update(ROOMS)
    .where(ROOMS.c.id == ROOM, ROOMS.c.e2e_key_id.is_(None), BY_MEMBER)
    .values(e2e_key_id=bindparam("key_id"), **TOUCHED)
)
KEEP = Statement(update(MEMBERS).where(*THIS).values(e2e_key=KEY, **TOUCHED))
# In the order in which a restart of the room locks its members, so that nobody deadlocks. It is the
# database's, which is not always that of Python.
ROOMS_OF = Statement(
    select(MEMBERS.c.room_id).where(MEMBERS.c.user_id == BY).order_by(MEMBERS.c.room_id)
)
MEMBERS_OF = Statement(
    select(MEMBERS.c.user_id).where(MEMBERS.c.room_id == ROOM).order_by(MEMBERS.c.user_id)
)
# This one and the next are for many rows at once.
SUGGEST_ALL = (
    update(MEMBERS)
    .where(*THIS, BY_MEMBER)
    .values(suggested_key=KEY, suggested_old_keys=bindparam("old", type_=Text), **TOUCHED)
)
ALL_STOP_WAITING = delete(WAITING).where(WAITING.c.room_id == ROOM, WAITING.c.user_id == USER)
SUGGEST = Statement(update(MEMBERS).where(*THIS, BY_MEMBER).values(suggested_key=KEY, **TOUCHED))
ACCEPT = Statement(
    update(MEMBERS)
    .where(*THIS, SUGGESTED)
    .values(
        e2e_key=MEMBERS.c.suggested_key,
        # Somebody else's old keys never take the place of one's own.
        old_keys=func.coalesce(MEMBERS.c.old_keys, MEMBERS.c.suggested_old_keys),
        **NO_SUGGESTION,
        **TOUCHED,
    )
)
REJECT = Statement(update(MEMBERS).where(*THIS, SUGGESTED).values(NO_SUGGESTION | TOUCHED))
STOP_WAITING = Statement(ALL_STOP_WAITING)
