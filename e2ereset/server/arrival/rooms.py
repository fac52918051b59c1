"""Rooms and memberships that arrive, with their room keys."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from e2ereset.cli.rows import BadRow
from e2ereset.records import iso
from e2ereset.server.people.accounts import get_account
from e2ereset.server.roles.seeds import ROOM_ROLES
from e2ereset.server.rooms import arrivals
from e2ereset.server.rooms.encryption import WITH_KEYS
from e2ereset.server.rooms.keys.service import OLD_KEYS

from .outcome import PRESENT, STORED, UNUSED, Arriving, Took
from .schemas import RoomRow, SubscriptionRow

ROOM, SUBSCRIPTION = RoomRow(), SubscriptionRow()


def take_room(arriving: Arriving, given: Mapping[str, Any]) -> Took:
    """Store a room that can be encrypted. A room of this id is left as it is."""
    row = ROOM.load(given)
    if row["kind"] not in WITH_KEYS:
        return Took(UNUSED)
    room = {name: row[name] for name in ("id", "kind", "name", "topic", "created_at", "updated_at")}
    room |= {
        "read_only": row["read_only"],
        "encrypted": row["encrypted"],
        "e2e_key_id": row["key_id"],
        "creator_id": row["creator"] and row["creator"]["id"],
    }
    with arriving.begin() as session:
        return Took(STORED if arrivals.keep_room(session, room) else PRESENT)


def take_subscription(arriving: Arriving, given: Mapping[str, Any]) -> Took:
    """Store a membership with its room keys. One that is there is left as it is.

    Raises BadRow where the user or the room is not there, and for who has left the room here.
    """
    row, acting = SUBSCRIPTION.load(given), arriving.acting
    if row["kind"] not in WITH_KEYS:
        return Took(UNUSED)
    user_id, room_id = row["user"]["id"], row["room_id"]
    roles = [role for role in row["roles"] if role in ROOM_ROLES]
    with arriving.begin() as session:
        if get_account(session, user_id) is None:
            raise BadRow("Its user is not here.")
        if not arrivals.has_room(session, room_id):
            raise BadRow("Its room is not here.")
        if arrivals.has_left(session, user_id, room_id):
            raise BadRow("Its user has left the room on this server.")
        if not arrivals.keep_membership(session, _member(row), roles, acting.now):
            return Took(PRESENT)
    return Took(STORED, _without(row, roles))


def _member(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "user_id": row["user"]["id"],
        "room_id": row["room_id"],
        "e2e_key": row["key"] or None,
        "suggested_key": row["suggested"] or None,
        "suggested_old_keys": _old_keys(row["suggested_old_keys"]) if row["suggested"] else None,
        "old_keys": _old_keys(row["old_keys"]),
        "joined_at": row["joined_at"],
        "updated_at": row["updated_at"],
    }


def _old_keys(keys: Sequence[Mapping[str, Any]]) -> str | None:
    """Old keys as they are stored: newest first, as on the wire."""
    kept = [
        {"e2eKeyId": key["key_id"], "ts": iso(key["at"]), "E2EKey": key["key"]}
        for key in keys[:OLD_KEYS]
    ]
    return json.dumps(kept, separators=(",", ":")) if kept else None


def _without(row: Mapping[str, Any], roles: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted(set(row["roles"]).difference(roles))
    without = [f"Roles in the room: {', '.join(unknown)} are not known."] if unknown else []
    if len(row["old_keys"]) > OLD_KEYS:
        without.append(f"Old keys: only the newest {OLD_KEYS} are kept.")
    return tuple(without)
