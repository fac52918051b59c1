"""What the routes of room keys answer, described."""

from marshmallow import Schema, fields

from e2ereset.http import Answer, Text, Whole


class PublicKey(Schema):
    """A public key, as its owner stored it."""

    public_key = Text(required=True)


class WithoutKey(Schema):
    """A member who has no key of the room."""

    _id = Text(required=True)
    e2e = fields.Nested(PublicKey, required=True)


class WithoutKeyAnswer(Answer):
    """Members without a key."""

    users = fields.List(fields.Nested(WithoutKey), required=True)


class Waits(PublicKey):
    """A member who can be given a key."""

    _id = Text(required=True)


class AskedAnswer(Answer):
    """How many were asked by mail."""

    asked = Whole(required=True)


class WaitingAnswer(Answer):
    """By room, who can be given a key."""

    usersWaitingForE2EKeys = fields.Dict(
        keys=Text(), values=fields.List(fields.Nested(Waits)), required=True
    )


WITHOUT_KEY, WAITING = WithoutKeyAnswer(), WaitingAnswer()
ASKED = AskedAnswer()
