"""The body and the answer that hold a key pair, and the answer about rooms."""

from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from e2ereset.http.schemas import Answer, Body, Flag, Query, Text, Whole
from e2ereset.rooms import DEAD, RESTORED, SEEN_STEPS, WAITS


class KeysBody(Body):
    """A new key pair; both are opaque text."""

    public_key = Text(required=True)
    private_key = Text(required=True)
    force = Flag(load_default=False)


class MyKeys(Answer):
    """The caller's key pair; without one, neither key."""

    public_key = Text()
    private_key = Text()


class ReadableRoom(Schema):
    """An encrypted room of the caller's: `restored`, `waiting` or `dead`.

    `seenWithinDays`: one of the `holders` was seen within so many days.
    """

    _id = Text(required=True)
    name = Text(required=True)
    state = Text(required=True, validate=OneOf([RESTORED, WAITS, DEAD]))
    holders = Whole(required=True)
    seenWithinDays = Whole(low=min(SEEN_STEPS), high=max(SEEN_STEPS))
    waitingSince = Text()


class ReadabilityAnswer(Answer):
    """The encrypted rooms of the caller."""

    rooms = fields.List(fields.Nested(ReadableRoom), required=True)


KEYS, NO_QUERY = KeysBody(), Query()
MY_KEYS, READABILITY = MyKeys(), ReadabilityAnswer()
