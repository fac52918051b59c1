"""Who may do what in which room, read in the transaction of the act."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from e2ereset import Caller, Refusal, Runtime
from e2ereset.audit import Actor
from e2ereset.records import ActionRequest
from e2ereset.server.people import accounts
from e2ereset.store.statements import Statement
from e2ereset.store.tables import table

from .acts import Acts
from .models import PRIVATE, Room, RoomRole, Subscription

T = TypeVar("T")
ROOMS, SUBSCRIPTIONS, ROOM_ROLES = table(Room), table(Subscription), table(RoomRole)
KEY: Any = bindparam("key")
OWNER = "owner"

# Whoever changes the room or its members locks its row first; who deletes a user locks those of all
# the user's rooms. Not FOR UPDATE: a reset of a member must be able to refer to the room meanwhile.
LOCK = Statement(select(ROOMS).where(ROOMS.c.id == KEY).with_for_update(key_share=True))
_MINE = (SUBSCRIPTIONS.c.user_id == bindparam("user"), SUBSCRIPTIONS.c.room_id == KEY)
IS_MEMBER = Statement(select(SUBSCRIPTIONS.c.room_id).where(*_MINE))
ROLES_IN = Statement(
    select(ROOM_ROLES.c.role).where(
        ROOM_ROLES.c.user_id == bindparam("user"), ROOM_ROLES.c.room_id == KEY
    )
)
# Of several rooms of one name the one that the caller has been in longest.
FIND_NAMED = Statement(
    select(ROOMS.c.id)
    .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.room_id == ROOMS.c.id)
    .where(
        SUBSCRIPTIONS.c.user_id == bindparam("user"),
        ROOMS.c.name == bindparam("name"),
        ROOMS.c.kind == PRIVATE,
    )
    .order_by(SUBSCRIPTIONS.c.joined_at, ROOMS.c.id)
)
ADD_ROLE = Statement(lambda insert: insert(ROOM_ROLES).on_conflict_do_nothing())


class RoomParamMissing(Refusal):
    """The request names no room."""

    code = "error-room-param-not-provided"
    reason = 'The parameter "roomId" or "roomName" is required'


class UnknownRoom(Refusal):
    """There is no such room, or none that the caller is in: who is not in it learns no more."""

    code = "error-room-not-found"
    reason = 'The required "roomId" or "roomName" param provided does not match any group'


NO_ROOM = (RoomParamMissing, UnknownRoom)
"""What a route that takes a group refuses with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomName:
    """How a request names a room: by its id, else by its name, for the caller's own rooms."""

    room_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomAct:
    """An act in its transaction: the caller as of now, and `now` in epoch seconds."""

    runtime: Runtime
    session: Session
    caller: Caller
    now: int

    @property
    def caller_id(self) -> str:
        """The id of the caller's account."""
        return self.caller.account.id

    def may(self, permission: str, room_id: str | None = None) -> bool:
        """Whether the caller holds the permission, everywhere or by a role in this room."""
        held = list(self.caller.account.roles)
        if room_id is not None:
            held += self.roles_in(room_id)
        return self.runtime.permissions.allows(self.session, held, permission)

    def roles_in(self, room_id: str, user_id: str | None = None) -> list[str]:
        """The roles in this room of the user, by default of the caller."""
        sent = {"user": user_id or self.caller_id, "key": room_id}
        return [row.role for row in ROLES_IN(self.session, sent)]

    def is_member(self, room_id: str, user_id: str | None = None) -> bool:
        """Whether the user, by default the caller, is in this room."""
        sent = {"user": user_id or self.caller_id, "key": room_id}
        return IS_MEMBER(self.session, sent).first() is not None

    def lock_room(self, named: RoomName) -> Any:
        """The row of a room, locked until the commit; None when there is none."""
        room_id = find_room_id(self.session, self.caller_id, named)
        found = room_id is not None and LOCK(self.session, {"key": room_id}).first()
        return found or None

    def enter_group(self, named: RoomName) -> Any:
        """The row of a private group that the caller is in, locked. Raises UnknownRoom."""
        room = self.lock_room(named)
        if room is None or room.kind != PRIVATE or not self.is_member(room.id):
            raise UnknownRoom
        return room

    def note(self, action: str, room_id: str, user_id: str = "", outcome: str = "done") -> None:
        """Write the audit row of an act on this room, or on this user in it."""
        where = self.caller
        by = Actor(
            id=self.caller_id,
            address=where.address,
            agent=where.agent,
            reason=f"room {room_id}" if user_id else "",
        )
        self.runtime.audit.write(
            self.session, action, by, at=self.now, target=user_id or room_id, outcome=outcome
        )


def find_room_id(session: Session, user_id: str, named: RoomName) -> str | None:
    """The id that is given, or that of the user's own group of this name.

    None when the user is in no group of the name, or no room can have this id. Raises
    RoomParamMissing where neither is given.
    """
    if named.room_id:
        return named.room_id if accounts.could_be_stored(named.room_id) else None
    if not named.name:
        raise RoomParamMissing
    if not accounts.could_be_stored(named.name):
        return None
    found = FIND_NAMED(session, {"user": user_id, "name": named.name}).first()
    return found.id if found else None


def act(acts: Acts, asked: ActionRequest, block: Callable[[RoomAct], T]) -> T:
    """What the block returns, which runs as `Acts.run` says."""

    def run(session: Session, caller: Caller) -> T:
        return block(RoomAct(runtime=acts.runtime, session=session, caller=caller, now=asked.now))

    return acts.run(asked, run)
