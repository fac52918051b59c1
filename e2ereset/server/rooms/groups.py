"""Private groups: make one, change who is in it, delete it, encrypt it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert

from e2ereset import Account, Refusal
from e2ereset.errors import Forbidden, NotAllowed
from e2ereset.records import ActionRequest
from e2ereset.server.people.service import ID_ALPHABET, ID_LENGTH
from e2ereset.store.statements import Statement

from . import members
from .access import (
    ADD_ROLE,
    OWNER,
    ROOMS,
    RoomAct,
    RoomName,
    UnknownRoom,
    act,
    find_room_id,
)
from .acts import Acts
from .listings import get_room
from .models import PRIVATE

NAME = re.compile(r"[0-9A-Za-z._-]{1,128}")
ADD = Statement(insert(ROOMS))


class BadRoomName(Refusal):
    """A room cannot have this name."""

    code = "error-invalid-room-name"
    plain = "A room cannot have this name."


class RoomNameTaken(Refusal):
    """The caller is in a group of this name already."""

    code = "error-duplicate-channel-name"
    plain = "There is a room of this name already."


class NobodyToInvite(Refusal):
    """None of the named people can be invited."""

    code = "error-empty-invite-list"
    reason = "Cannot invite if no valid users are provided"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGroup:
    """A private group to be made; `members` are usernames."""

    name: str
    members: Sequence[str] = ()
    encrypted: bool = False
    read_only: bool = False
    topic: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """People by their ids, or by their usernames."""

    names: Sequence[str]
    by_id: bool = False


@dataclass(frozen=True, slots=True)
class Groups:
    """The use cases of private groups, of one app."""

    acts: Acts

    def create(self, asked: ActionRequest, new: NewGroup) -> dict[str, Any]:
        """Make a group that the caller owns, with those of its members that exist; the group.

        Raises Forbidden, BadRoomName and RoomNameTaken. Names of groups are not unique, as else the
        answer would tell a stranger that there is one: only one's own count.
        """

        def create(making: RoomAct) -> dict[str, Any]:
            """Make the group, and have its members join."""
            if not making.may("create-p"):
                raise Forbidden
            room_id = _add_room(making, new)
            members.join(making, room_id, making.caller_id)
            ADD_ROLE(
                making.session,
                {"user_id": making.caller_id, "room_id": room_id, "role": OWNER},
            )
            making.note("create-room", room_id)
            people = members.find_people(making, new.members, by_id=False)
            members.add_people(making, room_id, _without(people, making.caller_id))
            return get_room(making.session, room_id)

        return act(self.acts, asked, create)

    def invite(self, asked: ActionRequest, named: RoomName, people: People) -> dict[str, Any]:
        """Make these people members; the group. Who is one already, stays one.

        Raises UnknownRoom where the caller is not in the group and may not invite to any,
        NotAllowed where a member may not invite, and NobodyToInvite.
        """

        def invite(inviting: RoomAct) -> dict[str, Any]:
            """Have them join the group."""
            anywhere = inviting.may("add-user-to-any-p-room")
            room = inviting.lock_room(named)
            if room is None or room.kind != PRIVATE:
                raise UnknownRoom
            if not anywhere:
                if not inviting.is_member(room.id):
                    raise UnknownRoom
                if not inviting.may("add-user-to-joined-room", room.id):
                    raise NotAllowed(method="addUsersToRoom")
            found = members.find_people(inviting, people.names, by_id=people.by_id)
            if not found:
                raise NobodyToInvite
            members.add_people(inviting, room.id, found)
            members.touch(inviting, room.id)
            return get_room(inviting.session, room.id)

        return act(self.acts, asked, invite)


def _add_room(making: RoomAct, new: NewGroup) -> str:
    name = new.name.strip()
    where = {"function": "RocketChat.getValidRoomName", "channel_name": name}
    if not NAME.fullmatch(name):
        raise BadRoomName(f"{name} is not a valid room name.", **where)
    # The caller's row is locked: of two calls at once the second one sees the first one's group.
    if find_room_id(making.session, making.caller_id, RoomName(name=name)):
        raise RoomNameTaken(f"A channel with name '{name}' exists", **where)
    room = {
        "id": "".join(making.runtime.entropy.choice(ID_ALPHABET) for _ in range(ID_LENGTH)),
        "kind": PRIVATE,
        "name": name,
        "topic": new.topic,
        "encrypted": new.encrypted,
        "read_only": new.read_only,
        "creator_id": making.caller_id,
        "created_at": making.now,
        "updated_at": making.now,
    }
    ADD(making.session, room)
    return str(room["id"])


def _without(people: Sequence[Account], user_id: str) -> list[Account]:
    return [one for one in people if one.id != user_id]
