"""Rooms as clients see them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from e2ereset.http import Page
from e2ereset.records import iso
from e2ereset.server.people.accounts import USERS
from e2ereset.store.tables import table

from .access import ROOMS, SUBSCRIPTIONS
from .models import PRIVATE, Waiting
from .service import LISTED

WAITING = table(Waiting)
KEY: Any = bindparam("key")
SINCE: Any = bindparam("since", type_=BigInteger)
MINE = SUBSCRIPTIONS.c.user_id == bindparam("user")

MEMBERS = (
    select(func.count())
    .where(SUBSCRIPTIONS.c.room_id == ROOMS.c.id)
    .correlate(ROOMS)
    .scalar_subquery()
    .label("members")
)
ROOM_ROWS = select(ROOMS, MEMBERS, USERS.c.username.label("creator")).select_from(
    ROOMS.outerjoin(USERS, USERS.c.id == ROOMS.c.creator_id)
)
ROOM = ROOM_ROWS.where(ROOMS.c.id == KEY)
OWN_ROOMS = ROOM_ROWS.where(ROOMS.c.id.in_(select(SUBSCRIPTIONS.c.room_id).where(MINE)))
NEWLY_WAITED = exists().where(WAITING.c.room_id == ROOMS.c.id, WAITING.c.since >= SINCE)
CHANGED_ROOMS = OWN_ROOMS.where(or_(ROOMS.c.updated_at >= SINCE, NEWLY_WAITED))
OWN_GROUPS = OWN_ROOMS.where(ROOMS.c.kind == PRIVATE)
COUNT_GROUPS = (
    select(func.count())
    .select_from(SUBSCRIPTIONS.join(ROOMS, ROOMS.c.id == SUBSCRIPTIONS.c.room_id))
    .where(MINE, ROOMS.c.kind == PRIVATE)
)
QUEUES = (
    select(WAITING)
    .where(WAITING.c.room_id.in_(bindparam("rooms", expanding=True)))
    .order_by(WAITING.c.since, WAITING.c.user_id)
)
GROUP_COLUMNS = {"name": ROOMS.c.name, "ts": ROOMS.c.created_at, "_id": ROOMS.c.id}
"""What a list of groups can be sorted by."""


def get_room(session: Session, room_id: str) -> dict[str, Any]:
    """The room, which exists, as clients see it."""
    return _read(session, session.execute(ROOM, {"key": room_id}).all())[0]


def own_rooms(session: Session, user_id: str, since: int | None) -> list[dict[str, Any]]:
    """The rooms that the user is in; with `since` (epoch seconds) those changed since then."""
    if since is None:
        rows = session.execute(OWN_ROOMS.order_by(ROOMS.c.id), {"user": user_id})
    else:
        changed = CHANGED_ROOMS.order_by(ROOMS.c.id)
        rows = session.execute(changed, {"user": user_id, "since": since})
    return _read(session, rows.all())


def own_groups(session: Session, user_id: str, page: Page) -> tuple[list[dict[str, Any]], int]:
    """A page of the private groups that the user is in, and how many these are."""
    mine = {"user": user_id}
    listed = OWN_GROUPS.order_by(*page.order).offset(page.offset).limit(page.limit)
    total = session.scalar(COUNT_GROUPS, mine)
    return _read(session, session.execute(listed, mine).all()), total or 0


def _read(session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The rooms of these `ROOM_ROWS`, each with those who wait for its key."""
    queues = defaultdict(list)
    for row in session.execute(QUEUES, {"rooms": [row.id for row in rows]}):
        queues[row.room_id].append(row)
    return [_room(row, queues[row.id]) for row in rows]


def _room(row: Any, queue: Sequence[Any]) -> dict[str, Any]:
    # A reset puts its user into queues without a word to the rooms, which others use at that time.
    updated_at = max([row.updated_at, *(one.since for one in queue)])
    found = {
        "_id": row.id,
        "t": row.kind,
        "name": row.name,
        "fname": row.name,
        "u": {"_id": row.creator_id, "username": row.creator},
        "topic": row.topic,
        "usersCount": row.members,
        "msgs": 0,
        "ro": row.read_only,
        "broadcast": False,
        "encrypted": row.encrypted,
        "e2eKeyId": row.e2e_key_id,
        "usersWaitingForE2EKeys": [
            {"userId": one.user_id, "ts": iso(one.since)} for one in queue[:LISTED]
        ]
        or None,
        "ts": iso(row.created_at),
        "_updatedAt": iso(updated_at),
    }
    if row.creator_id is None:
        del found["u"]
    return {name: value for name, value in found.items() if value is not None}
