"""The bodies of the routes of room keys. Keys are opaque text."""

from typing import Any

from marshmallow import ValidationError
from marshmallow.validate import Length

from e2ereset.http import Body, Text


def not_blank(text: str) -> None:
    """Refuse a text of spaces only: a blank key would count as a key that somebody has."""
    if not text.strip():
        raise ValidationError("must NOT have fewer than 1 characters")


KEY_ID: list[Any] = [not_blank, Length(max=255, error="must NOT have more than {max} characters")]


class RoomBody(Body):
    """Names a room."""

    rid = Text(required=True)


class KeyIdBody(RoomBody):
    """The id of the key that an encrypted room uses from now on."""

    keyID = Text(required=True, validate=KEY_ID)


class GroupKeyBody(RoomBody):
    """A room key, wrapped with the public key of the user `uid`."""

    uid = Text(required=True)
    key = Text(required=True, validate=not_blank)


NOTHING, ROOM, KEY_OF_ROOM, GROUP_KEY = Body(), RoomBody(), KeyIdBody(), GroupKeyBody()
