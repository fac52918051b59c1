"""Rooms as clients see them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from e2ereset.records import iso
from e2ereset.server.people.accounts import USERS
from e2ereset.store.tables import table

from .access import ROOMS, SUBSCRIPTIONS
from .models import Waiting
from .service import LISTED

WAITING = table(Waiting)
KEY: Any = bindparam("key")

MEMBERS = (
    select(func.count()).where(SUBSCRIPTIONS.c.room_id == ROOMS.c.id).scalar_subquery()
).label("members")
ROOM_ROWS = select(ROOMS, MEMBERS, USERS.c.username.label("creator")).select_from(
    ROOMS.outerjoin(USERS, USERS.c.id == ROOMS.c.creator_id)
)
ROOM = ROOM_ROWS.where(ROOMS.c.id == KEY)
QUEUES = (
    select(WAITING)
    .where(WAITING.c.room_id.in_(bindparam("rooms", expanding=True)))
    .order_by(WAITING.c.since, WAITING.c.user_id)
)


def get_room(session: Session, room_id: str) -> dict[str, Any]:
    """The room, which exists, as clients see it."""
    return rooms_of_rows(session, session.execute(ROOM, {"key": room_id}).all())[0]


def rooms_of_rows(session: Session, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The rooms of these `ROOM_ROWS`, each with those who wait for its key."""
    queues = defaultdict(list)
    for row in session.execute(QUEUES, {"rooms": [row.id for row in rows]}):
        queues[row.room_id].append(row)
    return [_room(row, queues[row.id][:LISTED]) for row in rows]


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
        "usersWaitingForE2EKeys": [{"userId": one.user_id, "ts": iso(one.since)} for one in queue]
        or None,
        "ts": iso(row.created_at),
        "_updatedAt": iso(updated_at),
    }
    if row.creator_id is None:
        del found["u"]
    return {name: value for name, value in found.items() if value is not None}
