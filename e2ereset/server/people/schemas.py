"""Queries and bodies of `users.*`."""

import json
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.validate import Length

from e2ereset.errors import InvalidQuery
from e2ereset.http import Body, Entries, Flag, Items, PageQuery, Query, Text, filled, one_of
from e2ereset.permissions.schemas import TargetBody

LONGEST = Length(max=255, error="must NOT have more than 255 characters")
LONGEST_CUSTOM = 5000
SELECTORS = ("userId", "username", "email", "importId")


class InfoQuery(Query):
    """Whom to show: exactly one of the first four."""

    userId = Text(validate=filled())
    username = Text(validate=filled())
    email = Text(validate=filled())
    importId = Text(validate=filled())
    includeUserRooms = Flag()
    fields_ = Text(data_key="fields")


class ListQuery(PageQuery):
    """Which page of the users."""

    fields_ = Text(data_key="fields")


def short(most: int) -> Text:
    """A text of at most so many characters."""
    return Text(validate=Length(max=most, error=f"must NOT have more than {most} characters"))


def fits(value: dict[str, Any]) -> None:
    """Raise ValidationError for custom fields that are too long as JSON."""
    if len(json.dumps(value)) > LONGEST_CUSTOM:
        raise ValidationError(f"must NOT have more than {LONGEST_CUSTOM} characters")


class ProfileBody(Body):
    """What everybody may have beside a name; `customFields` are an administrator's to set."""

    bio = short(260)
    nickname = short(120)
    statusText = short(120)
    customFields = Entries(keys=fields.String(), validate=fits)


class AccountBody(ProfileBody):
    """What an administrator sets. There are no channels to join by default."""

    active = Flag()
    roles = Items(Text())
    verified = Flag()
    requirePasswordChange = Flag()
    setRandomPassword = Flag()
    sendWelcomeEmail = Flag()
    joinDefaultChannels = Flag()


class CreateBody(AccountBody):
    """A new user."""

    email = Text(required=True)
    name = Text(required=True, validate=LONGEST)
    password = Text(required=True)
    username = Text(required=True)
    fields_ = Text(data_key="fields")


class ChangedBody(AccountBody):
    """What is changed of a user; what is left out stays."""

    email = Text()
    name = Text(validate=LONGEST)
    password = Text()
    username = Text()
    language = short(20)


class UpdateBody(Body):
    """Whom to change, and what."""

    userId = Text(required=True)
    data = fields.Nested(ChangedBody, required=True)
    confirmRelinquish = Flag(load_default=False)


class DeleteBody(TargetBody):
    """Whom to delete."""

    confirmRelinquish = Flag(load_default=False)


class ActiveBody(Body):
    """Who is to be active, or not any more."""

    userId = Text(required=True)
    activeStatus = Flag(required=True)
    confirmRelinquish = Flag(load_default=False)


class OwnData(ProfileBody):
    """What one changes of oneself; `currentPassword` is the SHA-256 hex of the password."""

    email = Text()
    name = Text(validate=LONGEST)
    username = Text()
    statusType = Text(validate=one_of("online", "away", "busy", "offline"))
    currentPassword = Text()
    newPassword = Text()


class OwnBody(Body):
    """What to change of oneself."""

    data = fields.Nested(OwnData, required=True)
    customFields = Entries(keys=fields.String())


class ConfirmBody(Body):
    """The address to be verified."""

    email = Text(required=True)


OWN, CONFIRM = OwnBody(), ConfirmBody()
INFO, LIST = InfoQuery(), ListQuery()
CREATE, UPDATE, DELETE, ACTIVE = CreateBody(), UpdateBody(), DeleteBody(), ActiveBody()


def selected(query: dict[str, object]) -> tuple[str, str]:
    """By what somebody is looked for, and the name. Raises InvalidQuery unless it is one."""
    given = [name for name in SELECTORS if name in query]
    if len(given) != 1:
        raise InvalidQuery("must match exactly one schema in oneOf")
    return given[0], str(query[given[0]])
