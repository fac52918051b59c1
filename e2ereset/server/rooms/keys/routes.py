"""The routes of room keys, as Rocket.Chat clients know them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response

from e2ereset.http import Body, Gates, envelope
from e2ereset.records import ActionRequest

from . import schemas
from .service import RoomKeys


def make_routes(keys: RoomKeys, gates: Gates, *, url_prefix: str) -> Blueprint:
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

    return blueprint


@contextmanager
def _entered(
    gates: Gates, action: str, schema: Body
) -> Iterator[tuple[ActionRequest, dict[str, Any]]]:
    """The request and its body, within the rate. Every refusal in the block is recorded."""
    with gates.entered(action) as asked:
        body = gates.body(schema)
        gates.rate_limit("write")
        yield asked, body
