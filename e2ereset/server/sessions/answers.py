"""How sign-ins are described: the body of `login`, and what its routes answer.

`schemas.read_credentials` reads that body, as it has more forms than a schema has words for.
"""

from marshmallow import Schema, fields
from marshmallow.validate import Equal

from e2ereset.http import Answer, Body, Flag, Text

TEXT_OR_OBJECT = {"type": ["string", "object"]}


class LoginBody(Body):
    """A sign-in by password, with `user`, `username` or `email`; or by a live token, `resume`."""

    user = fields.Raw(metadata=TEXT_OR_OBJECT)
    username = Text()
    email = Text()
    password = fields.Raw(metadata=TEXT_OR_OBJECT)
    code = Text(allow_none=True)
    resume = Text()
    totp = fields.Dict()


class LoginFailure(Schema):
    """Why nobody was signed in."""

    success = Flag(required=True, validate=Equal(False))
    error = Text(required=True)
    status = Text(required=True, validate=Equal("error"))
    message = Text(required=True)
    details = fields.Dict()


class Me(Answer):
    """A user, as clients read it."""

    _id = Text(required=True)
    username = Text(required=True)
    name = Text(required=True, allow_none=True)
    email = Text()
    emails = fields.List(fields.Dict(), required=True)
    roles = fields.List(Text(), required=True)
    active = Flag(required=True)
    settings = fields.Dict(required=True)
    avatarUrl = Text(required=True)
    isOAuthUser = Flag(required=True)
    services = fields.Dict(required=True)


class Data(Schema):
    """A new sign-in."""

    userId = Text(required=True)
    authToken = Text(required=True)
    me = fields.Nested(Me(exclude=("success",)), required=True)


class SignedIn(Answer):
    """Somebody was signed in."""

    status = Text(required=True, validate=Equal("success"))
    data = fields.Nested(Data, required=True)


class SignedOut(Answer):
    """The sign-in has ended."""

    status = Text(required=True, validate=Equal("success"))
    data = fields.Dict(keys=Text(), values=Text(), required=True)


LOGIN, LOGIN_FAILURE, ME = LoginBody(), LoginFailure(), Me()
SIGNED_IN, SIGNED_OUT = SignedIn(), SignedOut()
