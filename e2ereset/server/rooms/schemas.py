"""The bodies and queries of the routes of rooms."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields
from marshmallow.validate import Equal, Length

from e2ereset import Refusal
from e2ereset.http import Body, Flag, Items, PageQuery, Query, Text, filled
from e2ereset.permissions.schemas import TargetBody
from e2ereset.records import epoch_of

from .access import RoomName
from .groups import NewGroup, People

MOST_PEOPLE = 500
"""The most people that one call invites: each is an audit row."""


class UsersParamMissing(Refusal):
    """The request names nobody."""

    code = "error-users-params-not-provided"
    reason = 'Please provide "userId" or "username" or "userIds" or "usernames" as param'


class BadUpdatedSince(Refusal):
    """`updatedSince` of `rooms.get` is no time."""

    code = "error-updatedSince-param-invalid"
    reason = 'The "updatedSince" query parameter must be a valid date.'


class BadLastUpdate(Refusal):
    """`updatedSince` of `subscriptions.get` is no time; Rocket.Chat words it like this."""

    code = "error-roomId-param-invalid"
    reason = 'The "lastUpdate" query parameter must be a valid date.'


def names() -> Items:
    """A list of names or ids of people."""
    few = Length(max=MOST_PEOPLE, error="must NOT have more than {max} items")
    return Items(Text(), load_default=list, validate=few)


def never() -> Flag:
    """A flag of Rocket.Chat's that is never on here."""
    off = Equal(False, error="must be equal to constant")
    return Flag(load_default=False, validate=off)


class ExtraData(Body):
    """What else a new group is. Broadcast, federated and team rooms are out of scope."""

    encrypted = Flag(load_default=False)
    topic = Text(
        load_default="",
        validate=Length(max=5000, error="must NOT have more than {max} characters"),
    )
    broadcast = never()
    federated = never()


class GroupBody(Body):
    """A new private group; `members` are usernames."""

    name = Text(required=True, validate=filled())
    members = names()
    readOnly = Flag(load_default=False)
    extraData = fields.Nested(ExtraData())
    excludeSelf = never()


class RoomBody(Body):
    """The room. `roomId` counts before `roomName`."""

    roomId = Text(load_default="")
    roomName = Text(load_default="")


class InviteBody(RoomBody):
    """The room, and whom to invite: by ids, or by usernames."""

    userId = Text(load_default="")
    username = Text(load_default="")
    user = Text(load_default="")
    userIds = names()
    usernames = names()


class KickBody(RoomBody, TargetBody):
    """The room, and which one of its members."""


class SettingsBody(Body):
    """The settings of a room."""

    rid = Text(required=True, validate=filled())
    encrypted = Flag(required=True)


class RoomQuery(RoomBody, Query):
    """The room, in a query."""


class RoomIdQuery(Query):
    """The room, by its id."""

    roomId = Text(required=True, validate=filled())


class ChangesQuery(Query):
    """What has changed since this ISO 8601 time; everything without it."""

    updatedSince = Text(load_default="")


class GroupsQuery(PageQuery):
    """A page of groups, by name."""

    sort = Text(load_default='{"name":1}')


class MembersQuery(PageQuery, RoomQuery):
    """A page of the members of a room whose names have `filter` in them."""

    filter = Text(load_default="")


NEW_GROUP, INVITE = GroupBody(), InviteBody()
ROOM_BODY, KICK, SETTINGS = RoomBody(), KickBody(), SettingsBody()
ROOM, ROOM_ID, CHANGES = RoomQuery(), RoomIdQuery(), ChangesQuery()
GROUPS, MEMBERS = GroupsQuery(), MembersQuery()


def read_since(text: str, bad: type[Refusal]) -> int | None:
    """The ISO 8601 time as epoch seconds, in UTC where it has no offset; None without one.

    Raises `bad` for anything else.
    """
    if not text:
        return None
    try:
        return epoch_of(text)
    except ValueError:
        raise bad from None


def new_group(body: Mapping[str, Any]) -> NewGroup:
    """The group that a `GroupBody` asks for."""
    extra = body.get("extraData", {})
    return NewGroup(
        name=body["name"],
        members=body["members"],
        encrypted=extra.get("encrypted", False),
        read_only=body["readOnly"],
        topic=extra.get("topic") or None,
    )


def room_named(body: Mapping[str, Any]) -> RoomName:
    """The room that a `RoomBody` names."""
    return RoomName(room_id=body["roomId"], name=body["roomName"])


def people_named(body: Mapping[str, Any]) -> People:
    """The people that an `InviteBody` names. Raises UsersParamMissing."""
    by_id = bool(body["userId"] or body["userIds"])
    one = body["userId"] or body["username"] or body["user"]
    listed = body["userIds"] if by_id else body["usernames"]
    wanted = [name for name in (one, *listed) if name]
    if not wanted:
        raise UsersParamMissing
    return People(names=wanted, by_id=by_id)
