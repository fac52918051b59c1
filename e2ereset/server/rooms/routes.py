"""`groups.*`, as far as an exchange of room keys needs them."""

from flask import Blueprint, Response

from e2ereset.errors import Forbidden, NotAllowed
from e2ereset.http import Described, Gates, envelope

from .access import RoomParamMissing, UnknownRoom
from .answers import GROUP
from .groups import BadRoomName, Groups, NobodyToInvite, RoomNameTaken
from .schemas import (
    INVITE,
    NEW_GROUP,
    UsersParamMissing,
    new_group,
    people_named,
    room_named,
)

NO_ROOM = (RoomParamMissing, UnknownRoom)


def make_routes(groups: Groups, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("rooms", url_prefix=url_prefix)

    @blueprint.post("/groups.create")
    @Described(body=NEW_GROUP, answer=GROUP, refuses=(Forbidden, BadRoomName, RoomNameTaken))
    def create_group() -> Response:
        """Make a private group, which the caller owns."""
        with gates.entered("create-room") as asked:
            new = new_group(gates.body(NEW_GROUP))
            gates.rate_limit("write")
            group = groups.create(asked, new)
        return envelope.success(group=group)

    @blueprint.post("/groups.invite")
    @Described(
        body=INVITE,
        answer=GROUP,
        refuses=(*NO_ROOM, UsersParamMissing, NobodyToInvite, NotAllowed),
    )
    def invite() -> Response:
        """Make people members of a private group."""
        with gates.entered("invite-to-room") as asked:
            body = gates.body(INVITE)
            gates.rate_limit("write")
            group = groups.invite(asked, room_named(body), people_named(body))
        return envelope.success(group=group)

    return blueprint
