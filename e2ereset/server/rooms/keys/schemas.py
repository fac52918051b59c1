"""The bodies of the routes of room keys. Keys are opaque text."""

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Length, Regexp

from e2ereset.http import Body, Entries, Items, Query, Text

NOT_BLANK = Regexp(r"^[\s\S]*\S", error="must NOT have fewer than 1 characters")
"""A blank key would count as a key that somebody has."""


class Moment(Text):
    """An ISO 8601 time; loaded as UTC with milliseconds and `Z`, as on the wire."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        text = super()._deserialize(value, *args, **options)
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None:
                raise ValueError
            moment = at.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValidationError("must match format date-time") from None
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


LONGEST_KEY = 4096
"""In characters; one that is wrapped by RSA of 4096 bits has 700. The keys that a member is given
by others come with each answer to the member, who must be able to read it."""
TOO_LONG = "must NOT have more than {max} characters"
SHORT: Any = Length(max=255, error=TOO_LONG)
NOT_TOO_LONG: Any = Length(max=LONGEST_KEY, error=TOO_LONG)
KEY_ID: list[Any] = [NOT_BLANK, SHORT]
KEY: list[Any] = [NOT_BLANK, NOT_TOO_LONG]


class RoomBody(Body):
    """Names a room."""

    rid = Text(required=True)


class KeyIdBody(RoomBody):
    """The id of the key that an encrypted room uses from now on."""

    keyID = Text(required=True, validate=KEY_ID)


class GroupKeyBody(RoomBody):
    """A room key, wrapped with the public key of the user `uid`."""

    uid = Text(required=True)
    key = Text(required=True, validate=KEY)


class OldKeyBody(Body):
    """A room key that was in use before, as in `oldRoomKeys` of a subscription."""

    e2eKeyId = Text(required=True, validate=SHORT)
    ts = Moment(required=True, metadata={"format": "date-time"})
    E2EKey = Text(required=True, validate=NOT_TOO_LONG)


class SuggestionBody(Body):
    """A room key for the user `_id`, with the keys that were in use before, newest first."""

    _id = Text(required=True)
    key = Text(required=True, validate=KEY)
    oldKeys = Items(fields.Nested(OldKeyBody))


class SuggestionsBody(Body):
    """Suggestions by the ids of their rooms."""

    usersSuggestedGroupKeys = Entries(
        keys=Text(), values=Items(fields.Nested(SuggestionBody)), required=True
    )


class RestartBody(RoomBody):
    """The key that a room is restarted with, wrapped for the caller."""

    e2eKey = Text(required=True, validate=KEY)
    e2eKeyId = Text(required=True, validate=KEY_ID)


class RoomQuery(RoomBody, Query):
    """Names a room, in a query."""


class RoomsQuery(Query):
    """Names rooms."""

    roomIds = fields.List(
        Text(), required=True, validate=Length(max=1000, error="must NOT have more than 1000 items")
    )


NOTHING, ROOM, KEY_OF_ROOM, GROUP_KEY = Body(), RoomBody(), KeyIdBody(), GroupKeyBody()
RESTART = RestartBody()
SUGGESTIONS, OF_ROOM, OF_ROOMS = SuggestionsBody(), RoomQuery(), RoomsQuery()
