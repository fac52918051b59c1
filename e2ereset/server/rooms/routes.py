"""What changes rooms: `groups.*`, and `rooms.saveRoomSettings`."""

from flask import Blueprint, Response

from e2ereset.errors import Forbidden, NotAllowed, TargetParamMissing, UnknownTarget
from e2ereset.http import Described, Gates, envelope
from e2ereset.permissions.schemas import target_named
from e2ereset.server.links import OF_GROUP

from .access import NO_ROOM
from .answers import GROUP, SAVED
from .encryption import ActionNotAllowed, switch_encryption
from .groups import BadRoomName, Groups, NobodyToInvite, RoomNameTaken
from .keys.refusals import InvalidRoom
from .leaving import LastOwner, Leaving, NoMember
from .reading import Reading
from .reading_routes import add_reading
from .schemas import (
    INVITE,
    KICK,
    NEW_GROUP,
    ROOM_BODY,
    SETTINGS,
    UsersParamMissing,
    new_group,
    people_named,
    room_named,
)


def make_routes(groups: Groups, reading: Reading, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("rooms", url_prefix=url_prefix)
    add_groups(blueprint, groups, gates)
    add_leaving(blueprint, Leaving(groups.acts), gates)
    add_settings(blueprint, groups, gates)
    add_reading(blueprint, reading, gates)
    return blueprint


def add_groups(blueprint: Blueprint, groups: Groups, gates: Gates) -> None:
    """Put the making of groups on the blueprint."""

    @blueprint.post("/groups.create")
    @Described(
        body=NEW_GROUP,
        answer=GROUP,
        refuses=(Forbidden, BadRoomName, RoomNameTaken),
        links=dict.fromkeys(("rooms.info", "subscriptions.getOne", "groups.members"), OF_GROUP),
    )
    def create_group() -> Response:
        """Make a private group, which the caller owns."""
        with gates.asked("create-room", NEW_GROUP) as (asked, body):
            group = groups.create(asked, new_group(body))
        return envelope.success(group=group)

    @blueprint.post("/groups.invite")
    @Described(
        body=INVITE,
        answer=GROUP,
        refuses=(*NO_ROOM, UsersParamMissing, NobodyToInvite, NotAllowed),
    )
    def invite() -> Response:
        """Make people members of a private group."""
        with gates.asked("invite-to-room", INVITE) as (asked, body):
            group = groups.invite(asked, room_named(body), people_named(body))
        return envelope.success(group=group)


def add_leaving(blueprint: Blueprint, leaving: Leaving, gates: Gates) -> None:
    """Put the ends of memberships and of groups on the blueprint."""

    @blueprint.post("/groups.kick")
    @Described(
        body=KICK,
        refuses=(*NO_ROOM, NotAllowed, TargetParamMissing, UnknownTarget, NoMember, LastOwner),
    )
    def kick() -> Response:
        """Remove a member from a private group."""
        with gates.asked("remove-from-room", KICK) as (asked, body):
            leaving.kick(asked, room_named(body), target_named(body))
        return envelope.success()

    @blueprint.post("/groups.leave")
    @Described(body=ROOM_BODY, refuses=(*NO_ROOM, NotAllowed, LastOwner))
    def leave() -> Response:
        """Leave a private group."""
        with gates.asked("leave-room", ROOM_BODY) as (asked, body):
            leaving.leave(asked, room_named(body))
        return envelope.success()

    @blueprint.post("/groups.delete")
    @Described(body=ROOM_BODY, refuses=(*NO_ROOM, NotAllowed))
    def delete_group() -> Response:
        """Delete a private group."""
        with gates.asked("delete-room", ROOM_BODY) as (asked, body):
            leaving.delete(asked, room_named(body))
        return envelope.success()


def add_settings(blueprint: Blueprint, groups: Groups, gates: Gates) -> None:
    """Put `rooms.saveRoomSettings` on the blueprint."""

    @blueprint.post("/rooms.saveRoomSettings")
    @Described(body=SETTINGS, answer=SAVED, refuses=(ActionNotAllowed, InvalidRoom))
    def save_room_settings() -> Response:
        """Encrypt a room from now on, or no more."""
        with gates.asked("change-room", SETTINGS) as (asked, body):
            switch_encryption(groups.acts, asked, body["rid"], body["encrypted"])
        return envelope.success(rid=body["rid"])
