"""Switches the encryption of a room on and off."""

from typing import Any

from sqlalchemy import bindparam, delete, update

from e2ereset import Refusal
from e2ereset.records import ActionRequest
from e2ereset.store.statements import Statement

from .access import ROOMS, SUBSCRIPTIONS, RoomAct, RoomName, act
from .acts import Acts
from .keys.refusals import InvalidRoom
from .members import ROOM, USER, WAITING
from .models import DIRECT, PRIVATE
from .service import IN_ROOM, NOW, waiting

METHOD = "saveRoomSettings"
WITH_KEYS = (PRIVATE, DIRECT)
"""No other kinds of rooms can be encrypted."""

SWITCH = Statement(
    update(ROOMS)
    .where(ROOMS.c.id == ROOM)
    .values(encrypted=bindparam("encrypted", type_=ROOMS.c.encrypted.type), updated_at=NOW)
)
OTHERS_WAIT = waiting(IN_ROOM, SUBSCRIPTIONS.c.user_id != USER)
WAIT_NO_MORE = Statement(delete(WAITING).where(WAITING.c.room_id == ROOM))


class ActionNotAllowed(Refusal):
    """The caller may not change this of the room."""

    code = "error-action-not-allowed"
    reason = "Editing room is not allowed"
    plain = "You may not change this."


def switch_encryption(acts: Acts, asked: ActionRequest, room_id: str, encrypted: bool) -> None:
    """Encrypt the room from now on, or no more. The key and its id stay.

    Raises ActionNotAllowed, and InvalidRoom where there is no such room, which only those learn who
    may edit any room.
    """

    def switch(switching: RoomAct) -> None:
        """Switch it, if the caller may."""
        room = switching.lock_room(RoomName(room_id=room_id))
        if not switching.may("edit-room", room and room.id):
            raise ActionNotAllowed(method=METHOD, action="Editing_room")
        if room is None:
            raise InvalidRoom(method=METHOD)
        if room.encrypted != encrypted:
            _check(switching, room)
            _switch(switching, room.id, encrypted)

    act(acts, asked, switch)


def _check(switching: RoomAct, room: Any) -> None:
    where = {"method": METHOD, "action": "Change_Room_Encrypted"}
    if room.kind not in WITH_KEYS:
        raise ActionNotAllowed("Only groups or direct channels can enable encryption", **where)
    if not switching.may("toggle-room-e2e-encryption", room.id):
        raise ActionNotAllowed("You do not have permission to toggle E2E encryption", **where)


def _switch(switching: RoomAct, room_id: str, encrypted: bool) -> None:
    session, now = switching.session, switching.now
    SWITCH(session, {"room": room_id, "encrypted": encrypted, "now": now})
    if encrypted:
        OTHERS_WAIT(session, {"room": room_id, "user": switching.caller_id, "now": now})
    else:
        WAIT_NO_MORE(session, {"room": room_id})
    outcome = "encrypted" if encrypted else "not encrypted"
    switching.note("change-room", room_id, outcome=outcome)
