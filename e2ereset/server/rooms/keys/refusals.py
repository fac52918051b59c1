"""The refusals of room keys. `details.method` names the route, as clients know it."""

from e2ereset import Refusal
from e2ereset.errors import Forbidden


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


class MayNotRestart(Forbidden):
    """No role of the caller, in this room or everywhere, may switch its encryption."""

    code = reason = "error-not-allowed"


class NotRestarted(Refusal):
    """The room keeps its key; the answer has the code and no more."""

    plain = "The room keeps its key."
    bracketed = typed = False


class NotInRoom(NotRestarted):
    """There is no such room, or the caller is not its member: it is not said which."""

    code = reason = "error-not-allowed"


class RestartInProgress(NotRestarted):
    """Another restart of this room runs in some worker."""

    code = reason = "error-e2e-key-reset-in-progress"


class RestartFailed(NotRestarted):
    """The room is not encrypted, has this key already, or the caller has no key pair."""

    code = reason = "error-e2e-key-reset-failed"


class RoomNotDead(NotRestarted):
    """The page starts a room anew only where nobody has its key: somebody has it by now."""

    code = reason = "error-room-not-dead"
