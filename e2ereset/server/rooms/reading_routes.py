"""What clients read of rooms: `rooms.get`, `rooms.info`, `subscriptions.*`, and the lists."""

from flask import Blueprint, Response

from e2ereset.errors import InvalidSort
from e2ereset.http import Described, Gates, envelope, read_page

from .access import NO_ROOM
from .answers import CHANGED, GROUP_LIST, MEMBER_LIST, ONE_ROOM, ONE_SUBSCRIPTION
from .listings import GROUP_COLUMNS
from .memberships import MEMBER_COLUMNS
from .reading import Reading
from .schemas import (
    CHANGES,
    GROUPS,
    MEMBERS,
    ROOM,
    ROOM_ID,
    BadLastUpdate,
    BadUpdatedSince,
    read_since,
    room_named,
)


def add_reading(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put all of them on the blueprint."""
    add_changes(blueprint, reading, gates)
    add_rooms(blueprint, reading, gates)
    add_lists(blueprint, reading, gates)


def add_changes(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put what clients poll on the blueprint."""

    @blueprint.get("/rooms.get")
    @Described(query=CHANGES, answer=CHANGED, refuses=(BadUpdatedSince,))
    def get_rooms() -> Response:
        """The caller's rooms, or what has changed of them."""
        with gates.asked("list-rooms", CHANGES) as (asked, query):
            since = read_since(query["updatedSince"], BadUpdatedSince)
        return envelope.success(**reading.rooms(asked.caller, since))

    @blueprint.get("/subscriptions.get")
    @Described(query=CHANGES, answer=CHANGED, refuses=(BadLastUpdate,))
    def get_subscriptions() -> Response:
        """The caller's memberships with their room keys, or what has changed of them."""
        with gates.asked("list-subscriptions", CHANGES) as (asked, query):
            since = read_since(query["updatedSince"], BadLastUpdate)
        return envelope.success(**reading.subscriptions(asked.caller, since))


def add_rooms(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put what clients ask of one room on the blueprint."""

    @blueprint.get("/rooms.info")
    @Described(query=ROOM, answer=ONE_ROOM, refuses=NO_ROOM)
    def room_info() -> Response:
        """A room that the caller is in."""
        with gates.asked("read-room", ROOM) as (asked, query):
            room = reading.room(asked.caller, room_named(query))
        return envelope.success(room=room)

    @blueprint.get("/subscriptions.getOne")
    @Described(query=ROOM_ID, answer=ONE_SUBSCRIPTION)
    def get_subscription() -> Response:
        """The caller's membership of a room; null where the caller is not in it."""
        with gates.asked("read-subscription", ROOM_ID) as (asked, query):
            subscription = reading.subscription(asked.caller, query["roomId"])
        return envelope.success(subscription=subscription)


def add_lists(blueprint: Blueprint, reading: Reading, gates: Gates) -> None:
    """Put the lists on the blueprint."""

    @blueprint.get("/groups.list")
    @Described(query=GROUPS, answer=GROUP_LIST, refuses=(InvalidSort,))
    def list_groups() -> Response:
        """A page of the private groups that the caller is in."""
        with gates.asked("list-groups", GROUPS) as (asked, query):
            page = read_page(query, GROUP_COLUMNS, default="_id")
        groups, total = reading.groups(asked.caller, page)
        return envelope.success(groups=groups, **page.facts(len(groups), total))

    @blueprint.get("/groups.members")
    @Described(query=MEMBERS, answer=MEMBER_LIST, refuses=(*NO_ROOM, InvalidSort))
    def list_members() -> Response:
        """A page of the members of a private group that the caller is in."""
        with gates.asked("list-members", MEMBERS) as (asked, query):
            page = read_page(query, MEMBER_COLUMNS, default="username")
            named, wanted = room_named(query), query["filter"]
            members, total = reading.members(asked.caller, named, page, wanted)
        return envelope.success(members=members, **page.facts(len(members), total))
