"""`groups.*`, `rooms.*` and `subscriptions.*`, as far as an exchange of room keys needs them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response

from e2ereset import Caller
from e2ereset.errors import Forbidden, InvalidSort, NotAllowed
from e2ereset.http import Described, Gates, Query, envelope, read_page

from .access import RoomParamMissing, UnknownRoom
from .answers import (
    CHANGED,
    GROUP,
    GROUP_LIST,
    MEMBER_LIST,
    ONE_ROOM,
    ONE_SUBSCRIPTION,
)
from .groups import BadRoomName, Groups, NobodyToInvite, RoomNameTaken
from .listings import GROUP_COLUMNS
from .memberships import MEMBER_COLUMNS
from .reading import Reading
from .schemas import (
    CHANGES,
    GROUPS,
    INVITE,
    MEMBERS,
    NEW_GROUP,
    ROOM,
    ROOM_ID,
    BadLastUpdate,
    BadUpdatedSince,
    UsersParamMissing,
    new_group,
    people_named,
    read_since,
    room_named,
)

NO_ROOM = (RoomParamMissing, UnknownRoom)


def make_routes(groups: Groups, reading: Reading, gates: Gates, *, url_prefix: str) -> Blueprint:
    """The routes, below the prefix."""
    blueprint = gates.blueprint("rooms", url_prefix=url_prefix)
    add_groups(blueprint, groups, gates)
    add_changes(blueprint, reading, gates)
    add_rooms(blueprint, reading, gates)
    add_lists(blueprint, reading, gates)
    return blueprint


def add_groups(blueprint: Blueprint, groups: Groups, gates: Gates) -> None:
    """Put what changes groups on the blueprint."""

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


def add_changes(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put what clients poll on the blueprint."""

    @blueprint.get("/rooms.get")
    @Described(query=CHANGES, answer=CHANGED, refuses=(BadUpdatedSince,))
    def get_rooms() -> Response:
        """The caller's rooms, or what has changed of them."""
        with _asked(gates, "list-rooms", CHANGES) as (caller, query):
            since = read_since(query["updatedSince"], BadUpdatedSince)
        return envelope.success(**reading.rooms(caller, since))

    @blueprint.get("/subscriptions.get")
    @Described(query=CHANGES, answer=CHANGED, refuses=(BadLastUpdate,))
    def get_subscriptions() -> Response:
        """The caller's memberships with their room keys, or what has changed of them."""
        with _asked(gates, "list-subscriptions", CHANGES) as (caller, query):
            since = read_since(query["updatedSince"], BadLastUpdate)
        return envelope.success(**reading.subscriptions(caller, since))


def add_rooms(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put what clients ask of one room on the blueprint."""

    @blueprint.get("/rooms.info")
    @Described(query=ROOM, answer=ONE_ROOM, refuses=NO_ROOM)
    def room_info() -> Response:
        """A room that the caller is in."""
        with _asked(gates, "read-room", ROOM) as (caller, query):
            room = reading.room(caller, room_named(query))
        return envelope.success(room=room)

    @blueprint.get("/subscriptions.getOne")
    @Described(query=ROOM_ID, answer=ONE_SUBSCRIPTION)
    def get_subscription() -> Response:
        """The caller's membership of a room; null where the caller is not in it."""
        with _asked(gates, "read-subscription", ROOM_ID) as (caller, query):
            subscription = reading.subscription(caller, query["roomId"])
        return envelope.success(subscription=subscription)


def add_lists(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put the lists on the blueprint."""

    @blueprint.get("/groups.list")
    @Described(query=GROUPS, answer=GROUP_LIST, refuses=(InvalidSort,))
    def list_groups() -> Response:
        """A page of the private groups that the caller is in."""
        with _asked(gates, "list-groups", GROUPS) as (caller, query):
            page = read_page(query, GROUP_COLUMNS, default="_id")
        groups, total = reading.groups(caller, page)
        return envelope.success(groups=groups, **page.facts(len(groups), total))

    @blueprint.get("/groups.members")
    @Described(query=MEMBERS, answer=MEMBER_LIST, refuses=(*NO_ROOM, InvalidSort))
    def list_members() -> Response:
        """A page of the members of a private group that the caller is in."""
        with _asked(gates, "list-members", MEMBERS) as (caller, query):
            page = read_page(query, MEMBER_COLUMNS, default="username")
            named, wanted = room_named(query), query["filter"]
            members, total = reading.members(caller, named, page, wanted)
        return envelope.success(members=members, **page.facts(len(members), total))


@contextmanager
def _asked(gates: Gates, action: str, schema: Query) -> Iterator[tuple[Caller, dict[str, Any]]]:
    """The caller and the query, within the rate. A refusal in the block is recorded."""
    with gates.entered(action) as asked:
        query = gates.query(schema)
        gates.rate_limit("read")
        yield asked.caller, query
