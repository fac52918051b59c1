"""The routes of room keys, as Rocket.Chat clients know them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response

from e2ereset.http import Body, Gates, Query, envelope
from e2ereset.records import ActionRequest

from . import schemas
from .lacking import Lacking
from .service import RoomKeys


def make_routes(keys: RoomKeys, lacking: Lacking, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("room_keys", url_prefix=url_prefix)

    @blueprint.post("/e2e.setRoomKeyID")
    def set_room_key_id() -> Response:
        """Name the key of a room that has none."""
        with _entered(gates, "set-room-key-id", schemas.KEY_OF_ROOM) as (asked, body):
            keys.set_key_id(asked, body["rid"], body["keyID"])
        return envelope.success()

    @blueprint.post("/e2e.updateGroupKey")
    def update_group_key() -> Response:
        """Keep one's own room key, or suggest one to another member."""
        with _entered(gates, "update-room-key", schemas.GROUP_KEY) as (asked, body):
            keys.update_key(asked, body["rid"], body["uid"], body["key"])
        return envelope.success()

    @blueprint.post("/e2e.acceptSuggestedGroupKey")
    def accept_suggested_group_key() -> Response:
        """Make the suggested key one's own."""
        with _entered(gates, "accept-room-key", schemas.ROOM) as (asked, body):
            keys.accept_key(asked, body["rid"])
        return envelope.success()

    @blueprint.post("/e2e.rejectSuggestedGroupKey")
    def reject_suggested_group_key() -> Response:
        """Drop the suggested key, and wait for another one."""
        with _entered(gates, "reject-room-key", schemas.ROOM) as (asked, body):
            keys.reject_key(asked, body["rid"])
        return envelope.success()

    @blueprint.post("/e2e.requestSubscriptionKeys")
    def request_subscription_keys() -> Response:
        """Wait for each room key that is missing."""
        with _entered(gates, "request-room-keys", schemas.NOTHING) as (asked, _):
            keys.request_keys(asked)
        return envelope.success()

    @blueprint.post("/e2e.provideUsersSuggestedGroupKeys")
    def provide_users_suggested_group_keys() -> Response:
        """Suggest keys to members of several rooms."""
        with _entered(gates, "suggest-room-keys", schemas.SUGGESTIONS) as (asked, body):
            keys.suggest_keys(asked, body["usersSuggestedGroupKeys"])
        return envelope.success()

    @blueprint.get("/e2e.getUsersOfRoomWithoutKey")
    def get_users_of_room_without_key() -> Response:
        """The members of a room who have no key of it."""
        with _entered(gates, "list-without-room-key", schemas.OF_ROOM) as (asked, query):
            users = lacking.of_room(asked.caller, query["rid"])
        return envelope.success(users=users)

    @blueprint.get("/e2e.fetchUsersWaitingForGroupKey")
    def fetch_users_waiting_for_group_key() -> Response:
        """The members of several rooms to whom a key can be suggested."""
        with _entered(gates, "list-waiting-for-room-key", schemas.OF_ROOMS) as (asked, query):
            waiting = lacking.of_rooms(asked.caller, query["roomIds"])
        return envelope.success(usersWaitingForE2EKeys=waiting)

    return blueprint


@contextmanager
def _entered(
    gates: Gates, action: str, schema: Body
) -> Iterator[tuple[ActionRequest, dict[str, Any]]]:
    """The request, and its body or query, within the rate. Refusals in the block are recorded."""
    with gates.entered(action) as asked:
        if isinstance(schema, Query):
            sent = gates.query(schema)
            gates.rate_limit("read")
        else:
            sent = gates.body(schema)
            gates.rate_limit("write")
        yield asked, sent
