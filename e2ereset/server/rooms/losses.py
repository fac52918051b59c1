"""Which rooms a reset makes unreadable, and whether somebody else has their key."""

from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, tuple_
from sqlalchemy.orm import Session

from e2ereset.records import LostRoom
from e2ereset.server.people.accounts import is_active
from e2ereset.server.sessions.tokens import IS_LIVE_SIGN_IN, LAST_SEEN, TOKENS
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table
from e2ereset.store.transactions import run

from .models import Room, Subscription
from .service import KEYS

ROOMS, MINE = table(Room), table(Subscription)
OTHERS, HOLDER = MINE.alias(), MINE.alias()
OWNED = (
    MINE.c.user_id == bindparam("account"),
    or_(*(MINE.c[name].is_not(None) for name in KEYS)),
)
HOLDS = and_(
    OTHERS.c.room_id == MINE.c.room_id,
    OTHERS.c.user_id != MINE.c.user_id,
    # A key that was suggested is as good: the client takes it as soon as it is open.
    or_(OTHERS.c.e2e_key.is_not(None), OTHERS.c.suggested_key.is_not(None)),
    # Who cannot sign in gives no key back.
    is_active(OTHERS.c.user_id),
)
HOLDERS: Any = select(func.count()).where(HOLDS).scalar_subquery().label("holders")
SEEN: Any = (
    select(LAST_SEEN)
    .where(HOLDS, TOKENS.c.user_id == OTHERS.c.user_id, IS_LIVE_SIGN_IN)
    .scalar_subquery()
    .label("seen_at")
)
"""When one of them was last seen. It needs `now`."""
LOST = (
    select(ROOMS.c.id, ROOMS.c.name, HOLDERS, SEEN)
    .join(MINE, MINE.c.room_id == ROOMS.c.id)
    .where(*OWNED)
    .order_by(ROOMS.c.id)
)
# One of each room is enough, and the same for everybody: who shares a lock does not wait.
FIRST = (select(OTHERS.c.room_id, func.min(OTHERS.c.user_id)).where(*OWNED, HOLDS)).group_by(
    OTHERS.c.room_id
)
LOCK_HOLDERS = Statement(
    select(HOLDER.c.room_id)
    .where(tuple_(HOLDER.c.room_id, HOLDER.c.user_id).in_(FIRST))
    .order_by(HOLDER.c.room_id)
    .with_for_update(read=True)
)


def lost_rooms(session: Session, account_id: str, now: int) -> tuple[LostRoom, ...]:
    """The rooms of which the user has any key, by id."""
    rows = run(session, LOST, {"account": account_id, "now": now})
    return tuple(LostRoom(**{**row._mapping, "name": row.name or ""}) for row in rows)


def lock_holders(session: Session, account_id: str) -> None:
    """Lock, of each room of the user's, the key of one other who has it, until the commit.

    Nobody drops it meanwhile. If somebody is dropping it already, this waits for the end of that.
    """
    LOCK_HOLDERS(session, {"account": account_id})
