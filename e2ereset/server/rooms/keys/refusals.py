"""The refusals of room keys. `details.method` names the route, as clients know it."""

from e2ereset import Refusal


class InvalidRoom(Refusal):
    """There is no such room, or the caller is not its member: it is not said which."""

    code = "error-invalid-room"
    reason = "Invalid room"


class RoomKeyExists(Refusal):
    """The room has a key id already. Only a restart of the room gives it another one."""

    code = "error-room-e2e-key-already-exists"
    reason = "E2E Key ID already exists"


class NoSubscription(Refusal):
    """The caller is no member of the room."""

    code = "error-subscription-not-found"
    reason = "Subscription not found"


class NoSuggestedKey(Refusal):
    """Nobody has suggested a room key to the caller, or the room was restarted since."""

    code = "error-no-suggested-key-available"
    reason = "No suggested key available"
