"""Room keys: members hand them to each other, wrapped, and the server cannot read them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from e2ereset import Caller
from e2ereset.records import ActionRequest
from e2ereset.server.rooms.acts import Acts
from e2ereset.server.rooms.service import wait_for_key, wait_for_keys

from . import statements
from .refusals import InvalidRoom, NoSubscription, NoSuggestedKey, RoomKeyExists

OLD_KEYS = 10
"""How many old keys a subscription keeps; newest first."""


class RoomKeys:
    """Stores wrapped room keys, and who waits for one."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    def set_key_id(self, asked: ActionRequest, room_id: str, key_id: str) -> None:
        """Name the key of a room that has none. Raises RoomKeyExists, and InvalidRoom."""
        method = "e2e.setRoomKeyID"

        def act(session: Session, caller: Caller) -> None:
            by = caller.account.id
            named = {"room": room_id, "by": by, "key_id": key_id}
            if statements.SET_KEY_ID(session, named).rowcount:
                return
            if statements.IS_MEMBER(session, {"room": room_id, "user": by}):
                raise RoomKeyExists(method=method)
            raise InvalidRoom(method=method)

        self._acts.run(asked, act)

    def update_key(self, asked: ActionRequest, room_id: str, user_id: str, key: str) -> None:
        """Keep the caller's own room key, or suggest one to another member.

        Nothing is done, and nothing is said, where one of the two is no member.
        """

        def act(session: Session, caller: Caller) -> None:
            this = {"room": room_id, "user": user_id}
            if user_id != caller.account.id:
                statements.SUGGEST(session, {**this, "by": caller.account.id, "key": key})
            elif statements.KEEP(session, {**this, "key": key}).rowcount:
                statements.STOP_WAITING(session, this)

        self._acts.run(asked, act)

    def accept_key(self, asked: ActionRequest, room_id: str) -> None:
        """Make the suggested key the caller's. Old keys come with it where the caller has none.

        Raises NoSubscription, and NoSuggestedKey.
        """

        def act(session: Session, caller: Caller) -> None:
            this = {"room": room_id, "user": caller.account.id}
            if not statements.ACCEPT(session, this).rowcount:
                _refuse(session, this, "e2e.acceptSuggestedGroupKey")
            statements.STOP_WAITING(session, this)

        self._acts.run(asked, act)

    def reject_key(self, asked: ActionRequest, room_id: str) -> None:
        """Drop the suggested key; the caller waits for another one.

        Raises NoSubscription, and NoSuggestedKey.
        """

        def act(session: Session, caller: Caller) -> None:
            this = {"room": room_id, "user": caller.account.id}
            if not statements.REJECT(session, this).rowcount:
                _refuse(session, this, "e2e.rejectSuggestedGroupKey")
            wait_for_key(session, caller.account.id, room_id, asked.now)

        self._acts.run(asked, act)

    def suggest_keys(
        self, asked: ActionRequest, suggestions: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        """Store the suggestions, by room; those who got one wait no more.

        Each is as on the wire: `_id`, `key` and perhaps `oldKeys`. Rooms that are not the caller's,
        and people who are no members, are passed over.
        """

        def act(session: Session, caller: Caller) -> None:
            # In one order, so that two who suggest cannot deadlock.
            for room_id in sorted(suggestions):
                for one in sorted(suggestions[room_id], key=lambda one: str(one["_id"])):
                    this = {"room": room_id, "user": one["_id"]}
                    given = {"by": caller.account.id, "key": one["key"], "old": _old_keys(one)}
                    if statements.SUGGEST_WITH_OLD(session, this | given).rowcount:
                        statements.STOP_WAITING(session, this)

        self._acts.run(asked, act)

    def request_keys(self, asked: ActionRequest) -> None:
        """Have the caller wait in each encrypted room whose key is missing."""

        def act(session: Session, caller: Caller) -> None:
            wait_for_keys(session, caller.account.id, asked.now)

        self._acts.run(asked, act)


def _refuse(session: Session, this: dict[str, str], method: str) -> None:
    if statements.IS_MEMBER(session, this):
        raise NoSuggestedKey(method=method)
    raise NoSubscription(method=method)


def _old_keys(suggestion: Mapping[str, Any]) -> str | None:
    keys = suggestion.get("oldKeys")
    return json.dumps(keys[:OLD_KEYS], separators=(",", ":")) if keys else None
