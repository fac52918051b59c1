"""Room keys: members hand them to each other, wrapped, and the server cannot read them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from e2ereset.records import ActionRequest
from e2ereset.server.rooms.access import RoomAct, act
from e2ereset.server.rooms.acts import Acts
from e2ereset.server.rooms.service import wait_for_key, wait_for_keys
from e2ereset.store.transactions import run

from . import statements
from .refusals import InvalidRoom, NoSubscription, NoSuggestedKey, RoomKeyExists

OLD_KEYS = 10
"""How many old keys a subscription keeps; newest first."""


@dataclass(frozen=True, slots=True)
class RoomKeys:
    """Stores wrapped room keys, and who waits for one."""

    acts: Acts

    def set_key_id(self, asked: ActionRequest, room_id: str, key_id: str) -> None:
        """Name the key of a room that has none. Raises RoomKeyExists, and InvalidRoom."""
        method = "e2e.setRoomKeyID"

        def name(naming: RoomAct) -> None:
            """Name the key, if the room has none."""
            by = naming.caller_id
            named = {"room": room_id, "by": by, "key_id": key_id, "now": naming.now}
            if statements.SET_KEY_ID(naming.session, named).rowcount:
                return
            if naming.is_member(room_id):
                raise RoomKeyExists(method=method)
            raise InvalidRoom(method=method)

        act(self.acts, asked, name)

    def update_key(self, asked: ActionRequest, room_id: str, user_id: str, key: str) -> None:
        """Keep the caller's own room key, or suggest one to another member.

        Nothing is done, and nothing is said, where one of the two is no member.
        """
        this = {"room": room_id, "user": user_id}

        def keep(keeping: RoomAct) -> None:
            """Keep the caller's own key, or suggest it to another member."""
            given = {**this, "key": key, "now": keeping.now}
            if user_id != keeping.caller_id:
                statements.SUGGEST(keeping.session, {**given, "by": keeping.caller_id})
            elif statements.KEEP(keeping.session, given).rowcount:
                statements.STOP_WAITING(keeping.session, this)

        act(self.acts, asked, keep)

    def accept_key(self, asked: ActionRequest, room_id: str) -> None:
        """Make the suggested key the caller's. Old keys come with it where the caller has none.

        Raises NoSubscription, and NoSuggestedKey.
        """

        def accept(accepting: RoomAct) -> None:
            """Take the suggestion."""
            this = {"room": room_id, "user": accepting.caller_id}
            if not statements.ACCEPT(accepting.session, {**this, "now": accepting.now}).rowcount:
                _refuse(accepting, room_id, "e2e.acceptSuggestedGroupKey")
            statements.STOP_WAITING(accepting.session, this)

        act(self.acts, asked, accept)

    def reject_key(self, asked: ActionRequest, room_id: str) -> None:
        """Drop the suggested key; the caller waits for another one.

        Raises NoSubscription, and NoSuggestedKey.
        """

        def reject(rejecting: RoomAct) -> None:
            """Refuse the suggestion, and wait again."""
            by, now = rejecting.caller_id, rejecting.now
            this = {"room": room_id, "user": by, "now": now}
            if not statements.REJECT(rejecting.session, this).rowcount:
                _refuse(rejecting, room_id, "e2e.rejectSuggestedGroupKey")
            wait_for_key(rejecting.session, by, room_id, now)

        act(self.acts, asked, reject)

    def suggest_keys(
        self, asked: ActionRequest, suggestions: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        """Store the suggestions, by room; those who got one wait no more.

        Each is as on the wire: `_id`, `key` and perhaps `oldKeys`. Rooms that are not the caller's,
        and people who are no members, are passed over.
        """

        def suggest(suggesting: RoomAct) -> None:
            """Suggest them to members who wait."""
            session, given = suggesting.session, {"by": suggesting.caller_id, "now": asked.now}
            found = list(_to_members(suggesting, suggestions))
            if not found:
                return
            keys = [{"key": one["key"], "old": _old_keys(one)} for _, one in found]
            these = [{"room": room_id, "user": one["_id"]} for room_id, one in found]
            rows = [this | key | given for this, key in zip(these, keys, strict=True)]
            run(session, statements.SUGGEST_ALL, rows)
            run(session, statements.ALL_STOP_WAITING, these)

        act(self.acts, asked, suggest)

    def request_keys(self, asked: ActionRequest) -> None:
        """Have the caller wait in each encrypted room whose key is missing."""

        def wait(waiting: RoomAct) -> None:
            wait_for_keys(waiting.session, waiting.caller_id, waiting.now)

        act(self.acts, asked, wait)


def _refuse(acting: RoomAct, room_id: str, method: str) -> NoReturn:
    if acting.is_member(room_id):
        raise NoSuggestedKey(method=method)
    raise NoSubscription(method=method)


def _to_members(
    acting: RoomAct, suggestions: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The suggestions of own rooms to members of them, each with its room, one for each member.

    Only they are sent to the database: a body full of names that do not exist costs it nothing.
    """
    own = statements.ROOMS_OF(acting.session, {"by": acting.caller_id})
    for room_id in [row.room_id for row in own if row.room_id in suggestions]:
        given = {one["_id"]: one for one in suggestions[room_id]}
        for member in statements.MEMBERS_OF(acting.session, {"room": room_id}):
            if member.user_id in given:
                yield room_id, given[member.user_id]


def _old_keys(suggestion: Mapping[str, Any]) -> str | None:
    keys = suggestion.get("oldKeys")
    return json.dumps(keys[:OLD_KEYS], separators=(",", ":")) if keys else None
