"""What clients read of the rooms of their user."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from e2ereset import Caller
from e2ereset.http import Page
from e2ereset.store.transactions import Transactions

from .access import IS_MEMBER, RoomName, UnknownRoom, find_room_id
from .listings import get_room, own_groups, own_rooms
from .memberships import (
    find_subscription,
    left_since,
    list_members,
    own_subscriptions,
    subscription_id,
)

LATE_SECONDS = 10
"""A change may be committed so much later than its time says."""

Listed = tuple[list[dict[str, Any]], int]
Changes = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads the rooms of a caller, who learns nothing of others. `since` is in epoch seconds."""

    transactions: Transactions

    def rooms(self, caller: Caller, since: int | None) -> Changes:
        """The caller's rooms: `update` what is new or has changed, `remove` what was left."""
        return self._changes(caller, since, own_rooms, lambda room_id: {"_id": room_id})

    def subscriptions(self, caller: Caller, since: int | None) -> Changes:
        """The caller's subscriptions, as `rooms`."""

        def left(room_id: str) -> dict[str, str]:
            return {"_id": subscription_id(room_id, caller.account.id), "rid": room_id}

        return self._changes(caller, since, own_subscriptions, left)

    def room(self, caller: Caller, named: RoomName) -> dict[str, Any]:
        """A room that the caller is in. Raises RoomParamMissing and UnknownRoom."""
        with self.transactions.read() as session:
            return get_room(session, _own_room(session, caller, named))

    def subscription(self, caller: Caller, room_id: str) -> dict[str, Any] | None:
        """The caller's subscription of this room; None for a room that the caller is not in."""
        with self.transactions.read() as session:
            return find_subscription(session, caller.account.id, room_id)

    def groups(self, caller: Caller, page: Page) -> Listed:
        """A page of the caller's private groups, and how many these are."""
        with self.transactions.read() as session:
            return own_groups(session, caller.account.id, page)

    def members(self, caller: Caller, named: RoomName, page: Page, wanted: str) -> Listed:
        """A page of the members whose names have `wanted` in them, and how many these are.

        Raises RoomParamMissing and UnknownRoom.
        """
        with self.transactions.read() as session:
            return list_members(session, _own_room(session, caller, named), page, wanted)

    def _changes(
        self,
        caller: Caller,
        since: int | None,
        find: Callable[..., list[dict[str, Any]]],
        left: Callable[[str], dict[str, str]],
    ) -> Changes:
        user_id = caller.account.id
        since = None if since is None else since - LATE_SECONDS
        with self.transactions.read() as session:
            update = find(session, user_id, since)
            gone = [] if since is None else left_since(session, user_id, since)
        return {"update": update, "remove": [left(one) | {"_deletedAt": at} for one, at in gone]}


def _own_room(session: Any, caller: Caller, named: RoomName) -> str:
    user_id = caller.account.id
    room_id = find_room_id(session, user_id, named)
    if room_id is None or not IS_MEMBER(session, {"user": user_id, "key": room_id}).first():
        raise UnknownRoom
    return room_id
