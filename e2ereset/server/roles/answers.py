"""What the routes of roles and permissions answer."""

from marshmallow import fields

from e2ereset.http import Answer, Text
from e2ereset.server.people.answers import UserList


class OneRole(Answer):
    """A role."""

    role = fields.Dict(keys=Text(), required=True)


class RoleList(Answer):
    """All roles."""

    roles = fields.List(fields.Dict(keys=Text()), required=True)


class Updated(Answer):
    """Permissions that have changed. None is ever removed."""

    update = fields.List(fields.Dict(keys=Text()), required=True)
    remove = fields.List(fields.Dict(keys=Text()), required=True)


class PermissionList(Answer):
    """All permissions."""

    permissions = fields.List(fields.Dict(keys=Text()), required=True)


ONE_ROLE, ROLE_LIST, HOLDERS = OneRole(), RoleList(), UserList()
UPDATED, PERMISSION_LIST = Updated(), PermissionList()
