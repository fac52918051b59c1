"""What becomes of the rooms of a user who is deleted, or switched off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from e2ereset.errors import E2EResetError
from e2ereset.server.people.accounts import USERS
from e2ereset.store.statements import Statement
from e2ereset.store.transactions import run

from .access import ADD_ROLE, OWNER, ROOM_ROLES, ROOMS, SUBSCRIPTIONS
from .leaving import drop_room
from .members import OTHER_OWNERS, USER
from .models import DIRECT, PRIVATE
from .service import NOW

OTHERS = SUBSCRIPTIONS.alias()
IN_THIS = and_(OTHERS.c.room_id == ROOMS.c.id, OTHERS.c.user_id != USER)
MINE = ROOMS.c.id.in_(select(SUBSCRIPTIONS.c.room_id).where(SUBSCRIPTIONS.c.user_id == USER))
OWNED = exists().where(
    ROOM_ROLES.c.room_id == ROOMS.c.id, ROOM_ROLES.c.user_id == USER, ROOM_ROLES.c.role == OWNER
)
OTHER_OWNED = OTHER_OWNERS.where(ROOM_ROLES.c.room_id == ROOMS.c.id).correlate(ROOMS).exists()
HEIR = (
    select(OTHERS.c.user_id)
    .join(USERS, USERS.c.id == OTHERS.c.user_id)
    .where(IN_THIS, USERS.c.active)
    .order_by(OTHERS.c.joined_at, OTHERS.c.user_id)
    .limit(1)
)
COUNT_OTHERS = select(func.count()).select_from(OTHERS).where(IN_THIS)

# All of them, so that nobody leaves the user alone in one meanwhile.
LOCK_ROOMS = select(ROOMS.c.id).where(MINE).order_by(ROOMS.c.id).with_for_update(key_share=True)
TOUCH_ROOMS = update(ROOMS).where(MINE).values(updated_at=NOW)
TOUCH_MEMBER = Statement(
    update(SUBSCRIPTIONS)
    .where(SUBSCRIPTIONS.c.user_id == USER, SUBSCRIPTIONS.c.room_id == bindparam("room"))
    .values(updated_at=NOW)
)
ROOM_ROWS = (
    select(
        ROOMS.c.id,
        func.coalesce(ROOMS.c.name, ROOMS.c.id).label("name"),
        ROOMS.c.kind,
        and_(OWNED, ~OTHER_OWNED).label("is_last"),
        HEIR.correlate(ROOMS).scalar_subquery().label("heir"),
        COUNT_OTHERS.correlate(ROOMS).scalar_subquery().label("others"),
    )
    .where(MINE)
    .order_by(ROOMS.c.id)
)


class LastOwner(E2EResetError):
    """Rooms would be left without an owner. `passed` would get another one, by their names."""

    def __init__(self, passed: Sequence[str], deleted: Sequence[str]) -> None:
        self.passed, self.deleted = passed, deleted
        others, nobody = ", ".join(passed) or "none", ", ".join(deleted) or "none"
        super().__init__(
            "The user is the last owner, or the only member, of rooms."
            f" Would get another owner: {others}. Would be deleted: {nobody}."
            " With --relinquish this is done."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Rooms that were given up: the new owners, by room, and the rooms that were deleted."""

    owners: Mapping[str, str]
    deleted: list[str]


def give_up_rooms(
    session: Session, account_id: str, now: int, *, confirmed: bool, for_good: bool
) -> GivenUp:
    """Give the rooms whose last owner this is to others, and delete those that have no others.

    Memberships stay. With `for_good` direct messages with one other go, too. The user's row is
    locked. Raises LastOwner where there are such rooms and this is not `confirmed`.
    """
    mine = {"user": account_id}
    run(session, LOCK_ROOMS, mine)
    rows = run(session, ROOM_ROWS, mine).all()
    passed = [row for row in rows if row.is_last and row.heir]
    empty = [row for row in rows if _is_left_empty(row)]
    if (passed or empty) and not confirmed:
        raise LastOwner(_names(passed), _names(empty))
    run(session, TOUCH_ROOMS, {**mine, "now": now})
    for row in passed:
        ADD_ROLE(session, {"user_id": row.heir, "room_id": row.id, "role": OWNER})
        TOUCH_MEMBER(session, {"user": row.heir, "room": row.id, "now": now})
    pairs = [row for row in rows if for_good and row.kind == DIRECT and row.others <= 1]
    gone = [row.id for row in (*empty, *pairs)]
    for room_id in gone:
        drop_room(session, room_id, now)
    return GivenUp(owners={row.id: row.heir for row in passed}, deleted=gone)


def _is_left_empty(row: Any) -> bool:
    return row.kind == PRIVATE and not row.heir and (row.is_last or not row.others)


def _names(rows: Sequence[Any]) -> list[str]:
    return [row.name for row in rows]
