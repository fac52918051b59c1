"""The bodies and answers of the routes of factors."""

from marshmallow import fields

from e2ereset.http.schemas import Answer, Body, Text


class CodeBody(Body):
    """Whose pending code to mail again."""

    emailOrUsername = Text(required=True)


class Unlocked(Answer):
    """What was locked before."""

    unlocked = fields.List(Text(), required=True)


CODE = CodeBody()
UNLOCKED = Unlocked()
