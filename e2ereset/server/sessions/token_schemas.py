"""The bodies of the routes of tokens and of ending sign-ins, and their answers."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields
from marshmallow.validate import Length

from e2ereset.errors import TargetParamMissing
from e2ereset.http import Answer, Body, Flag, Query, Text, filled

LONGEST = 255
SHORT = Length(max=LONGEST, error="must NOT have more than {max} characters")


class TokenBody(Body):
    """The name of one of the caller's tokens."""

    tokenName = Text(required=True, validate=[filled(), SHORT])


class NewTokenBody(TokenBody):
    """A token to be made."""

    bypassTwoFactor = Flag(allow_none=True, load_default=False)


class LogoutBody(Body):
    """Whose sign-ins end; without an id, those of the caller."""

    userId = Text(allow_none=True)


class MadeToken(Answer):
    """A new token, which is shown here only."""

    token = Text(required=True)


class Shown(Schema):
    """A personal access token, without the token."""

    name = Text(required=True)
    createdAt = fields.DateTime(required=True)
    lastTokenPart = Text(required=True)
    bypassTwoFactor = Flag(required=True)


class Tokens(Answer):
    """The caller's personal access tokens."""

    tokens = fields.List(fields.Nested(Shown), required=True)


class LoggedOut(Answer):
    """Whose sign-ins were ended."""

    message = Text(required=True)


class Kept(Answer):
    """The sign-in that is left; `tokenExpires` is empty where it never expires."""

    token = Text(required=True)
    tokenExpires = Text(required=True)


TOKEN, NEW_TOKEN, LOGOUT, NOTHING = TokenBody(), NewTokenBody(), LogoutBody(), Body()
NO_QUERY = Query()
MADE, TOKENS, LOGGED_OUT, KEPT = MadeToken(), Tokens(), LoggedOut(), Kept()


def user_named(body: Mapping[str, Any]) -> str | None:
    """The id in the body; None when there is none.

    Raises TargetParamMissing for one that is given but blank: it never means the caller.
    """
    if "userId" not in body:
        return None
    if not (body["userId"] or "").strip():
        raise TargetParamMissing()
    return str(body["userId"])
