"""Memberships as clients see them: subscriptions, the members of a group, and what was left."""

import json
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, or_, select
from sqlalchemy.orm import Session

from e2ereset import name_key
from e2ereset.http import Page
from e2ereset.records import iso
from e2ereset.server.people.accounts import USERS

from .access import ROOM_ROLES, ROOMS, SUBSCRIPTIONS
from .members import LEFT, ROOM

SINCE: Any = bindparam("since", type_=BigInteger)
MINE = SUBSCRIPTIONS.c.user_id == bindparam("user")

SUBSCRIPTION_ROWS = (
    select(
        SUBSCRIPTIONS,
        ROOMS.c.kind,
        ROOMS.c.name,
        USERS.c.username,
        USERS.c.name.label("full_name"),
    )
    .select_from(SUBSCRIPTIONS)
    .join(ROOMS, ROOMS.c.id == SUBSCRIPTIONS.c.room_id)
    .join(USERS, USERS.c.id == SUBSCRIPTIONS.c.user_id)
    .where(MINE)
    .order_by(SUBSCRIPTIONS.c.room_id)
)
OWN_ROLES = select(ROOM_ROLES).where(ROOM_ROLES.c.user_id == bindparam("user"))
LEFT_SINCE = (
    select(LEFT)
    .where(LEFT.c.user_id == bindparam("user"), LEFT.c.left_at >= SINCE)
    .order_by(LEFT.c.room_id)
)
IN_ROOM = (
    select(USERS.c.id, USERS.c.username, USERS.c.name)
    .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.user_id == USERS.c.id)
    .where(SUBSCRIPTIONS.c.room_id == ROOM, USERS.c.active)
)
MEMBER_COLUMNS = {"username": USERS.c.username_key, "name": USERS.c.name}
"""What a list of members can be sorted by."""


def own_subscriptions(session: Session, user_id: str, since: int | None) -> list[dict[str, Any]]:
    """The user's subscriptions; with `since` (epoch seconds) those changed since then."""
    changed = SUBSCRIPTION_ROWS
    if since is not None:
        changed = changed.where(SUBSCRIPTIONS.c.updated_at >= since)
    return _read(session, user_id, changed)


def find_subscription(session: Session, user_id: str, room_id: str) -> dict[str, Any] | None:
    """The user's subscription of this room; None when the user is not in it."""
    found = _read(session, user_id, SUBSCRIPTION_ROWS.where(SUBSCRIPTIONS.c.room_id == room_id))
    return found[0] if found else None


def left_since(session: Session, user_id: str, since: int) -> list[tuple[str, str]]:
    """The rooms that the user is not in any more since then, each with its time on the wire."""
    rows = session.execute(LEFT_SINCE, {"user": user_id, "since": since})
    return [(row.room_id, iso(row.left_at)) for row in rows]


def list_members(
    session: Session, room_id: str, page: Page, wanted: str
) -> tuple[list[dict[str, Any]], int]:
    """A page of the active members of the room whose names have `wanted` in them; how many."""
    members = IN_ROOM
    if wanted:
        in_username = USERS.c.username_key.contains(name_key(wanted), autoescape=True)
        in_name = func.lower(USERS.c.name).contains(wanted.lower(), autoescape=True)
        members = members.where(or_(in_username, in_name))
    this = {"room": room_id}
    total = session.scalar(select(func.count()).select_from(members.subquery()), this)
    listed = members.order_by(*page.order).offset(page.offset).limit(page.limit)
    found = [
        {"_id": row.id, "username": row.username, "name": row.name, "status": "offline"}
        for row in session.execute(listed, this)
    ]
    return found, total or 0


def subscription_id(room_id: str, user_id: str) -> str:
    """The id of a subscription on the wire: nobody looks one up by it."""
    return room_id + user_id


def _read(session: Session, user_id: str, rows: Any) -> list[dict[str, Any]]:
    mine = {"user": user_id}
    roles: dict[str, list[str]] = {}
    for held in session.execute(OWN_ROLES, mine):
        roles.setdefault(held.room_id, []).append(held.role)
    found = session.execute(rows, mine)
    return [_subscription(row, sorted(roles.get(row.room_id, []))) for row in found]


def _subscription(row: Any, roles: list[str]) -> dict[str, Any]:
    keys = {
        "E2EKey": row.e2e_key,
        "E2ESuggestedKey": row.suggested_key,
        "oldRoomKeys": row.old_keys and json.loads(row.old_keys),
        "suggestedOldRoomKeys": row.suggested_old_keys and json.loads(row.suggested_old_keys),
    }
    return {
        "_id": subscription_id(row.room_id, row.user_id),
        "rid": row.room_id,
        "t": row.kind,
        "name": row.name,
        "fname": row.name,
        "u": {"_id": row.user_id, "username": row.username, "name": row.full_name},
        "roles": roles,
        "open": True,
        "alert": False,
        "unread": 0,
        "userMentions": 0,
        "groupMentions": 0,
        **{name: value for name, value in keys.items() if value},
        "ts": iso(row.joined_at),
        "ls": iso(row.joined_at),
        "_updatedAt": iso(row.updated_at),
    }
