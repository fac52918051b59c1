"""A dead room starts anew on the page, with a key that the browser of its owner has made.

A client does the same by `e2e.resetRoomKey`, which asks for no second factor. The page does.
"""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from hashlib import sha256

from sqlalchemy import bindparam, select

from e2ereset import Caller
from e2ereset.records import Action, ActionRequest, Passed
from e2ereset.rooms import DEAD, RoomState
from e2ereset.server.rooms.access import ROOM_ROLES, RoomAct
from e2ereset.store.statements import Statement

from .readability import states
from .refusals import RoomNotDead
from .restart import ACTION, PERMISSION, NewKey, Restarts, put_new_key

PHRASE = "start a room anew with a new key"
WRAPPED_BYTES = 256
"""Of RSA with 2048 bits. Clients take so many from the end of a wrapped key, and no other size."""
MY_ROLES = Statement(
    select(ROOM_ROLES.c.room_id, ROOM_ROLES.c.role).where(ROOM_ROLES.c.user_id == bindparam("user"))
)


class DeadRooms:
    """Starts rooms anew of which nobody has the key any more."""

    def __init__(self, restarts: Restarts) -> None:
        self._restarts = restarts
        self._runtime = restarts.acts.runtime

    def startable(self, caller: Caller, rooms: Iterable[RoomState]) -> frozenset[str]:
        """The ids of those of the caller's rooms that are dead, and that the caller may restart."""
        dead = {room.id for room in rooms if room.state == DEAD}
        if not dead:
            return frozenset()
        with self._runtime.transactions.look_up() as session:
            pairs = self._runtime.permissions.rows(session)
            mine = MY_ROLES(session, {"user": caller.account.id})
        may = {role for permission, role in pairs if permission == PERMISSION}
        if not may.isdisjoint(caller.account.roles):
            return frozenset(dead)
        return frozenset(row.room_id for row in mine if row.role in may) & dead

    def public_key(self, caller: Caller) -> str:
        """The public key for which the caller's browser wraps the key; empty: there is none."""
        pair = self._runtime.vault.get(caller.account.id)
        return pair.public_key if pair else ""

    def start(self, asked: ActionRequest, new: NewKey) -> None:
        """Give a dead room of the caller's a new key, behind the second factor.

        All but the caller wait for it. Raises MayNotRestart, NotInRoom and RestartInProgress before
        the proof; then the refusals of the second factor, RestartFailed, and RoomNotDead.
        """
        plan = sha256(f"{new.key_id} {new.key}".encode()).hexdigest()
        action = Action(name=ACTION, target=new.room_id, phrase=PHRASE, plan=plan)
        with ExitStack() as held:
            with self._runtime.gates.recorded(asked):
                lease = held.enter_context(self._restarts.lease(asked, new.room_id))
            start = partial(self._start, new, lease, asked.now)
            self._runtime.stepup.run(replace(asked, action=action), start, outcome="done")

    def _start(self, new: NewKey, lease: str, now: int, passed: Passed) -> None:
        acting = RoomAct(
            runtime=self._runtime, session=passed.session, caller=passed.caller, now=now
        )
        put_new_key(new, lease, acting, partial(_refuse_living, new.room_id))


def is_wrapped(key: str, key_id: str) -> bool:
    """Whether this is a key of this id as clients send it: the id, then base64 of RSA's bytes."""
    try:
        data = b64decode(key.removeprefix(key_id), validate=True)
    except (NotBase64, ValueError):
        return False
    return key.startswith(key_id) and len(data) == WRAPPED_BYTES


def _refuse_living(room_id: str, acting: RoomAct) -> None:
    rooms = states(acting.session, acting.caller_id, acting.now)
    if not any(room.id == room_id and room.state == DEAD for room in rooms):
        raise RoomNotDead
