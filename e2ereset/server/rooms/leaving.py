"""The ends of memberships and of private groups."""

from dataclasses import dataclass

from sqlalchemy import Executable, delete, select
from sqlalchemy.orm import Session

from e2ereset import Refusal
from e2ereset.errors import NotAllowed, TargetParamMissing, UnknownTarget
from e2ereset.records import ActionRequest, TargetName
from e2ereset.server.people import accounts
from e2ereset.store.statements import Inserts, Statement

from .access import ROOM_ROLES, ROOMS, SUBSCRIPTIONS, RoomAct, RoomName, act
from .acts import Acts
from .members import LEFT, ROOM, WAITING, is_last_owner, noted_again, remove
from .service import NOW

DROP_ROOM = [
    *(
        Statement(delete(t).where(t.c.room_id == ROOM))
        for t in (ROOM_ROLES, SUBSCRIPTIONS, WAITING)
    ),
    Statement(delete(ROOMS).where(ROOMS.c.id == ROOM)),
]
"""Members before those who wait: who has just been made to wait holds the membership."""


@Statement
def ALL_LEFT(insert: Inserts) -> Executable:
    """Note that all members have left the room."""
    members = select(SUBSCRIPTIONS.c.user_id, SUBSCRIPTIONS.c.room_id, NOW)
    this = members.where(SUBSCRIPTIONS.c.room_id == ROOM)
    return noted_again(insert(LEFT).from_select(["user_id", "room_id", "left_at"], this))


class NoMember(Refusal):
    """The named person is not in the room."""

    code = "error-user-not-in-room"
    reason = "User is not in this room"


class LastOwner(Refusal):
    """The group would have no owner any more: its last one can only delete it."""

    code = "error-you-are-last-owner"
    reason = "You are the last owner. Please set new owner before leaving the room."
    plain = "You are the last owner of the room. Give it another owner first."


@dataclass(frozen=True, slots=True)
class Leaving:
    """Ends memberships, and groups. Whoever was a member is told, see `Reading`."""

    acts: Acts

    def kick(self, asked: ActionRequest, named: RoomName, whom: TargetName | None) -> None:
        """Remove a member. The key of the room stays known to whoever had it.

        Raises RoomParamMissing, UnknownRoom, NotAllowed, TargetParamMissing, UnknownTarget,
        NoMember and LastOwner.
        """

        def kick(kicking: RoomAct) -> None:
            """End the membership of another."""
            method = "removeUserFromRoom"
            person = None if whom is None else accounts.find_named(kicking.session, whom)
            if person:  # before the room, as who deletes the person does
                accounts.lock_account(kicking.session, person.id)
            room = kicking.enter_group(named)
            if not kicking.may("remove-user", room.id):
                raise NotAllowed(method=method)
            if person is None:
                raise TargetParamMissing if whom is None else UnknownTarget
            if is_last_owner(kicking, room.id, person.id):
                raise LastOwner(method=method)
            if not remove(kicking, room.id, person.id):
                raise NoMember(method=method)
            kicking.note("remove-from-room", room.id, person.id)

        act(self.acts, asked, kick)

    def leave(self, asked: ActionRequest, named: RoomName) -> None:
        """End the caller's membership. Raises RoomParamMissing, UnknownRoom and LastOwner, and
        NotAllowed without the permission.
        """

        def leave(leaving: RoomAct) -> None:
            """End the caller's own membership."""
            room = leaving.enter_group(named)
            if not leaving.may("leave-p", room.id):
                raise NotAllowed(method="leaveRoom")
            if is_last_owner(leaving, room.id, leaving.caller_id):
                raise LastOwner(method="leaveRoom")
            remove(leaving, room.id, leaving.caller_id)
            leaving.note("leave-room", room.id)

        act(self.acts, asked, leave)

    def delete(self, asked: ActionRequest, named: RoomName) -> None:
        """Delete a group with its memberships and keys.

        Raises RoomParamMissing and UnknownRoom, and NotAllowed without the permission.
        """

        def delete(deleting: RoomAct) -> None:
            """Delete the group, with all memberships."""
            room = deleting.enter_group(named)
            if not deleting.may("delete-p", room.id):
                raise NotAllowed(method="eraseRoom")
            drop_room(deleting.session, room.id, deleting.now)
            deleting.note("delete-room", room.id)

        act(self.acts, asked, delete)


def drop_room(session: Session, room_id: str, now: int) -> None:
    """Delete a room, whose row is locked, with its memberships and keys. `now` in epoch seconds."""
    ALL_LEFT(session, {"room": room_id, "now": now})
    for statement in DROP_ROOM:
        statement(session, {"room": room_id})
