"""The documents of Rocket.Chat, as far as they are taken over."""

from typing import Any

from marshmallow import fields, validate

from .fields import LONGEST_KEY, Id, Moment, Row, Stored

DIGEST = validate.Regexp(r"[A-Za-z0-9+/]{43}=\Z", error="It is no SHA-256 in base64.")
HASHED_CODE = validate.Regexp(r"[0-9a-fA-F]{64}\Z", error="It is no SHA-256 in hexadecimal.")
Many = fields.List


def part(schema: type[Row], **options: Any) -> fields.Field[Any]:
    """A part of a document, `{}` where it is missing."""
    return fields.Nested(schema, load_default=dict, **options)


class OwnerRow(Row):
    """The user to whom something belongs."""

    id = Id(data_key="_id", required=True)


class AddressRow(Row):
    """An e-mail address."""

    address = Stored(320, required=True)
    verified = fields.Boolean(load_default=False)


class PasswordRow(Row):
    """The hash of the SHA-256 of a password."""

    bcrypt = Stored()
    argon2 = Stored()


class TotpRow(Row):
    """TOTP, and the SHA-256 of its unused backup codes."""

    enabled = fields.Boolean(load_default=False)
    secret = Stored()
    pending = Stored(data_key="tempSecret")
    codes = Many(Stored(validate=HASHED_CODE), data_key="hashedBackup", load_default=list)


class EmailFactorRow(Row):
    """Whether codes by e-mail are a second factor."""

    enabled = fields.Boolean(load_default=False)
    changed_at = Moment(data_key="changedAt", load_default=None)


class TokenRow(Row):
    """A sign-in, which has a `when`, or a personal access token."""

    digest = Stored(data_key="hashedToken", validate=DIGEST)
    kind = Stored(data_key="type")
    name = Stored()
    when = Moment()
    created_at = Moment(data_key="createdAt")
    last_part = Stored(6, data_key="lastTokenPart", load_default=None)
    bypass = fields.Boolean(data_key="bypassTwoFactor", load_default=False)


class ResumeRow(Row):
    """What can be resumed."""

    tokens = Many(fields.Nested(TokenRow), data_key="loginTokens", load_default=list)


class ServicesRow(Row):
    """How a user signs in."""

    password = part(PasswordRow)
    totp = part(TotpRow)
    email2fa = part(EmailFactorRow)
    resume = part(ResumeRow)


class PairRow(Row):
    """An E2E key pair."""

    public_key = Stored(LONGEST_KEY, load_default="")
    private_key = Stored(LONGEST_KEY, load_default="")


class UserRow(Row):
    """A user."""

    id = Id(data_key="_id", required=True)
    username = Stored(required=True)
    name = Stored()
    # A user without it cannot sign in at Rocket.Chat either.
    active = fields.Boolean(load_default=False)
    kind = Stored(32, data_key="type", load_default="user")
    federated = fields.Boolean(load_default=False)
    roles = Many(Stored(), load_default=list)
    emails = Many(fields.Nested(AddressRow), load_default=list)
    created_at = Moment(data_key="createdAt", load_default=None)
    bio = Stored(5000)
    nickname = Stored()
    statusText = Stored()
    language = Stored()
    requirePasswordChange = fields.Boolean()
    customFields = fields.Dict(keys=fields.String())
    services = part(ServicesRow)
    e2e = part(PairRow)


class RoleRow(Row):
    """A role."""

    id = Id(data_key="_id", required=True)


class PermissionRow(Row):
    """A permission, and the roles that hold it."""

    id = Id(data_key="_id", required=True)
    roles = Many(Stored(), load_default=list)


class RoomRow(Row):
    """A room."""

    id = Id(data_key="_id", required=True)
    kind = Stored(data_key="t", required=True)
    name = Stored(load_default=None)
    topic = Stored(5000, load_default=None)
    read_only = fields.Boolean(data_key="ro", load_default=False)
    creator = fields.Nested(OwnerRow, data_key="u", load_default=None)
    created_at = Moment(data_key="ts", load_default=0)
    updated_at = Moment(data_key="_updatedAt", load_default=0)
    encrypted = fields.Boolean(load_default=False)
    key_id = Stored(data_key="e2eKeyId", load_default=None)


class OldKeyRow(Row):
    """A room key of earlier."""

    key_id = Stored(data_key="e2eKeyId", required=True)
    at = Moment(data_key="ts", required=True)
    key = Stored(LONGEST_KEY, data_key="E2EKey", required=True)


class SubscriptionRow(Row):
    """A membership, with the room keys of the member."""

    user = fields.Nested(OwnerRow, data_key="u", required=True)
    room_id = Id(data_key="rid", required=True)
    kind = Stored(data_key="t", required=True)
    roles = Many(Stored(), load_default=list)
    joined_at = Moment(data_key="ts", load_default=0)
    updated_at = Moment(data_key="_updatedAt", load_default=0)
    key = Stored(LONGEST_KEY, data_key="E2EKey", load_default=None)
    suggested = Stored(LONGEST_KEY, data_key="E2ESuggestedKey", load_default=None)
    old_keys = Many(fields.Nested(OldKeyRow), data_key="oldRoomKeys", load_default=list)
    suggested_old_keys = Many(
        fields.Nested(OldKeyRow),
        data_key="suggestedOldRoomKeys",
        load_default=list,
    )
