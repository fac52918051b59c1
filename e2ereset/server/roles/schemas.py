"""Queries and bodies of `roles.*` and `permissions.*`."""

from typing import Any

from marshmallow import ValidationError, fields

from e2ereset.http import Body, Flag, Items, PageQuery, Query, Text, filled, one_of
from e2ereset.permissions.schemas import TargetBody
from e2ereset.records import epoch_of

from .refusals import BadDate
from .seeds import GLOBAL


class NewRoleBody(Body):
    """A role to be made. It is held by users; what a role needs of them cannot be set."""

    name = Text(required=True, validate=filled())
    description = Text(load_default="")
    scope = Text(load_default=GLOBAL, validate=one_of(GLOBAL))
    mandatory2fa = Flag(load_default=False)


class AddUserBody(TargetBody):
    """Who gets which role."""

    roleId = Text(required=True)
    roomId = Text()


class RemoveUserBody(Body):
    """Who loses which role."""

    roleId = Text(required=True)
    username = Text(required=True)
    scope = Text()


class HoldersQuery(PageQuery):
    """Whose holders to list."""

    role = Text(required=True, validate=filled())
    roomId = Text()


class SinceQuery(Query):
    """Since when permissions must have changed."""

    updatedSince = Text()


def unique(given: list[str]) -> None:
    """Raise ValidationError where a text is there twice."""
    if len(set(given)) < len(given):
        raise ValidationError("must NOT have duplicate items")


class HeldBody(Body):
    """A permission, and all roles that are to hold it."""

    _id = Text(required=True)
    roles = Items(Text(), required=True, validate=unique)


class PermissionsBody(Body):
    """Permissions whose roles are replaced."""

    permissions = Items(fields.Nested(HeldBody), required=True)


class OneRoleBody(Body):
    """A role that gets or loses a permission."""

    permissionId = Text(required=True)
    role = Text(required=True)


NOTHING, NEW_ROLE, ADD_USER, REMOVE_USER = Query(), NewRoleBody(), AddUserBody(), RemoveUserBody()
HOLDERS, SINCE = HoldersQuery(), SinceQuery()
PERMISSIONS, ONE_ROLE = PermissionsBody(), OneRoleBody()


def read_since(query: dict[str, Any]) -> int | None:
    """The epoch second of `updatedSince`; None when it is not given. Raises BadDate."""
    text = query.get("updatedSince")
    if text is None:
        return None
    try:
        return epoch_of(text)
    except ValueError:
        raise BadDate() from None
