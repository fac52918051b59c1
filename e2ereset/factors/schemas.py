"""The bodies and answers of the routes of factors."""

from marshmallow import Schema, fields
from marshmallow.validate import Equal

from e2ereset.http.schemas import Answer, Body, Flag, Text, Whole


class CodeBody(Body):
    """Whose pending code to mail again."""

    emailOrUsername = Text(required=True)


class Unlocked(Answer):
    """What was locked before."""

    unlocked = fields.List(Text(), required=True)


class TotpBody(Body):
    """A code of the caller's authenticator app; where it is enabled, a backup code too."""

    code = Text(required=True)


class TotpSecret(Answer):
    """What an authenticator app needs, once: the secret in base32, and the same as a URL."""

    secret = Text(required=True)
    url = Text(required=True)


class BackupCodes(Answer):
    """Twelve new backup codes, which are shown only now."""

    codes = fields.List(Text(), required=True)


class Disabled(Answer):
    """Whether TOTP was disabled: not with a wrong code, nor where it was off."""

    disabled = Flag(required=True)


class Remaining(Answer):
    """How many backup codes are left."""

    remaining = Whole(required=True)


class MethodStatus(Schema):
    """One method. The times are missing where it is off, or was never used.

    `provesThisSignIn` is false while the sign-in is older than the method.
    """

    enabled = Flag(required=True)
    enabledAt = Text()
    lastUsedAt = Text()
    provesThisSignIn = Flag(required=True)
    locked = Flag(required=True)


class StatusAnswer(Answer):
    """The second factors of the caller."""

    totp = fields.Nested(MethodStatus, required=True)
    email = fields.Nested(MethodStatus, required=True)
    passkey = fields.Nested(MethodStatus, required=True)
    backupCodesLeft = Whole(required=True)


class MethodBody(Body):
    """A call as text: `{"msg":"method","id":"1","method":"2fa:enable","params":[]}`."""

    message = Text(required=True)


class MethodAnswer(Answer):
    """What the method returned: `{"msg":"result","id":"1","result":...}`, as text."""

    message = Text(required=True)


class MethodFailure(Schema):
    """A refusal of the method has a `message`, as text; one of the request has an `error`."""

    success = Flag(required=True, validate=Equal(False))
    message = Text()
    error = Text()
    errorType = Text()
    details = fields.Dict()


CODE = CodeBody()
METHOD, METHOD_ANSWER, METHOD_FAILURE = MethodBody(), MethodAnswer(), MethodFailure()
EMPTY = Body()
TOTP = TotpBody()
SECRET, CODES = TotpSecret(), BackupCodes()
DISABLED, REMAINING, STATUS = Disabled(), Remaining(), StatusAnswer()
UNLOCKED = Unlocked()
