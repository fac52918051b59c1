"""What the routes of accounts answer."""

from marshmallow import fields

from e2ereset.http import Answer, PageAnswer, Text


class OneUser(Answer):
    """A user, as far as the caller may see it."""

    user = fields.Dict(keys=Text(), required=True)


class UserList(PageAnswer):
    """A page of users."""

    users = fields.List(fields.Dict(keys=Text()), required=True)


class Deleted(Answer):
    """Somebody was deleted, with these rooms."""

    deletedRooms = fields.List(Text(), required=True)


ONE_USER, USER_LIST, DELETED = OneUser(), UserList(), Deleted()
