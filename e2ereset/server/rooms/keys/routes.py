"""The routes of room keys, as Rocket.Chat clients know them."""

from flask import Blueprint, Response

from e2ereset.http import Described, Gates, envelope

from . import answers, readability_routes, restart, schemas
from .lacking import Lacking
from .readability import Readability
from .refusals import (
    InvalidRoom,
    MayNotRestart,
    NoSubscription,
    NoSuggestedKey,
    NotInRoom,
    RestartFailed,
    RestartInProgress,
    RoomKeyExists,
)
from .restart import NewKey, Restarts
from .service import RoomKeys

NO_SUGGESTION = (NoSubscription, NoSuggestedKey)
NO_RESTART = (MayNotRestart, NotInRoom, RestartInProgress, RestartFailed)


def make_routes(
    keys: RoomKeys,
    lacking: Lacking,
    restarts: Restarts,
    readability: Readability,
    *,
    gates: Gates,
    url_prefix: str,
) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("room_keys", url_prefix=url_prefix)
    _add_keys_of_rooms(blueprint, keys, restarts, gates)
    _add_own_keys(blueprint, keys, gates)
    _add_keys_of_others(blueprint, keys, lacking, gates)
    readability_routes.add_routes(blueprint, readability, gates)
    return blueprint


def _add_keys_of_rooms(
    blueprint: Blueprint, keys: RoomKeys, restarts: Restarts, gates: Gates
) -> None:
    @blueprint.post("/e2e.setRoomKeyID")
    @Described(body=schemas.KEY_OF_ROOM, refuses=(InvalidRoom, RoomKeyExists))
    def set_room_key_id() -> Response:
        """Name the key of a room that has none."""
        with gates.asked("set-room-key-id", schemas.KEY_OF_ROOM) as (asked, body):
            keys.set_key_id(asked, body["rid"], body["keyID"])
        return envelope.success()

    @blueprint.post("/e2e.resetRoomKey")
    @Described(body=schemas.RESTART, refuses=NO_RESTART)
    def reset_room_key() -> Response:
        """Restart a room with a new key, for which all other members wait."""
        with gates.asked(restart.ACTION, schemas.RESTART) as (asked, body):
            new = NewKey(room_id=body["rid"], key_id=body["e2eKeyId"], key=body["e2eKey"])
            restarts.restart(asked, new)
        return envelope.success()


def _add_own_keys(blueprint: Blueprint, keys: RoomKeys, gates: Gates) -> None:
    @blueprint.post("/e2e.acceptSuggestedGroupKey")
    @Described(body=schemas.ROOM, refuses=NO_SUGGESTION)
    def accept_suggested_group_key() -> Response:
        """Make the suggested key one's own."""
        with gates.asked("accept-room-key", schemas.ROOM) as (asked, body):
            keys.accept_key(asked, body["rid"])
        return envelope.success()

    @blueprint.post("/e2e.rejectSuggestedGroupKey")
    @Described(body=schemas.ROOM, refuses=NO_SUGGESTION)
    def reject_suggested_group_key() -> Response:
        """Drop the suggested key, and wait for another one."""
        with gates.asked("reject-room-key", schemas.ROOM) as (asked, body):
            keys.reject_key(asked, body["rid"])
        return envelope.success()

    @blueprint.post("/e2e.requestSubscriptionKeys")
    @Described(body=schemas.NOTHING)
    def request_subscription_keys() -> Response:
        """Wait for each room key that is missing."""
        with gates.asked("request-room-keys", schemas.NOTHING) as (asked, _):
            keys.request_keys(asked)
        return envelope.success()


def _add_keys_of_others(
    blueprint: Blueprint, keys: RoomKeys, lacking: Lacking, gates: Gates
) -> None:
    @blueprint.post("/e2e.updateGroupKey")
    @Described(body=schemas.GROUP_KEY)
    def update_group_key() -> Response:
        """Keep one's own room key, or suggest one to another member."""
        with gates.asked("update-room-key", schemas.GROUP_KEY) as (asked, body):
            keys.update_key(asked, body["rid"], body["uid"], body["key"])
        return envelope.success()

    @blueprint.post("/e2e.provideUsersSuggestedGroupKeys")
    @Described(body=schemas.SUGGESTIONS)
    def provide_users_suggested_group_keys() -> Response:
        """Suggest keys to members of several rooms."""
        with gates.asked("suggest-room-keys", schemas.SUGGESTIONS) as (asked, body):
            keys.suggest_keys(asked, body["usersSuggestedGroupKeys"])
        return envelope.success()

    @blueprint.get("/e2e.getUsersOfRoomWithoutKey")
    @Described(query=schemas.OF_ROOM, answer=answers.WITHOUT_KEY, refuses=(InvalidRoom,))
    def get_users_of_room_without_key() -> Response:
        """The members of a room who have no key of it."""
        with gates.asked("list-without-room-key", schemas.OF_ROOM) as (asked, query):
            users = lacking.of_room(asked.caller, query["rid"])
        return envelope.success(users=users)

    @blueprint.get("/e2e.fetchUsersWaitingForGroupKey")
    @Described(query=schemas.OF_ROOMS, answer=answers.WAITING)
    def fetch_users_waiting_for_group_key() -> Response:
        """The members of several rooms to whom a key can be suggested."""
        with gates.asked("list-waiting-for-room-key", schemas.OF_ROOMS) as (asked, query):
            waiting = lacking.of_rooms(asked.caller, query["roomIds"])
        return envelope.success(usersWaitingForE2EKeys=waiting)
