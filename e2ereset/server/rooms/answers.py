"""What the routes of rooms answer, for the OpenAPI document."""

from marshmallow import fields

from e2ereset.http import Answer, PageAnswer, Text


class GroupAnswer(Answer):
    """A private group, as clients read rooms."""

    group = fields.Dict(required=True)


class Changes(Answer):
    """What is new or has changed, and what was left: `_id` and `_deletedAt` of each."""

    update = fields.List(fields.Dict(), required=True)
    remove = fields.List(fields.Dict(), required=True)


class Saved(Answer):
    """The room whose settings were saved."""

    rid = Text(required=True)


class RoomAnswer(Answer):
    """A room."""

    room = fields.Dict(required=True)


class SubscriptionAnswer(Answer):
    """A membership with its room keys; null where there is none."""

    subscription = fields.Dict(required=True, allow_none=True)


class GroupList(PageAnswer):
    """A page of private groups."""

    groups = fields.List(fields.Dict(), required=True)


class MemberList(PageAnswer):
    """A page of the members of a group."""

    members = fields.List(fields.Dict(), required=True)


GROUP, ONE_ROOM, ONE_SUBSCRIPTION = GroupAnswer(), RoomAnswer(), SubscriptionAnswer()
CHANGED, GROUP_LIST, MEMBER_LIST = Changes(), GroupList(), MemberList()
SAVED = Saved()
