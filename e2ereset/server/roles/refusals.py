"""How changes of roles and permissions are refused, in the reference's words."""

from e2ereset import Refusal
from e2ereset.server.people.refusals import ActionNotAllowed


class AdminKeepsAccess(ActionNotAllowed):
    """Nobody could give this permission back."""

    reason = "Taking access-permissions from admin is not allowed: nobody could give it back"
    plain = "Administrators keep this permission: nobody could give it back to them."


class BadRole(Refusal):
    """No role can have these properties."""

    code = "error-invalid-role-properties"
    reason = "The role properties are invalid."


class RoleNameTaken(Refusal):
    """There is a role of this name, in any case of its letters."""

    code = "error-duplicate-role-names-not-allowed"
    reason = "Role name already exists"


class RoleNotFound(Refusal):
    """There is no such role that a user can have. Code and text are swapped in the reference."""

    code = "Role not found"
    reason = "error-role-not-found"
    plain = "There is no such role."
    bracketed = False


class NoSuchRole(Refusal):
    """There is no such role that a user can lose, or whose holders can be listed."""

    code = "error-invalid-roleId"
    reason = "This role does not exist"
    plain = "There is no such role."


class HasRoleAlready(Refusal):
    """The user has the role."""

    code = "error-user-already-in-role"
    reason = "User already in role"
    plain = "This person has the role already."


class HasNotRole(Refusal):
    """The user does not have the role."""

    code = "error-user-not-in-role"
    reason = "User is not in this role"
    plain = "This person does not have the role."


class NobodyOfThisName(Refusal):
    """There is no such user to take a role from."""

    code = "error-invalid-user"
    reason = "There is no user with this username"
    plain = "There is no such person."


class UnknownPermission(Refusal):
    """There is no such permission."""

    code = "error-invalid-permission"
    reason = "Invalid permission"
    bracketed = False


class UnknownRole(Refusal):
    """There is no such role to hold a permission."""

    code = "error-invalid-role"
    reason = "Invalid role"
    plain = "There is no such role."
    bracketed = False


class BadDate(Refusal):
    """`updatedSince` is no date. The code is the reference's."""

    code = "error-roomId-param-invalid"
    reason = 'The "updatedSince" query parameter must be a valid date.'
