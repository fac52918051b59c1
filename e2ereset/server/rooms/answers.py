"""What the routes of rooms answer, for the OpenAPI document."""

from marshmallow import fields

from e2ereset.http import Answer


class GroupAnswer(Answer):
    """A private group, as clients read rooms."""

    group = fields.Dict(required=True)


GROUP = GroupAnswer()
